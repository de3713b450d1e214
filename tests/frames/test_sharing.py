"""Subsets of rows that share work."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unrelu.frames import DenseFrame
from unrelu.frames._sharing import Branch, sharing_tree, similar

masks_strategy = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=12))


def leaves(branch: Branch, above: tuple[int, ...] = ()) -> dict[int, list[int]]:
    rows = (*above, *branch.own.tolist())
    if not branch.parts:
        return {branch.subset: sorted(rows)}
    return {number: found for part in branch.parts for number, found in leaves(part, rows).items()}


@given(masks_strategy)
def test_branches_add_up_to_the_subsets(masks: np.ndarray):
    assert leaves(sharing_tree(masks)) == {k: np.flatnonzero(mask).tolist() for k, mask in enumerate(masks)}


@given(masks_strategy, st.integers(1, 5))
def test_groups_hold_every_subset_once(masks: np.ndarray, most: int):
    groups = list(similar(masks, most))
    assert sorted(np.concatenate(groups)) == list(range(len(masks)))
    assert max(map(len, groups)) <= most


def test_groups_are_similar():
    base = np.random.default_rng(0).random((3, 200)) < 0.5
    masks = np.repeat(base, 4, axis=0)
    masks[np.arange(12), np.arange(12)] ^= True
    assert sorted(sorted(group) for group in similar(masks, 4)) == [
        [0, 1, 2, 3],
        [4, 5, 6, 7],
        [8, 9, 10, 11],
    ]


def test_no_subsets():
    assert [len(group) for group in similar(np.zeros((0, 5), dtype=bool), 3)] == [0]
    assert DenseFrame(np.eye(5)).frame_operators(np.zeros((0, 5), dtype=bool)) == []


@pytest.mark.parametrize("zero_columns", [0, 2])
def test_shared_frame_operators_are_those_of_each_subset(zero_columns: int):
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((60, 12)) * 10.0 ** rng.integers(-3, 4, (60, 1))
    weight[:, :zero_columns] = 0
    frame = DenseFrame(weight)
    masks = rng.random((9, 60)) < 0.6
    masks[3], masks[4, 5:] = masks[2], False  # a repeated subset, and one with too few rows
    right = rng.standard_normal(12)
    right[:zero_columns] = 0
    for mask, shared in zip(masks, frame.frame_operators(masks), strict=True):
        alone = frame.frame_operator(np.flatnonzero(mask))
        assert (shared is None) == (alone is None) == (mask.sum() < 12 - zero_columns)
        if shared:
            np.testing.assert_allclose(shared.solve(right), alone.solve(right), rtol=1e-6)
