"""The walk through the tree (Froese, Grillo, Skutella 2024): close a node or branch on a row. Compiled.

The cache of numba looks at a function's own file only: after a change to a function that is called from
another file, remove ``__pycache__``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from unrelu.certificates import RANK_LEAF
from unrelu.injectivity.search._bits import count_outside, members_outside, put
from unrelu.injectivity.search._flats import all_complete, close, eliminate
from unrelu.injectivity.search._packing import cover, missing, pack, take
from unrelu.injectivity.search._pool import inherit, list_all, new_support, sort_by_free
from unrelu.injectivity.search._state import (
    BASE,
    CHOICES,
    CHOOSE,
    DONE,
    ENTERING,
    EXACT,
    EXCLUDE,
    LAYERS,
    LEVEL,
    NEW,
    NODES,
    POOL,
    STREAM,
    M,
    N,
    State,
)

BRANCH = -(1 << 30)  # less the row: a branch, in the stream of a walk
FINISHED, PAUSED, FULL, FOUND = range(4)
_CLOSED, _OPEN, _WITNESS = range(3)
_FADING = 0.8  # weight of a row in a support with one more free row, when a row to branch on is chosen


@njit(cache=True, nogil=True)
def explore(t: State, nodes: int) -> int:
    """Walk on from where the state is.

    Args:
        t: The state.
        nodes: How many nodes to enter.

    Returns:
        `FINISHED` when the subtree is closed; `PAUSED` after so many nodes; `FULL` when an array has no room;
        `FOUND` where no support is disjoint from ``Z``: then all other rows are negative at some point.
    """
    stop = t.number[NODES] + nodes
    margin = LAYERS * t.number[N] + 4
    while t.number[LEVEL] >= 0:
        if not t.number[ENTERING]:
            _go_on(t)
            continue
        if t.number[NODES] >= stop:
            return PAUSED
        if t.number[POOL] + margin > len(t.pool) or t.number[STREAM] + margin > len(t.stream):
            return FULL
        outcome = _visit(t)
        if outcome == _WITNESS:
            return FOUND
        t.number[NODES] += 1
        t.number[ENTERING] = 0
        if outcome == _CLOSED:
            t.number[LEVEL] -= 1
    return FINISHED


@njit(cache=True, nogil=True)
def enter(t: State, chosen: np.ndarray, excluded: np.ndarray) -> None:
    """Go to a node, the root of a subtree, and begin a new stream.

    Args:
        t: The state.
        chosen: ``Z`` as bits.
        excluded: ``N`` and the rows of the domain as bits.
    """
    t.chosen[0], t.excluded[0], t.closure[0] = chosen, excluded, chosen
    rows = np.empty(t.number[M], dtype=np.int64)
    t.number[BASE] = members_outside(t.chosen, 0, np.zeros_like(chosen), rows)
    t.phase[0], t.share[0] = NEW, 1.0
    t.number[LEVEL], t.number[ENTERING], t.number[STREAM] = 0, 1, 0


@njit(cache=True, nogil=True)
def set_quotient(t: State, weights: np.ndarray) -> None:
    """Eliminate ``Z`` from the weights, unit rows, at the root of a subtree."""
    rows = np.empty(t.number[M], dtype=np.int64)
    count = members_outside(t.chosen, 0, np.zeros_like(t.chosen[0]), rows)
    t.quotient[0], t.is_pivot[0], t.volume[0] = weights, False, 1.0
    for k in range(count):
        before = t.quotient[0].copy()
        t.volume[0] *= np.abs(before[rows[k]]).max()
        t.is_pivot[0, eliminate(before, t.is_pivot[0], rows[k], t.quotient[0])] = True
    close(t.quotient[0], t.volume[0], t.closure[0])


@njit(cache=True, nogil=True)
def lower_bound(t: State) -> int:
    """Return how many rows are weakly active at least at the root of a subtree, by disjoint supports."""
    list_all(t)
    sort_by_free(t)
    found = pack(t, -1, t.listed_count[0])
    while found < missing(t):
        support = new_support(t, True)
        if support < 0:
            break
        if count_outside(t.pool, support, t.excluded[0]) == 0:
            return int(t.number[N])  # there is no such point
        found = take(t, support, found)
    return int(t.number[BASE] + found)


@njit(cache=True, nogil=True)
def _go_on(t: State) -> None:
    """Enter the next child, or go up."""
    level = t.number[LEVEL]
    if t.phase[level] == DONE:
        t.number[LEVEL] -= 1
        return
    t.number[ENTERING] = 1
    row = t.row[level]
    if t.phase[level] == EXCLUDE:
        put(t.excluded[level], row)
        t.share[level] -= t.part[level]
        return
    below = level + 1
    t.phase[level], t.phase[below] = EXCLUDE, NEW
    t.share[below] = t.part[level]
    t.chosen[below], t.excluded[below] = t.chosen[level], t.excluded[level]
    put(t.chosen[below], row)
    t.closure[below] = t.chosen[below]
    if t.number[EXACT]:
        t.volume[below] = t.volume[level] * np.abs(t.quotient[level, row]).max()
        t.is_pivot[below] = t.is_pivot[level]
        column = eliminate(t.quotient[level], t.is_pivot[level], row, t.quotient[below])
        t.is_pivot[below, column] = True
        close(t.quotient[below], t.volume[below], t.closure[below])
    t.number[LEVEL] = below


@njit(cache=True, nogil=True)
def _visit(t: State) -> int:
    """Close a node or branch."""
    level, needed = t.number[LEVEL], missing(t)
    if needed == 0:
        _write(t, RANK_LEAF)
        return _CLOSED
    if t.phase[level] == NEW:
        if level:
            inherit(t)
        else:
            list_all(t)
    sort_by_free(t)
    known = t.listed_count[level]
    if known and t.free[t.order[0]] == 0:
        t.packed[0] = t.listed[level, t.order[0]]
        return _write_leaf(t, 1)
    if pack(t, -1, known) == needed and _closes(t, needed):
        return _write_leaf(t, needed)
    support = new_support(t, False)
    if support < 0:
        return _WITNESS
    found = pack(t, support, known)
    while count_outside(t.pool, support, t.excluded[level]):
        if found == needed and _closes(t, needed):
            return _write_leaf(t, needed)
        more = found < needed and _choices(t, found) <= t.number[CHOICES]
        support = new_support(t, True) if more else -1
        if support < 0:
            return _cover_or_branch(t, needed, found)
        found = take(t, support, found)
    t.packed[0] = support
    return _write_leaf(t, 1)


@njit(cache=True, nogil=True)
def _cover_or_branch(t: State, needed: int, found: int) -> int:
    """Count with overlaps where that may do; branch on a row."""
    if not t.number[EXACT] and found == needed - 1:
        count = cover(t, needed)
        if count:
            return _write_leaf(t, count)
    _branch(t)
    return _OPEN


@njit(cache=True, nogil=True)
def _write(t: State, token: int) -> None:
    t.stream[t.number[STREAM]] = token
    t.number[STREAM] += 1


@njit(cache=True, nogil=True)
def _write_leaf(t: State, count: int) -> int:
    _write(t, -count)
    for k in range(count):
        _write(t, t.packed[k])
    return _CLOSED


@njit(cache=True, nogil=True)
def _choices(t: State, count: int) -> float:
    """Return in how many ways one row can be chosen from each packed support; 0 where that need not be."""
    if not t.number[EXACT]:
        return 0.0
    product = 1.0
    for k in range(count):
        product *= count_outside(t.pool, t.packed[k], t.excluded[t.number[LEVEL]])
    return product


@njit(cache=True, nogil=True)
def _closes(t: State, count: int) -> bool:
    """Say whether the packed supports close the node: whether any choice from them completes ``Z``."""
    if not t.number[EXACT]:
        return True
    if _choices(t, count) > t.number[CHOICES]:
        return False
    level = t.number[LEVEL]
    sizes = np.empty(count, dtype=np.int64)
    for k in range(count):
        sizes[k] = count_outside(t.pool, t.packed[k], t.excluded[level])
    starts = np.zeros(count + 1, dtype=np.int64)
    names = np.empty(sizes.sum(), dtype=np.int64)
    for position, k in enumerate(np.argsort(sizes)):
        first = starts[position]
        members_outside(t.pool, t.packed[k], t.excluded[level], names[first:])
        starts[position + 1] = first + sizes[k]
    rows = np.empty((len(names), count))
    place = 0
    for c in range(t.number[N]):
        if not t.is_pivot[level, c]:
            for i in range(len(names)):
                rows[i, place] = t.quotient[level, names[i], c]
            place += 1
    return all_complete(rows, starts, t.volume[level])


@njit(cache=True, nogil=True)
def _branch(t: State) -> None:
    """Branch on the row of most weight in a listed support with the fewest free rows.

    Rows have weight by the short supports that they are in.
    """
    level = t.number[LEVEL]
    count, bits, excluded = t.listed_count[level], t.listed_bits[level], t.excluded[level]
    weight = np.zeros(t.number[M])
    members = np.empty(len(t.program.cost), dtype=np.int64)
    fewest = len(members)
    for q in range(count):
        free = members_outside(bits, q, excluded, members)
        t.free[q] = free
        fewest = min(fewest, free)
        for k in range(free):
            weight[members[k]] += _FADING**free
    best, most = -1, -1.0
    for q in range(count):
        if t.free[q] == fewest:
            total = 0.0
            for k in range(members_outside(bits, q, excluded, members)):
                total += weight[members[k]]
            if total > most:
                best, most = q, total
    free = members_outside(bits, best, excluded, members)
    t.row[level] = members[np.argmax(weight[members[:free]])]
    t.phase[level], t.part[level] = CHOOSE, t.share[level] / free
    _write(t, BRANCH - t.row[level])
