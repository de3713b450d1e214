"""What is claimed of sets of rows, against exact ranks."""

import numpy as np
import pytest
import scipy.sparse as sp
import torch

from tests.frames.matrices import KINDS
from tests.recipes import RECIPES
from tests.reference import frames as reference
from unrelu.errors import ArgumentError
from unrelu.frames import DenseFrame, Frame, SparseFrame, _frame, _of_layer, _sparse, frame_of
from unrelu.layers import Convolution, Dense, ReLULayer, compose


def both(weight: np.ndarray) -> tuple[Frame, Frame]:
    return DenseFrame(weight), SparseFrame(sp.csr_array(weight))


def assert_close(a: np.ndarray, b: np.ndarray) -> None:
    """Compare solutions before refinement: they differ by what the shift changes."""
    assert np.linalg.norm(a - b) <= 1e-4 * np.linalg.norm(a)


def check_claims(frame: Frame, index: np.ndarray, rank: int) -> tuple[bool, bool]:
    """Compare every claim about some rows with their exact rank; return which were made."""
    rows = frame.rows(index)
    used = len(np.flatnonzero(_frame.to_dense(frame.rows(np.arange(frame.m))).any(axis=0)))
    spans, independent = frame.spans(index), frame.independent(index)
    assert not spans or rank == frame.n
    assert not independent or rank == len(index)
    for equilibrated in (True, False):
        assert rank == used or frame.frame_operator(index, equilibrated=equilibrated) is None
        assert rank == len(index) or frame.gram(index, equilibrated=equilibrated) is None
    low, high = frame.rank_bounds(index)
    assert low <= rank <= high <= min(rows.shape)
    quick = frame.rank_bounds(index, eliminate=False)
    assert quick[0] <= rank <= quick[1]
    assert rank <= frame.max_rank
    assert rank <= frame.rank_limit
    return spans, independent


@pytest.mark.parametrize("kind", KINDS)
def test_no_false_claims(kind):
    rng = np.random.default_rng(0)
    exact = 0
    for _ in range(60):
        weight = KINDS[kind](rng)
        index = np.sort(rng.choice(len(weight), rng.integers(1, len(weight) + 1), replace=False))
        rank = reference.rank(weight[index])
        claims = [check_claims(frame, index, rank) for frame in both(weight)]
        if kind in {"integers", "sparse", "orthogonal"}:
            assert claims[0] == claims[1] == (rank == weight.shape[1], rank == len(index))
        exact += all(frame.rank_bounds(index) == (rank, rank) for frame in both(weight))
    # Only entries of very different sizes are left open.
    assert exact == 60 or kind in {"low_rank", "uneven_rows"}


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    weight = RECIPES[name]().weight
    frame = frame_of(RECIPES[name]().layer)
    assert np.array_equal(_frame.to_dense(frame.rows(np.arange(frame.m))), weight)
    rng = np.random.default_rng(1)
    for size in rng.integers(0, frame.m + 1, 8):
        index = np.sort(rng.choice(frame.m, size, replace=False))
        rank = reference.rank(weight[index])
        for each in (frame, *both(weight)):
            if size:
                check_claims(each, index, rank)
            assert each.rank_bounds(index) == (rank, rank) or not each.is_exact


def test_generic_rows_are_proved(rng):
    weight = rng.standard_normal((300, 120)) * 10.0 ** rng.integers(-100, 100, (300, 1))
    for frame in both(weight):
        assert frame.spans(np.arange(130))
        assert frame.independent(np.arange(110))
        assert not frame.spans(np.arange(119))
        assert not frame.independent(np.arange(121))
        assert frame.numerical_rank(np.arange(100)) == 100


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 30)])
def test_banded_and_dense_engines_agree(rng, shape):
    kernel = torch.from_numpy(rng.standard_normal((5, shape[0], *(3,) * (len(shape) - 1))))
    linear = Convolution(kernel, shape, padding=((1, 1),) * (len(shape) - 1))
    dense, sparse = both(linear.dense().numpy())
    for _ in range(20):
        index = np.flatnonzero(rng.random(linear.m) < rng.uniform(0.05, 1))
        assert dense.spans(index) == sparse.spans(index)
        assert dense.independent(index) == sparse.independent(index)
        v = rng.standard_normal(linear.n)
        factors = dense.frame_operator(index), sparse.frame_operator(index)
        if all(factors):
            assert_close(factors[0].solve(v), factors[1].solve(v))
        v = rng.standard_normal(len(index))
        factors = dense.gram(index), sparse.gram(index)
        if all(factors):
            assert_close(factors[0].solve(v), factors[1].solve(v))


def test_structure_bounds_the_rank():
    weight = np.zeros((6, 5))
    weight[:3, :3] = np.arange(9.0).reshape(3, 3)
    for frame in both(weight):
        assert frame.max_rank == 3
        assert frame.zero_columns.tolist() == [3, 4]
        assert frame.used == 3
        assert frame.rank_limit == 2  # (0 1 2), (3 4 5), (6 7 8) are dependent
    assert DenseFrame(np.eye(4), max_rank=2).max_rank == 2


