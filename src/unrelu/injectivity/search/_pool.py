"""Supports that are known, those of them that speak of a node, and new ones. Compiled.

A support says: where all rows of ``D`` are weakly active, so is one of ``C``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from unrelu.injectivity.search._bits import count_outside, holds, meet, put
from unrelu.injectivity.search._simplex import ZERO, minimise, renew, trade, unwanted
from unrelu.injectivity.search._state import LEVEL, POOL, STALE, M, State

_STALE = 100  # pivots after which an inverse is computed afresh
_DOUBTFUL = 1e-7  # weights below are computed afresh


@njit(cache=True, nogil=True)
def inherit(t: State) -> None:
    """List the supports of the list above whose ``C`` is disjoint from ``Z`` and its span."""
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
    words = len(excluded)
    most = len(t.program.cost)
    free = np.full(t.number[POOL], -1, dtype=np.int64)
    having = np.zeros(most + 1, dtype=np.int64)
    for s in range(t.number[POOL]):
        if not meet(t.pool, s, closure) and _leans_on(t.pool, s, t.chosen[level]):
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
            t.listed_bits[level, found] = t.pool[s, :words]
            found += 1
    t.listed_count[level] = found


@njit(cache=True, nogil=True)
def sort_by_free(t: State) -> None:
    """Count the free rows of the listed supports, and sort by them."""
    level = t.number[LEVEL]
    bits, excluded, free, order = t.listed_bits[level], t.excluded[level], t.free, t.order
    count = t.listed_count[level]
    place = np.zeros(len(t.program.cost) + 2, dtype=np.int64)
    for q in range(count):
        free[q] = count_outside(bits, q, excluded)
        place[free[q] + 1] += 1
    for f in range(1, len(place)):
        place[f] += place[f - 1]
    for q in range(count):
        order[place[free[q]]] = q
        place[free[q]] += 1


@njit(cache=True, nogil=True)
def new_support(t: State, apart: bool) -> int:
    """Find a support with ``D`` in ``Z``, ``C`` outside of the span of ``Z`` but for N, and few free rows.

    Args:
        t: The state.
        apart: Whether it must be disjoint from the packed ones as well.

    Returns:
        Its number in the pool, -1 if there is none.
    """
    p = t.program
    _state_costs(t, apart)
    t.number[STALE] += minimise(p)
    if unwanted(p):
        if apart:
            return -1
        _refresh(t)
        minimise(p)
        if unwanted(p):
            return -1
    t.number[STALE] += trade(p)
    if t.number[STALE] > _STALE or _is_doubtful(t):
        _refresh(t)
    return -1 if unwanted(p) or _has_negative_weight(t) else _keep(t)


@njit(cache=True, nogil=True)
def _is_doubtful(t: State) -> bool:
    """Say whether a weight may come from rounding, or be off by much of its size."""
    sizes = np.abs(t.program.inverse[:, -1])
    return bool(((sizes > ZERO) & (sizes < _DOUBTFUL)).any())


@njit(cache=True, nogil=True)
def _has_negative_weight(t: State) -> bool:
    """Say whether a weight fell below 0: the basic solution is then no support."""
    return bool((t.program.inverse[:, -1] < -ZERO).any())


@njit(cache=True, nogil=True)
def _state_costs(t: State, apart: bool) -> None:
    """Rows of N and of the domain are free of charge; rows of Z are so with their signs changed."""
    level, m = t.number[LEVEL], t.number[M]
    cost, use, closure = t.program.cost, t.program.use, t.closure[level]
    for j in range(len(cost)):
        cost[j], use[j] = 0.0, 1
        if j >= m or holds(t.excluded[level], j):
            continue
        if holds(t.chosen[level], j):
            use[j] = -1
        elif holds(closure, j) or (apart and holds(t.used, j)):
            use[j] = 0
        else:
            cost[j] = 1.0


@njit(cache=True, nogil=True)
def _refresh(t: State) -> None:
    renew(t.program)
    t.number[STALE] = 0


@njit(cache=True, nogil=True)
def _keep(t: State) -> int:
    """Add the basic solution's support to the pool and to the lists of this node and those above it."""
    p, new = t.program, t.number[POOL]
    level, last, words = t.number[LEVEL], len(p.basis) - 1, t.excluded.shape[1]
    t.pool[new] = 0
    for i in range(len(p.basis)):
        if p.inverse[i, last] > ZERO and p.basis[i] >= 0:
            put(t.pool[new, :words] if p.signs[i] > 0 else t.pool[new, words:], p.basis[i])
    bits = t.listed_bits[level]
    for q in range(t.listed_count[level]):
        if bits[q, 0] == t.pool[new, 0] and (bits[q] == t.pool[new, :words]).all():
            return t.listed[level, q]
    t.number[POOL] += 1
    room = t.listed.shape[1]
    for above in range(level, -1, -1):
        if not _leans_on(t.pool, new, t.chosen[above]):
            break
        place = t.listed_count[above]
        if place < room:
            t.listed_count[above] += 1
        else:
            place = new * 7919 % room  # any one makes room
        t.listed[above, place] = new
        t.listed_bits[above, place] = t.pool[new, :words]
    return new


@njit(cache=True, nogil=True)
def _leans_on(pool: np.ndarray, k: int, chosen: np.ndarray) -> bool:
    """Say whether ``D`` of support ``k`` is in ``Z``."""
    words, missing = len(chosen), np.uint64(0)
    for w in range(words):
        missing |= pool[k, words + w] & ~chosen[w]
    return not missing
