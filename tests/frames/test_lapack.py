"""The wrapped routines against numpy."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from unrelu.frames._lapack import columns_product, pbtrf, pbtrs, potrf, potrs, rows_product


@pytest.mark.parametrize("shape", [(1, 1), (7, 3), (3, 7), (40, 40), (0, 4)])
def test_products(rng, shape):
    a = rng.standard_normal(shape)
    assert np.allclose(np.triu(columns_product(a)), np.triu(a.T @ a), atol=1e-13)
    assert np.allclose(np.triu(rows_product(a)), np.triu(a @ a.T), atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 33, 200])
def test_cholesky(rng, n):
    a = rng.standard_normal((n + 3, n))
    v = rng.standard_normal(n)
    factor = columns_product(a)
    assert potrf(factor) == 0
    assert np.allclose(np.triu(factor).T @ np.triu(factor), a.T @ a)
    assert np.allclose(potrs(factor, v), np.linalg.solve(a.T @ a, v))


def test_cholesky_refuses():
    assert potrf(np.array([[1.0, 2.0], [0.0, 1.0]])) == 2
    assert potrf(np.zeros((3, 3))) == 1
    assert pbtrf(np.array([[1.0, 2.0], [1.0, 0.0]])) == 2


@pytest.mark.parametrize(("n", "width"), [(1, 0), (6, 0), (6, 2), (50, 7)])
def test_banded_cholesky(rng, n, width):
    lower = np.tril(np.triu(rng.standard_normal((n, n)), -width)) + 3 * np.eye(n)
    matrix = lower @ lower.T
    band = np.zeros((n, width + 1))
    for offset in range(width + 1):
        band[: n - offset, offset] = np.diagonal(matrix, -offset)
    v = rng.standard_normal(n)
    assert pbtrf(band) == 0
    assert np.allclose(pbtrs(band, v), np.linalg.solve(matrix, v))


def test_arguments_are_kept_but_for_the_factored_one(rng):
    a, v = rng.standard_normal((5, 3)), rng.standard_normal(3)
    before = a.copy(), v.copy()
    factor = columns_product(a)
    rows_product(a)
    potrf(factor)
    potrs(factor, v)
    assert np.array_equal(a, before[0])
    assert np.array_equal(v, before[1])


def test_threads_do_not_disturb_one_another():
    def solve(seed: int) -> float:
        rng = np.random.default_rng(seed)
        a, v = rng.standard_normal((90, 60)), rng.standard_normal(60)
        factor = columns_product(a)
        assert potrf(factor) == 0
        return float(np.abs(a.T @ (a @ potrs(factor, v)) - v).max())

    with ThreadPoolExecutor(8) as pool:
        assert max(pool.map(solve, range(200))) < 1e-9