def test_zero_columns_do_not_hide_the_rest(rng):
    weight = rng.standard_normal((60, 40))
    weight[:, ::4] = 0.0
    for frame in both(weight):
        index = np.arange(45)
        factor = frame.frame_operator(index)
        assert factor is not None
        assert not frame.spans(index)
        assert frame.rank_bounds(index, eliminate=False) == (30, 30)
        v = rng.standard_normal(40) * weight.any(axis=0)
        assert np.allclose(factor.solve(v), np.linalg.pinv(weight[index].T @ weight[index]) @ v)
        sigma = np.linalg.svd(weight[index], compute_uv=False)
        assert factor.smallest_eigenvalue() == pytest.approx(sigma[29] ** 2, rel=0.06)


def test_repeated_rows_are_told_without_elimination(rng):
    weight = np.repeat(rng.standard_normal((30, 40)), 2, axis=0) * rng.choice([1.0, -2.0], (60, 1))
    for frame in both(weight):
        assert frame.rank_bounds(np.arange(60), eliminate=False) == (30, 30)
        assert frame.rank_bounds(np.arange(21), eliminate=False) == (11, 11)


def test_elimination_for_larger_sets(rng):
    weight = rng.integers(-2, 3, (250, 80)).astype(float)
    weight[:, 79] = weight[:, :40].sum(axis=1)
    for frame in both(weight):
        low, high = frame.rank_bounds(np.arange(60))
        assert low == high == 60
        assert frame.rank_bounds(np.arange(240)) == (79, 79)
    # Nearly singular and too large for exact elimination: elimination modulo a prime proves full rank.
    weight = rng.standard_normal((260, 60)) @ rng.standard_normal((60, 90))
    frame = DenseFrame(weight)
    assert not frame.spans(np.arange(260))
    assert frame.numerical_rank(np.arange(260)) == 60
    assert frame.rank_bounds(np.arange(260)) == (90, 90)


def test_elimination_is_not_tried_in_vain(rng, monkeypatch):
    weight = (rng.integers(-2, 3, (260, 60)) @ rng.integers(-2, 3, (60, 90))).astype(float)
    frame = DenseFrame(weight)
    assert frame.rank_limit == 90  # too large for exact elimination
    calls = []
    monkeypatch.setattr(_frame, "rank_modulo_prime", calls.append)
    assert frame.rank_bounds(np.arange(250)) == (0, 90)
    assert not calls


def test_rounded_rows_are_not_eliminated(rng):
    weight = rng.standard_normal((8, 2)) @ rng.standard_normal((2, 4))
    assert DenseFrame(weight).rank_bounds(np.arange(8)) == (4, 4)
    assert DenseFrame(weight, is_exact=False).rank_bounds(np.arange(8)) == (0, 4)
    assert DenseFrame(rng.standard_normal((8, 4)), is_exact=False).rank_bounds(np.arange(8)) == (4, 4)


def test_numerical_rank(rng, monkeypatch):
    frame = DenseFrame(
        rng.standard_normal((9, 3)) @ rng.standard_normal((3, 5)) * 10.0 ** rng.integers(-99, 99, (9, 1))
    )
    assert frame.numerical_rank(np.arange(9)) == 3
    assert frame.numerical_rank(np.array([], dtype=int)) == 0
    monkeypatch.setattr(_frame, "_MODULAR_ENTRIES", 44)
    assert frame.numerical_rank(np.arange(9)) == -1


def test_frame_of_chooses_by_structure(rng):
    kernel = torch.from_numpy(rng.standard_normal((4, 2, 3)))
    assert isinstance(frame_of(ReLULayer(Convolution(kernel, (2, 300)))), SparseFrame)
    assert isinstance(frame_of(ReLULayer(Convolution(kernel, (2, 30)))), DenseFrame)
    assert isinstance(frame_of(ReLULayer(rng.standard_normal((500, 450)))), DenseFrame)


def test_frame_of_products_is_not_exact(rng):
    outer, inner = (Dense(torch.from_numpy(rng.standard_normal(s))) for s in ((6, 2), (2, 4)))
    frame = frame_of(ReLULayer(compose(outer, inner)))
    assert not frame.is_exact
    assert frame.max_rank == 2


def test_frame_of_refuses_what_does_not_fit(monkeypatch):
    monkeypatch.setattr(_of_layer, "_MEMORY", 10_000)
    with pytest.raises(ArgumentError, match="dense 50 x 40 matrix, too large"):
        frame_of(ReLULayer(np.ones((50, 40))))
    kernel = torch.ones(4, 1, 3, dtype=torch.float64)
    with pytest.raises(ArgumentError, match="non-zero weights, too many"):
        frame_of(ReLULayer(Convolution(kernel, (1, 500))))


def test_band_that_does_not_fit(rng, monkeypatch):
    frame = SparseFrame(sp.csr_array(rng.standard_normal((40, 30))))
    monkeypatch.setattr(_sparse, "_MEMORY", 1000)
    with pytest.raises(ArgumentError, match="banded matrix needs"):
        frame.spans(np.arange(40))


def test_the_callers_matrix_is_left_alone():
    matrix = sp.csr_array((np.array([2.0, 0.0]), np.array([1, 0]), np.array([0, 2])), shape=(1, 2))
    SparseFrame(matrix).spans(np.array([0]))
    assert matrix.indices.tolist() == [1, 0]
    assert matrix.data.tolist() == [2.0, 0.0]
