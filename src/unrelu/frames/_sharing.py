"""Many subsets of rows at once: what several of them share is worked on once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

_SAMPLE = 2000  # subsets from which means are found, about
_ROUNDS = 6  # of moving means; more hardly changes who is near whom


@dataclass(frozen=True)
class Branch:
    """Subsets of rows with something in common.

    Attributes:
        own: Rows common to all of these subsets, without those that the branch above has already.
        subset: Number of the subset this branch leads to, -1 where it parts further.
        parts: The branches it parts into.
    """

    own: np.ndarray
    subset: int
    parts: tuple[Branch, ...] = ()


def sharing_tree(masks: np.ndarray) -> Branch:
    """Arrange subsets so that similar ones part late.

    The rows of a subset are the disjoint union of what is ``own`` to the branches that lead to it.

    Args:
        masks: One subset a row, boolean, shape ``(subsets, m)``; at least one.
    """
    count = len(masks)
    common = list(masks)
    children: list[tuple[int, ...]] = [()] * count
    for left, right in _merges(masks)[:, :2].astype(int):
        common.append(common[left] & common[right])
        children.append((left, right))

    return _branch(len(common) - 1, np.zeros(masks.shape[1], dtype=bool), common, children)


def _branch(
    node: int, above: np.ndarray, common: list[np.ndarray], children: list[tuple[int, ...]]
) -> Branch:
    parts = tuple(_branch(child, common[node], common, children) for child in children[node])
    return Branch(np.flatnonzero(common[node] & ~above), -1 if parts else node, parts)


def similar(masks: np.ndarray, most: int) -> Iterator[np.ndarray]:
    """Yield the numbers of all subsets in groups of at most ``most`` similar ones.

    Args:
        masks: One subset a row, boolean, shape ``(subsets, m)``.
        most: Largest group.
    """
    groups = [np.arange(len(masks))]
    while groups:
        group = groups.pop()
        if len(group) <= most:
            yield group
        else:
            label = fcluster(_merges(masks[group]), 2, criterion="maxclust")
            halves = [group[label == k] for k in (1, 2)]
            groups += halves if all(map(len, halves)) else np.array_split(group, 2)


def _merges(masks: np.ndarray) -> np.ndarray:
    """Return which subsets Ward's method joins, in scipy's form; they differ in so many rows."""
    if len(masks) < 2:
        return np.empty((0, 4))
    ones = masks.astype(np.float32)
    product = ones @ ones.T
    size = product.diagonal()
    distance = size[:, None] + size - 2 * product
    np.fill_diagonal(distance, 0)
    return linkage(squareform(distance, checks=False), "ward")


def clusters(masks: np.ndarray, count: int) -> list[np.ndarray]:
    """Sort subsets into groups whose members differ little from their mean (Lloyd 1982).

    Args:
        masks: One subset a row, boolean, shape ``(subsets, m)``; at least one.
        count: Number of groups at most.

    Returns:
        Numbers of the subsets, group by group.
    """
    some = masks[:: max(1, len(masks) // _SAMPLE)].astype(np.float32)
    means = some[np.linspace(0, len(some) - 1, count).astype(int)]
    for _ in range(_ROUNDS):
        label = _nearest(some, means)
        means = np.stack([some[label == k].mean(axis=0) for k in np.unique(label)])
    label = _nearest(masks.astype(np.float32), means)
    return [np.flatnonzero(label == k) for k in np.unique(label)]


def _nearest(points: np.ndarray, means: np.ndarray) -> np.ndarray:
    return np.asarray((np.square(means).sum(axis=1) - 2 * points @ means.T).argmin(axis=1))
