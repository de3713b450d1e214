"""Disjoint supports, or many that overlap little: so many rows at least are weakly active. Compiled."""

from __future__ import annotations

import numpy as np
from numba import njit

from unrelu.injectivity.search._bits import count_outside, meet_outside, members_outside
from unrelu.injectivity.search._state import BASE, LAYERS, LEVEL, N, State

_NEAR = 2  # supports missing, for which a better packing is looked for
_GROWTH = 3.0  # of the price of a row with each support that it is in


@njit(cache=True, nogil=True)
def missing(t: State) -> int:
    """Return how many more rows must be weakly active to close the node."""
    return int(t.number[N] - t.number[BASE] - t.number[LEVEL])


@njit(cache=True, nogil=True)
def pack(t: State, first: int, count: int) -> int:
    """Choose disjoint supports from the sorted list: greedily, then one is exchanged for two.

    Args:
        t: The state; ``packed`` and ``used`` are written.
        first: Number of a support to begin with; none where -1.
        count: How many places of the list are sorted.

    Returns:
        How many were found; no more than close the node.
    """
    level = t.number[LEVEL]
    needed = missing(t)
    bits, order, excluded, used = t.listed_bits[level], t.order, t.excluded[level], t.used
    used[:] = 0
    found = 0
    if first >= 0:
        found = take(t, first, found)
    for q in range(count):
        if found == needed:
            break
        if not meet_outside(bits, order[q], used, excluded):
            found = take(t, t.listed[level, order[q]], found)
    return _exchange(t, found, count) if needed - _NEAR <= found < needed else found


@njit(cache=True, nogil=True)
def take(t: State, support: int, found: int) -> int:
    """Add a support to the packed ones, and return how many they are."""
    excluded = t.excluded[t.number[LEVEL]]
    t.packed[found] = support
    for w in range(len(excluded)):
        t.used[w] |= t.pool[support, w] & ~excluded[w]
    return found + 1


@njit(cache=True, nogil=True)
def _exchange(t: State, found: int, count: int) -> int:
    """Exchange one packed support for two as long as that is possible; return how many there are."""
    level = t.number[LEVEL]
    bits, excluded, used = t.listed_bits[level], t.excluded[level], t.used
    needed, rest = missing(t), np.empty_like(t.used)
    k = 0
    while k < found < needed:
        for w in range(len(rest)):
            rest[w] = used[w] & ~(t.pool[t.packed[k], w] & ~excluded[w])
        a, b = _two_outside(t, rest, count)
        if a < 0:
            k += 1
            continue
        t.packed[k], t.packed[found] = t.listed[level, a], t.listed[level, b]
        for w in range(len(rest)):
            used[w] = rest[w] | ((bits[a, w] | bits[b, w]) & ~excluded[w])
        found += 1
        k = 0
    return found


@njit(cache=True, nogil=True)
def _two_outside(t: State, rest: np.ndarray, count: int) -> tuple[int, int]:
    """Return places in the list of two supports disjoint from some rows and from each other, or -1."""
    level = t.number[LEVEL]
    bits, excluded = t.listed_bits[level], t.excluded[level]
    outside = np.empty(count, dtype=np.int64)
    known = 0
    for position in range(count):
        q = t.order[position]
        if meet_outside(bits, q, rest, excluded):
            continue
        for i in range(known):
            if not meet_outside(bits, q, bits[outside[i]], excluded):
                return int(outside[i]), int(q)
        outside[known] = q
        known += 1
    return -1, -1


@njit(cache=True, nogil=True)
def cover(t: State, needed: int) -> int:
    """Choose listed supports, no row in more than c of them, more than ``c (needed - 1)``, for some small c.

    Each row has a price that grows with the number of supports that it is in, and the cheapest support is
    next: multiplicative weights for the linear program of fractional packings.

    Returns:
        How many are packed, 0 if there are not enough.
    """
    level = t.number[LEVEL]
    bits, excluded, count = t.listed_bits[level], t.excluded[level], t.listed_count[level]
    starts, rows = _members(bits, count, excluded)
    prices = _GROWTH ** np.arange(LAYERS + 1)
    prices[LAYERS] = np.inf
    price = np.ones(len(t.load))
    t.load[:] = 0
    found, largest = 0, 0
    while found == 0 or found <= largest * (needed - 1):
        best, cheapest = -1, np.inf
        for q in range(count):
            total = 0.0
            for k in range(starts[q], starts[q + 1]):
                total += price[rows[k]]
            if total < cheapest:
                best, cheapest = q, total
        if best < 0:
            return 0
        for k in range(starts[best], starts[best + 1]):
            row = rows[k]
            t.load[row] += 1
            price[row] = prices[t.load[row]]
            largest = max(largest, t.load[row])
        t.packed[found] = t.listed[level, best]
        found += 1
    return found


@njit(cache=True, nogil=True)
def _members(bits: np.ndarray, count: int, excluded: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the free rows of the listed supports one after another, and where each one's start."""
    starts = np.zeros(count + 1, dtype=np.int64)
    for q in range(count):
        starts[q + 1] = starts[q] + count_outside(bits, q, excluded)
    rows = np.empty(starts[count] + 1, dtype=np.int64)
    for q in range(count):
        members_outside(bits, q, excluded, rows[starts[q] :])
    return starts, rows
