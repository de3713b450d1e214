"""Nodes that a walk has still before it, and giving them to somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from unrelu.injectivity.search._state import ENTERING, LEVEL, State


@dataclass(frozen=True)
class Node:
    """The root of a subtree.

    Attributes:
        chosen: ``Z`` as bits.
        excluded: ``N`` and the rows of the domain as bits.
        share: Of the whole tree, when all children of a node are given the same.
    """

    chosen: np.ndarray
    excluded: np.ndarray
    share: float


def root_node(m: int, rows: int) -> Node:
    """Return the root: nothing chosen, and the rows of the domain, from ``m`` on, excluded."""
    words = (rows + 63) // 64
    domain = bits_of(np.arange(m, rows), words)
    return Node(np.zeros(words, dtype=np.uint64), domain, 1.0)


def bits_of(rows: np.ndarray, words: int) -> np.ndarray:
    """Return a set of row numbers as bits."""
    out = np.zeros(words, dtype=np.uint64)
    np.bitwise_or.at(out, rows >> 6, np.uint64(1) << (rows & 63).astype(np.uint64))
    return out


def pending(state: State, share: float) -> list[Node]:
    """Return the nodes that a walk has before it, in the order of the walk.

    Args:
        state: The walk.
        share: Of the subtree that it walks through.
    """
    level = int(state.number[LEVEL])
    if level < 0:
        return []
    shares = _shares(state, share)
    nodes = []
    if state.number[ENTERING]:
        nodes.append(Node(state.chosen[level].copy(), state.excluded[level].copy(), shares[level]))
        level -= 1
    for above in range(level, -1, -1):
        nodes += _children(state, above, shares[above])
    return nodes


def give_away(state: State, share: float) -> list[Node]:
    """Return the open children of the uppermost node that has some, and take them from the walk.

    They come after everything that is left to the walk.
    """
    level = int(state.number[LEVEL])
    upper = level if state.number[ENTERING] else level + 1
    for above in range(upper):
        nodes = list(_children(state, above, _shares(state, share)[above]))
        if nodes:
            state.child_count[above] = state.child_next[above]
            return nodes
    return []


def _children(state: State, level: int, share: float) -> Iterator[Node]:
    """Yield the children not entered so far of the node at a level."""
    for at in range(int(state.child_next[level]), int(state.child_count[level])):
        chosen, excluded = state.chosen[level].copy(), state.excluded[level].copy()
        chosen |= bits_of(state.child[level, at : at + 1], len(chosen))
        excluded |= bits_of(state.child[level, :at], len(chosen))
        yield Node(chosen, excluded, share / float(state.child_total[level]))


def _shares(state: State, share: float) -> list[float]:
    """Return the shares of the nodes on the way to where the walk is, and of the one it is at."""
    out = [share]
    for level in range(int(state.number[LEVEL])):
        out.append(out[-1] / float(state.child_total[level]))
    return out
