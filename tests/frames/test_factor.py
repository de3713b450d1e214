"""Certified Cholesky factors: what they prove, and how well they solve."""

import numpy as np
import pytest
import scipy.sparse as sp

from unrelu.frames import DenseFrame, SparseFrame
from unrelu.frames._factor import banded_factor, dense_factor
from unrelu.frames._lapack import columns_product


def with_singular_values(rng: np.random.Generator, m: int, sigma: np.ndarray) -> np.ndarray:
    n = len(sigma)
    left = np.linalg.qr(rng.standard_normal((m, n)))[0]
    right = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return left * sigma @ right


@pytest.mark.parametrize("n", [3, 30])
@pytest.mark.parametrize("condition", [1e1, 1e4, 1e6])
def test_solves(rng, n, condition):
    a = with_singular_values(rng, 2 * n, np.geomspace(1, 1 / condition, n))
    factor = dense_factor(columns_product(a), 2 * n)
    assert factor is not None
    x = rng.standard_normal(n)
    solved = factor.solve(a.T @ (a @ x))
    solved += factor.solve(a.T @ (a @ (x - solved)))
    assert np.linalg.norm(solved - x) <= 1e-15 * condition**2 * np.linalg.norm(x) + 1e-13


@pytest.mark.parametrize("condition", [1e9, 1e12, 1e16])
def test_proves_nothing_beyond_its_precision(rng, condition):
    a = with_singular_values(rng, 20, np.geomspace(1, 1 / condition, 10))
    assert dense_factor(columns_product(a), 20) is None
    band = np.zeros((10, 10))
    product = a.T @ a
    for offset in range(10):
        band[: 10 - offset, offset] = np.diagonal(product, -offset)
    assert banded_factor(band, 20, np.arange(10)) is None


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0, 0.0])
@pytest.mark.parametrize("place", [(0, 0), (1, 1), (0, 2), (1, 2)])
def test_refuses_what_is_not_positive(bad, place):
    matrix = np.eye(3)
    matrix[place] = bad
    if place[0] != place[1] and np.isfinite(bad):
        matrix[place] = 2.0
    assert dense_factor(matrix.copy(), 3) is None
    band = np.array(
        [[matrix[0, 0], matrix[0, 1], matrix[0, 2]], [matrix[1, 1], matrix[1, 2], 0], [1.0, 0, 0]]
    )
    assert banded_factor(band, 3, np.arange(3)) is None


@pytest.mark.parametrize("scale", [2.0**-535, 2.0**-500, 2.0**500])
def test_extreme_scales(rng, scale):
    a = np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.25]]) * scale
    singular = a.copy()
    singular[:, 1] = 3 * singular[:, 0]
    assert dense_factor(columns_product(singular), 3) is None
    factor = dense_factor(columns_product(a), 3)
    if factor is not None:  # squares of 2^-535 are too inexact
        assert factor.smallest_eigenvalue() == pytest.approx(np.linalg.svd(a / scale)[1][-1] ** 2 * scale**2)
    assert (factor is None) == (scale == 2.0**-535)


@pytest.mark.parametrize("engine", ["dense", "sparse"])
@pytest.mark.parametrize(("m", "n"), [(1, 1), (6, 2), (90, 60), (300, 150), (200, 199)])
def test_smallest_eigenvalue(rng, engine, m, n):
    a = rng.standard_normal((m, n))
    frame = DenseFrame(a) if engine == "dense" else SparseFrame(sp.csr_array(a))
    factor = frame.frame_operator(np.arange(m))
    assert factor is not None
    expected = np.linalg.svd(a, compute_uv=False)[-1] ** 2
    assert 0.999 * expected <= factor.smallest_eigenvalue() <= 1.06 * expected


def test_smallest_eigenvalue_of_multiples_of_the_identity():
    for value in (1.0, 4e-300, 4e300):
        factor = dense_factor(np.eye(5) * value, 1)
        assert factor is not None
        assert factor.smallest_eigenvalue() == pytest.approx(value)


def test_overwritten_memory_is_not_shared(rng):
    a = rng.standard_normal((6, 3))
    frame = DenseFrame(a)
    one, two = frame.frame_operator(np.arange(6)), frame.frame_operator(np.arange(5))
    v = rng.standard_normal(3)
    first = one.solve(v)
    two.solve(v)
    assert np.array_equal(one.solve(v), first)
