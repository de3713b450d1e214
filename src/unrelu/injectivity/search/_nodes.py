"""Nodes that a walk has still before it, and giving them to somebody else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrelu.injectivity.search._state import DONE, ENTERING, EXCLUDE, LEVEL, State


@dataclass(frozen=True)
class Node:
    """The root of a subtree.

    Attributes:
        chosen: ``Z`` as bits.
        excluded: ``N`` and the rows of the domain as bits.
        share: Of the whole tree, when every row of a support that is branched on is given the same.
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
    nodes = []
    if state.number[ENTERING]:
        excluded, left = state.excluded[level].copy(), float(state.share[level])
        nodes.append(Node(state.chosen[level].copy(), excluded, share * left))
        level -= 1
    return nodes + [_second(state, k, share) for k in range(level, -1, -1) if state.phase[k] == EXCLUDE]


def give_away(state: State, share: float, count: int) -> list[Node]:
    """Return open children of the uppermost nodes that have some, and take them from the walk.

    They come after everything that is left to the walk, in this order.

    Args:
        state: The walk.
        share: Of the subtree that it walks through.
        count: How many children at most.
    """
    level = int(state.number[LEVEL])
    upper = range(level if state.number[ENTERING] else level + 1)
    given = [k for k in upper if state.phase[k] == EXCLUDE][:count]
    state.phase[given] = DONE
    return [_second(state, k, share) for k in reversed(given)]


def _second(state: State, level: int, share: float) -> Node:
    """Return the child of a level's node where its row is excluded."""
    excluded = state.excluded[level] | bits_of(state.row[level : level + 1], state.excluded.shape[1])
    return Node(state.chosen[level].copy(), excluded, share * float(state.share[level] - state.part[level]))
