"""Newton's method for the balance of rows, against linear programs and by its own answer."""

import numpy as np
import pytest
from scipy.optimize import linprog

from unrelu.preimage.cones._balance import balance
from unrelu.preimage.cones._partition import _by_program, partition


def implied_rows(rows: np.ndarray) -> np.ndarray:
    """Rows that no direction with ``A c <= 0`` makes negative, one linear program a row."""
    box = [(-1, 1)] * rows.shape[1]
    lowest = [linprog(row, A_ub=rows, b_ub=np.zeros(len(rows)), bounds=box).fun for row in rows]
    return np.array(lowest) > -1e-7


def check(rows: np.ndarray, found) -> None:
    """The vectors have the signs that they must have."""
    size = np.linalg.norm(found.c)
    assert (found.weights[found.implied] > 0).all()
    assert np.abs(found.weights @ rows).max() <= 1e-9 * max(1.0, found.weights.max()) * len(rows)
    assert np.abs(rows[found.implied] @ found.c).max(initial=0) <= 1e-9 * size
    assert (rows[~found.implied] @ found.c < 0).all()


def unit(rows: np.ndarray) -> np.ndarray:
    rows = rows[np.linalg.norm(rows, axis=1) > 0]
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1)[:, None])


@pytest.mark.parametrize("seed", range(4))
def test_small_integers(seed):
    rng = np.random.default_rng(seed)
    for _ in range(50):
        rows = unit(rng.integers(-2, 3, (rng.integers(2, 10), rng.integers(1, 5))).astype(float))
        if len(rows):
            found = balance(rows)
            assert found is not None
            assert np.array_equal(found.implied, implied_rows(rows))
            check(rows, found)


@pytest.mark.parametrize(
    ("p", "k"), [(40, 20), (60, 20), (190, 100), (210, 100), (2000, 30), (30, 30), (9, 40)]
)
def test_gaussian_rows_near_and_far_from_the_threshold(p, k, rng):
    """Half of the cases balance at p = 2 k (Wendel 1962)."""
    for _ in range(10):
        rows = unit(rng.standard_normal((p, k)))
        found = balance(rows)
        assert found is not None
        assert found.implied.all() or not found.implied.any()
        check(rows, found)
        if p <= k:
            assert not found.implied.any()
        if p > 4 * k:
            assert found.implied.all()


def test_the_program_agrees_near_the_threshold(rng):
    for _ in range(10):
        rows = unit(rng.standard_normal((40, 20)))
        assert np.array_equal(balance(rows).implied, _by_program(rows).implied)


@pytest.mark.parametrize("seed", range(5))
def test_some_rows_balance_and_others_do_not(seed):
    rng = np.random.default_rng(seed)
    inner, outer = rng.integers(2, 12, 2)
    flat = np.hstack([rng.standard_normal((5 * inner, inner)), np.zeros((5 * inner, outer))])
    falling = rng.standard_normal((30, inner + outer))
    falling[:, inner:] = -np.abs(falling[:, inner:])
    turn = np.linalg.qr(rng.standard_normal((inner + outer, inner + outer)))[0]
    rows = unit(np.vstack([flat, falling]) @ turn)
    found = balance(rows)
    assert found.implied.sum() == len(flat)
    check(rows, found)


@pytest.mark.parametrize(
    ("rows", "implied"),
    [
        ([[1.0]], [False]),
        ([[1.0], [-1.0]], [True, True]),
        ([[1.0], [1.0]], [False, False]),
        ([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [True, True, False]),
        ([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]], [True] * 4),
    ],
)
def test_by_hand(rows, implied):
    assert balance(np.array(rows)).implied.tolist() == implied


def test_zero_rows_are_implied():
    found = partition(np.array([[0.0, 0.0], [3.0, 0.0], [1e-14, 0.0]]), 1e-11)
    assert found.implied.tolist() == [True, False, True]
    assert partition(np.zeros((2, 3)), 0.0).implied.all()
    assert partition(np.array([[np.inf, 1.0]]), 0.0) is None
