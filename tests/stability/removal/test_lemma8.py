"""Lemma 8: singular values after rows are removed."""

import numpy as np
import pytest

from tests.recipes import RECIPES
from tests.reference.stability import kept_rows
from unrelu.errors import ArgumentError
from unrelu.stability import removal_bounds

SIZES = [(12, 5), (5, 12), (8, 8), (30, 4), (1, 1), (1, 3)]


def holds(matrix: np.ndarray, kept: np.ndarray) -> None:
    bounds = removal_bounds(matrix, kept)
    exact = kept_rows(matrix, kept)
    scale = 1 + 1e-9
    assert bounds.rank_left >= bounds.rank - bounds.removed
    assert bounds.actual_smallest <= bounds.sharper * scale <= bounds.smallest * scale**2
    assert bounds.actual_largest <= bounds.largest * scale
    assert bounds.actual_largest == pytest.approx(exact.max(initial=0), rel=1e-9, abs=1e-300)
    if bounds.rank_left:
        values = np.sort(exact)[::-1]
        assert bounds.actual_smallest == pytest.approx(values[bounds.rank_left - 1], abs=1e-9 * values[0])


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.8, 1.0])
def test_random_matrices(size: tuple[int, int], share: float, rng: np.random.Generator):
    for rank in {1, min(size)}:
        matrix = rng.standard_normal((size[0], rank)) @ rng.standard_normal((rank, size[1]))
        holds(matrix, rng.random(size[0]) >= share)


@pytest.mark.parametrize("name", ["zero_row", "repeated_row", "rank_deficient", "zero_matrix", "tiny_rows"])
def test_special_matrices(name: str, rng: np.random.Generator):
    weight = RECIPES[name]().weight
    for _ in range(5):
        holds(weight, rng.random(len(weight)) < 0.6)


@pytest.mark.parametrize("removed", [0, 1, 2, 3])
def test_attained_by_diagonal_matrices(removed: int):
    bounds = removal_bounds(np.diag([5.0, 3.0, 2.0, 1.0]), np.arange(4) < 4 - removed)
    assert bounds.smallest == bounds.sharper == bounds.actual_smallest == [1.0, 2.0, 3.0, 5.0][removed]
    assert bounds.largest == bounds.actual_largest == 5.0


def test_nothing_left():
    bounds = removal_bounds(np.eye(3), np.zeros(3, dtype=bool))
    assert (bounds.rank_left, bounds.actual_smallest, bounds.actual_largest, bounds.smallest) == (0, 0, 0, 1)


@pytest.mark.parametrize(
    ("matrix", "kept", "message"),
    [
        (np.ones(3), np.ones(3, dtype=bool), "matrix: expected shape"),
        (np.ones((3, 2)), np.ones(2, dtype=bool), "kept: expected 3 booleans"),
        (np.ones((3, 2)), np.ones(3), "kept: expected 3 booleans"),
        (np.full((3, 2), np.nan), np.ones(3, dtype=bool), "matrix: expected finite"),
    ],
)
def test_bad_input(matrix: np.ndarray, kept: np.ndarray, message: str):
    with pytest.raises(ArgumentError, match=message):
        removal_bounds(matrix, kept)
