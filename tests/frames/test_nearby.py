"""Corrected factors against factors of their own."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference import frames as exact
from unrelu.frames import DenseFrame
from unrelu.frames._nearby import neighbourhood, pack


def subsets(rng: np.random.Generator, m: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    shared = rng.random(m) < 0.7
    return shared, shared ^ (rng.random((count, m)) < 0.08)


@pytest.mark.parametrize(("m", "n"), [(40, 8), (150, 40), (300, 60), (30, 1)])
def test_solves_with_the_frame_operators_of_subsets(rng, m, n):
    weight = rng.standard_normal((m, n)) * 2.0 ** rng.integers(-3, 4, n)
    frame = DenseFrame(weight)
    shared, masks = subsets(rng, m, 10)
    around = neighbourhood(frame, shared)
    corrections = [around.correction(mask) for mask in masks]
    assert all(correction is not None for correction in corrections)
    x = rng.standard_normal((10, n))
    right = np.stack([weight[mask].T @ (weight[mask] @ v) for mask, v in zip(masks, x, strict=True)])
    off = around.solve(pack(corrections), right) - x
    assert np.linalg.norm(off, axis=1).max() <= 1e-2 * np.linalg.norm(x, axis=1).min()
    assert np.array_equal(around.solve(pack(corrections), 0 * right), 0 * right)


def test_a_subset_equal_to_the_shared_one_or_only_added_to(rng):
    frame = DenseFrame(rng.standard_normal((60, 10)))
    shared = np.arange(60) < 40
    around = neighbourhood(frame, shared)
    for mask in (shared, np.ones(60, dtype=bool), np.arange(60) < 30):
        correction = around.correction(mask)
        x = rng.standard_normal(10)
        rows = frame.matrix[mask]
        assert np.allclose(around.solve(pack([correction]), (rows.T @ (rows @ x))[None])[0], x, atol=1e-3)


def test_zero_columns_are_left_out(rng):
    weight = rng.standard_normal((50, 9))
    weight[:, [2, 5]] = 0.0
    shared, masks = subsets(rng, 50, 4)
    around = neighbourhood(DenseFrame(weight), shared)
    assert all(around.correction(mask) is not None for mask in masks)


@given(st.integers(0, 10**6))
def test_never_certifies_what_does_not_span(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 5))
    weight = rng.integers(-2, 3, (14, n)) * 1.0
    shared, masks = subsets(rng, 14, 6)
    around = neighbourhood(DenseFrame(weight), shared)
    if around is None or exact.rank(weight) < n:
        return
    for mask in masks | (rng.random((6, 14)) < 0.05):
        if around.correction(mask) is not None:
            assert exact.rank(weight[mask]) == n


def test_removing_all_that_sees_a_direction_is_not_certified(rng):
    weight = rng.standard_normal((40, 6))
    weight[5:, 0] = 0.0  # five rows see the first coordinate
    around = neighbourhood(DenseFrame(weight), np.ones(40, dtype=bool))
    assert around.correction(np.arange(40) >= 4) is not None
    assert around.correction(np.arange(40) >= 5) is None


@pytest.mark.parametrize("condition", [1e3, 1e5, 1e9])
def test_nearly_singular_subsets(rng, condition):
    left, _, right = np.linalg.svd(rng.standard_normal((40, 6)), full_matrices=False)
    weight = np.concatenate([left * [1, 1, 1, 1, 1, 1 / condition] @ right, rng.standard_normal((20, 6))])
    around = neighbourhood(DenseFrame(weight), np.ones(60, dtype=bool))
    assert (around.correction(np.arange(60) < 40) is not None) == (condition < 1e6)


def test_shared_sets_that_do_not_span_or_fit_give_nothing(rng):
    weight = rng.standard_normal((40, 6))
    assert neighbourhood(DenseFrame(weight), np.arange(40) < 5) is None
    assert neighbourhood(DenseFrame(weight), np.zeros(40, dtype=bool)) is None
    weight[0] *= 1e200
    assert neighbourhood(DenseFrame(weight), np.arange(40) > 0) is None
