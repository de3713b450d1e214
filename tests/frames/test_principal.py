"""Parts of one Gram matrix in place of products of their own."""

import numpy as np
import pytest

from tests.frames.matrices import KINDS
from unrelu.frames import DenseFrame, SparseFrame, _dense
from unrelu.frames._lapack import potrf, potrs
from unrelu.frames._principal import principal


@pytest.mark.parametrize("size", [0, 1, 5, 9])
def test_upper_triangle(size, rng):
    matrix = rng.standard_normal((9, 9))
    index = np.sort(rng.permutation(9)[:size])
    assert np.array_equal(np.triu(principal(matrix, index)), np.triu(matrix[np.ix_(index, index)]))


@pytest.mark.parametrize("kind", KINDS)
def test_held_products_prove_no_less_and_nothing_wrong(kind):
    rng = np.random.default_rng(5)
    for _ in range(15):
        weight = KINDS[kind](rng)
        alone, held = DenseFrame(weight), DenseFrame(weight)
        held.hold(10**6)
        for _ in range(4):
            index = rng.permutation(len(weight))[: rng.integers(0, len(weight) + 1)]
            assert held.independent(index) == alone.independent(index)
            if held.spans(index):
                assert alone.rank_bounds(index)[0] == alone.n


def test_products_are_held_only_where_that_pays(rng, monkeypatch):
    frame = DenseFrame(rng.standard_normal((40, 10)))
    frame.hold(10)
    assert frame._products is None
    with monkeypatch.context() as context:
        context.setattr(_dense, "_HELD_BYTES", 1000)
        frame.hold(1000)
        assert frame._products is None
    frame.hold(1000)
    assert frame._products is not None
    SparseFrame(np.eye(3)).hold(1000)


def test_factors_of_given_norms_are_not_of_scaled_rows(rng):
    """Only the verdict may come from rows of similar norms."""
    weight = rng.standard_normal((6, 9)) * 2.0 ** np.arange(6)[:, None]
    frame = DenseFrame(weight)
    frame.hold(10**6)
    v = rng.standard_normal(6)
    assert frame.gram(np.arange(6)).solve(weight @ weight.T @ v) == pytest.approx(v, rel=1e-6)


def test_many_right_sides(rng):
    rows = rng.standard_normal((5, 8))
    matrix = rows @ rows.T
    factor = matrix.copy()
    assert potrf(factor) == 0
    v = rng.standard_normal((3, 5))
    assert potrs(factor, v) == pytest.approx(np.linalg.solve(matrix, v.T).T)
    assert potrs(factor, v[0]) == pytest.approx(np.linalg.solve(matrix, v[0]))
