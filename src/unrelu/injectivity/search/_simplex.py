"""The simplex method with an explicit inverse, for few equations and many columns, compiled.

A basic solution of ``sum_j lambda_j s_j a_j = 0``, ``lambda >= 0``, with a sign ``s_j`` for each column and
weights of sum 1 on those that keep theirs, is a support.
Results are proposals: what goes into a proof is checked elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

BIG = 1e4  # cost of columns that are not to be used
ZERO = 1e-13  # weights below are none: far above the rounding errors of a fresh inverse
_COST = 1e-7
_PIVOT = 1e-9
_TIE = 1e-13
_SINGULAR = 1e-11


class Program(NamedTuple):
    """A linear program and where the simplex method stands.

    Attributes:
        columns: The vectors ``a_j``, one a row.
        rows: The same, one a column.
        use: 1 for columns that keep their signs, -1 for columns that change them, 0 for those not to be used.
        cost: Of each column.
        inverse: Of the basis; its last column holds the weights.
        basis: Which column is basic in each equation; ``-1 - i`` is the artificial one of equation i.
        signs: With which sign.
        prices: Room for the products of the columns with the multipliers.
    """

    columns: np.ndarray
    rows: np.ndarray
    use: np.ndarray
    cost: np.ndarray
    inverse: np.ndarray
    basis: np.ndarray
    signs: np.ndarray
    prices: np.ndarray


def new_program(vectors: np.ndarray) -> Program:
    """Return the program of some vectors, shape ``(count, d)``, with an artificial basis."""
    count, size = vectors.shape[0], vectors.shape[1] + 1
    program = Program(
        columns=np.ascontiguousarray(vectors),
        rows=np.ascontiguousarray(vectors.T),
        use=np.ones(count, dtype=np.int64),
        cost=np.zeros(count),
        inverse=np.zeros((size, size)),
        basis=np.zeros(size, dtype=np.int64),
        signs=np.zeros(size, dtype=np.int64),
        prices=np.zeros(count),
    )
    _start(program)
    return program


@njit(cache=True, nogil=True)
def _start(p: Program) -> None:
    """Begin with an artificial basis."""
    p.inverse[:] = 0.0
    for i in range(len(p.basis)):
        p.inverse[i, i] = 1.0
        p.basis[i], p.signs[i] = -1 - i, 1


@njit(cache=True, nogil=True, fastmath={"contract"})
def _write_column(p: Program, j: int, sign: int, out: np.ndarray) -> None:
    """Write a column in terms of the basis."""
    last = len(out) - 1
    for i in range(len(out)):
        total = 0.0
        for c in range(last):
            total += p.inverse[i, c] * p.columns[j, c]
        out[i] = total + p.inverse[i, last] if sign > 0 else -total


@njit(cache=True, nogil=True, fastmath={"contract"})
def _pivot(p: Program, r: int, j: int, sign: int, column: np.ndarray) -> None:
    """Let a column enter the basis in row ``r``."""
    size = len(column)
    inverse = p.inverse
    row = inverse[r] / column[r]  # apart from the inverse, or the loop below is not vectorised
    for i in range(size):
        factor = column[i]
        if factor != 0.0:
            for c in range(size):
                inverse[i, c] -= factor * row[c]
    for c in range(size):
        inverse[r, c] = row[c]
    p.basis[r], p.signs[r] = j, sign


@njit(cache=True, nogil=True)
def _leaving_row(inverse: np.ndarray, column: np.ndarray) -> int:
    """Return the row whose weight reaches 0 first when the column enters, -1 if none does."""
    last = len(column) - 1
    found, least, size = -1, np.inf, 0.0
    for i in range(len(column)):
        entry = column[i]
        if entry > _PIVOT:
            ratio = inverse[i, last] / entry
            if ratio < least - _TIE or (ratio <= least + _TIE and entry > size):
                found, least, size = i, ratio, entry
    return found


@njit(cache=True, nogil=True)
def _basic_cost(p: Program, i: int) -> float:
    """Return the cost of what is basic in row ``i``."""
    j = p.basis[i]
    return p.cost[j] if j >= 0 and p.use[j] == p.signs[i] else BIG


@njit(cache=True, nogil=True, fastmath={"contract"})
def _entering(p: Program, first: bool) -> int:
    """Return the column of lowest price, -1 if none is negative; the first one does not cycle (Bland)."""
    size, count = len(p.basis), len(p.cost)
    multipliers = np.zeros(size)
    for i in range(size):
        c = _basic_cost(p, i)
        if c != 0.0:
            for k in range(size):
                multipliers[k] += c * p.inverse[i, k]
    prices, rows = p.prices, p.rows
    prices[:] = 0.0
    for k in range(size - 1):
        factor = multipliers[k]
        for j in range(count):
            prices[j] += factor * rows[k, j]
    found, best, last = -1, -_COST, multipliers[size - 1]
    for j in range(count):
        if p.use[j] == 0:
            continue
        price = p.cost[j] - prices[j] - last if p.use[j] > 0 else p.cost[j] + prices[j]
        if price < best:
            found, best = j, price
            if first:
                break
    return found


@njit(cache=True, nogil=True)
def minimise(p: Program) -> int:
    """Lower ``sum_j cost_j lambda_j`` to its minimum, and return the number of pivots."""
    column = np.empty(len(p.basis))
    limit = 60 * len(p.basis)
    for step in range(2 * limit):
        j = _entering(p, step > limit)
        if j < 0:
            return step
        _write_column(p, j, p.use[j], column)
        r = _leaving_row(p.inverse, column)
        if r < 0:
            return step
        _pivot(p, r, j, p.use[j], column)
    return 2 * limit


@njit(cache=True, nogil=True)
def trade(p: Program) -> int:
    """Let columns without cost enter as long as columns with cost leave for them; return the pivots."""
    basic = np.zeros(len(p.cost), dtype=np.bool_)
    for i in range(len(p.basis)):
        if _basic_cost(p, i) >= BIG:
            return 0  # it has no weight now, and must not get any
        basic[p.basis[i]] = True
    column = np.empty(len(p.basis))
    pivots, found = 0, True
    while found and pivots < 4 * len(p.basis):
        found = False
        for j in range(len(p.cost)):
            if p.cost[j] == 0.0 and p.use[j] != 0 and not basic[j]:
                _write_column(p, j, p.use[j], column)
                r = _leaving_row(p.inverse, column)
                if r >= 0 and column[r] > 1e-6 and p.cost[p.basis[r]] > 0.0:
                    basic[p.basis[r]], basic[j] = False, True
                    _pivot(p, r, j, p.use[j], column)
                    pivots += 1
                    found = True
    return pivots


@njit(cache=True, nogil=True)
def unwanted(p: Program) -> bool:
    """Say whether columns that are not to be used, or artificial ones, have weight."""
    weight, last = 0.0, len(p.basis) - 1
    for i in range(len(p.basis)):
        if _basic_cost(p, i) >= BIG:
            weight = max(weight, p.inverse[i, last])
    return weight > ZERO


@njit(cache=True, nogil=True)
def renew(p: Program) -> None:
    """Compute the inverse of the basis afresh: rounding errors grow with the number of pivots."""
    size = len(p.basis)
    basis, signs = p.basis.copy(), p.signs.copy()
    _start(p)
    still_open = np.ones(size, dtype=np.bool_)
    for b in basis:
        if b < 0:
            still_open[-1 - b] = False  # this artificial column stays
    column = np.empty(size)
    for i in range(size):
        if basis[i] >= 0:
            _write_column(p, basis[i], signs[i], column)
            r, largest = -1, _SINGULAR
            for k in range(size):
                if still_open[k] and abs(column[k]) > largest:
                    r, largest = k, abs(column[k])
            if r >= 0:
                _pivot(p, r, basis[i], signs[i], column)
                still_open[r] = False
