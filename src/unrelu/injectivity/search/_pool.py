"""Supports that are known: which of them speak of a node, how many are disjoint, and new ones. Compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from unrelu.injectivity.search._bits import count_outside, holds, meet, meet_outside, put
from unrelu.injectivity.search._simplex import BIG, ZERO, minimise, renew, trade, unwanted
from unrelu.injectivity.search._state import BASE, LEVEL, POOL, STALE, N, State

_STALE = 300  # pivots after which a tableau is computed afresh
_DOUBTFUL = 1e-7  # weights below are computed afresh


@njit(cache=True, nogil=True)
def inherit(t: State) -> None:
    """List the supports of the parent's list that are disjoint from ``Z`` and its span."""
    level = t.number[LEVEL]
    above, here, closure = t.listed_bits[level - 1], t.listed_bits[level], t.closure[level]
    found = 0
    for q in range(t.listed_count[level - 1]):
        if not meet(above, q, closure):
            t.listed[level, found] = t.listed[level - 1, q]
            for w in range(len(closure)):
                here[found, w] = above[q, w]
            found += 1
    t.listed_count[level] = found


@njit(cache=True, nogil=True)
def list_all(t: State) -> None:
    """List the supports of the whole pool that have the fewest free rows, as many as fit."""
    level = t.number[LEVEL]
    closure, excluded = t.closure[level], t.excluded[level]
    most = t.columns.shape[0] + 1
    free = np.full(t.number[POOL], -1, dtype=np.int64)
    having = np.zeros(most + 1, dtype=np.int64)
    for s in range(t.number[POOL]):
        if not meet(t.pool, s, closure):
            free[s] = count_outside(t.pool, s, excluded)
            having[free[s]] += 1
    room, limit = t.listed.shape[1], 0
    while limit <= most and having[limit] <= room:
        room -= having[limit]
        limit += 1
    found = 0
    for s in range(t.number[POOL]):
        if 0 <= free[s] < limit or (free[s] == limit and room > 0):
            room -= free[s] == limit
            t.listed[level, found] = s
            t.listed_bits[level, found] = t.pool[s]
            found += 1
    t.listed_count[level] = found


@njit(cache=True, nogil=True)
def sort_by_free(t: State) -> None:
    """Count the free rows of the listed supports, and sort by them."""
    level = t.number[LEVEL]
    bits, excluded, free, order = t.listed_bits[level], t.excluded[level], t.free, t.order
    count = t.listed_count[level]
    place = np.zeros(t.columns.shape[0] + 2, dtype=np.int64)
    for q in range(count):
        free[q] = count_outside(bits, q, excluded)
        place[free[q] + 1] += 1
    for f in range(1, len(place)):
        place[f] += place[f - 1]
    for q in range(count):
        order[place[free[q]]] = q
        place[free[q]] += 1


@njit(cache=True, nogil=True)
def pack(t: State, first: int, sorted_count: int) -> int:
    """Choose disjoint supports from the sorted list greedily, but ``first`` before all if it is no -1.

    Args:
        t: The state; ``packed`` and ``used`` are written.
        first: Number of a support.
        sorted_count: How many places of the list are sorted.

    Returns:
        How many were found; no more than close the node.
    """
    level = t.number[LEVEL]
    needed = t.number[N] - t.number[BASE] - level
    bits, order, excluded, used = t.listed_bits[level], t.order, t.excluded[level], t.used
    used[:] = 0
    found = 0
    if first >= 0:
        found = take(t, first, found)
    for q in range(sorted_count):
        if found == needed:
            break
        if not meet_outside(bits, order[q], used, excluded):
            found = take(t, t.listed[level, order[q]], found)
    return found


@njit(cache=True, nogil=True)
def take(t: State, support: int, found: int) -> int:
    """Add a support to the packed ones, and return how many they are."""
    excluded = t.excluded[t.number[LEVEL]]
    t.packed[found] = support
    for w in range(len(excluded)):
        t.used[w] |= t.pool[support, w] & ~excluded[w]
    return found + 1


@njit(cache=True, nogil=True)
def new_support(t: State, apart: bool) -> int:
    """Find a support disjoint from ``Z`` and its span, with few free rows.

    Args:
        t: The state.
        apart: Whether it must be disjoint from the packed ones as well.

    Returns:
        Its number in the pool, -1 if there is none.
    """
    level = t.number[LEVEL]
    cost, excluded, closure, used = t.cost, t.excluded[level], t.closure[level], t.used
    for j in range(len(cost)):
        if holds(excluded, j):
            cost[j] = 0.0
        elif holds(closure, j) or (apart and holds(used, j)):
            cost[j] = BIG
        else:
            cost[j] = 1.0
    t.number[STALE] += minimise(t.tableau, t.basis, t.cost)
    if unwanted(t.tableau, t.basis, t.cost):
        if apart:
            return -1
        _refresh(t)
        minimise(t.tableau, t.basis, t.cost)
        if unwanted(t.tableau, t.basis, t.cost):
            return -1
    t.number[STALE] += trade(t.tableau, t.basis, t.cost)
    last = len(t.cost)
    for i in range(len(t.basis)):
        if t.number[STALE] > _STALE or ZERO < t.tableau[i, last] < _DOUBTFUL:
            _refresh(t)
            break
    return _keep(t)


@njit(cache=True, nogil=True)
def _refresh(t: State) -> None:
    renew(t.tableau, t.basis, t.columns)
    t.number[STALE] = 0


@njit(cache=True, nogil=True)
def _keep(t: State) -> int:
    """Add the basic solution's support to the pool and to the lists of this node and those above it."""
    new, last = t.number[POOL], len(t.cost)
    t.pool[new] = 0
    for i in range(len(t.basis)):
        if t.tableau[i, last] > ZERO and t.basis[i] < last:
            put(t.pool[new], t.basis[i])
    level = t.number[LEVEL]
    bits = t.listed_bits[level]
    for q in range(t.listed_count[level]):
        if bits[q, 0] == t.pool[new, 0] and (bits[q] == t.pool[new]).all():
            return t.listed[level, q]
    t.number[POOL] += 1
    room = t.listed.shape[1]
    for above in range(level + 1):
        place = t.listed_count[above]
        if place < room:
            t.listed_count[above] += 1
        else:
            place = new * 7919 % room  # any one makes room
        t.listed[above, place] = new
        t.listed_bits[above, place] = t.pool[new]
    return new
