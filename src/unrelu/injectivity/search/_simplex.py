"""The simplex method on a full tableau, for few equations and many columns, compiled.

A basic solution of ``sum_j lambda_j a_j = 0``, ``sum_j lambda_j = 1``, ``lambda >= 0`` is a support.
Results are proposals: what goes into a proof is checked elsewhere.
"""

from __future__ import annotations

import numpy as np
from numba import njit

BIG = 1e4  # cost of columns that are not to be used
ZERO = 1e-10  # weights below are none
_COST = 1e-7
_PIVOT = 1e-9
_TIE = 1e-13


@njit(cache=True, nogil=True, fastmath={"contract"})
def pivot(tableau: np.ndarray, basis: np.ndarray, r: int, j: int) -> None:
    """Let column ``j`` enter the basis in row ``r``."""
    rows, columns = tableau.shape
    inverse = 1.0 / tableau[r, j]
    row = np.empty(columns)  # apart from the tableau, or the loop below is not vectorised
    for c in range(columns):
        row[c] = tableau[r, c] * inverse
    row[j] = 1.0
    for i in range(rows):
        factor = tableau[i, j]
        if factor != 0.0:
            for c in range(columns):
                tableau[i, c] -= factor * row[c]
            tableau[i, j] = 0.0
    for c in range(columns):
        tableau[r, c] = row[c]
    basis[r] = j


@njit(cache=True, nogil=True)
def leaving_row(tableau: np.ndarray, j: int, last: int) -> int:
    """Return the row whose weight reaches 0 first when column ``j`` enters, -1 if none does."""
    found, least, size = -1, np.inf, 0.0
    for i in range(len(tableau) - 1):
        entry = tableau[i, j]
        if entry > _PIVOT:
            ratio = tableau[i, last] / entry
            if ratio < least - _TIE or (ratio <= least + _TIE and entry > size):
                found, least, size = i, ratio, entry
    return found


@njit(cache=True, nogil=True)
def _price(tableau: np.ndarray, basis: np.ndarray, cost: np.ndarray) -> None:
    """Write the reduced costs into the last row."""
    last = len(cost)
    prices = np.zeros(last + 1)
    prices[:last] = cost
    for i in range(len(basis)):
        c = cost[basis[i]] if basis[i] < last else BIG
        if c != 0.0:
            for k in range(last + 1):
                prices[k] -= c * tableau[i, k]
    tableau[-1] = prices


@njit(cache=True, nogil=True)
def _entering(prices: np.ndarray, cost: np.ndarray, first: bool) -> int:
    """Return the column of lowest price, -1 if none is negative; the first one does not cycle (Bland)."""
    found, best = -1, -_COST
    for c in range(len(cost)):
        if prices[c] < best and cost[c] < BIG:
            found, best = c, prices[c]
            if first:
                break
    return found


@njit(cache=True, nogil=True)
def minimise(tableau: np.ndarray, basis: np.ndarray, cost: np.ndarray) -> int:
    """Lower ``sum_j cost_j lambda_j`` to its minimum; columns that cost `BIG` do not enter.

    Args:
        tableau: Equations, then a row for reduced costs; a column for each ``a_j``, then the right sides.
        basis: Which column is basic in each equation; numbers past the last column are artificial.
        cost: Of each column.

    Returns:
        The number of pivots.
    """
    last = len(cost)
    _price(tableau, basis, cost)
    limit = 60 * len(basis)
    for step in range(2 * limit):
        j = _entering(tableau[-1], cost, step > limit)
        r = leaving_row(tableau, j, last) if j >= 0 else -1
        if r < 0:
            return step
        pivot(tableau, basis, r, j)
    return 2 * limit


@njit(cache=True, nogil=True)
def trade(tableau: np.ndarray, basis: np.ndarray, cost: np.ndarray) -> int:
    """Let columns without cost enter as long as columns with cost leave for them; return the pivots."""
    last = len(cost)
    basic = np.zeros(last, dtype=np.bool_)
    for b in basis:
        if b >= last or cost[b] >= BIG:
            return 0  # it has no weight now, and must not get any
        basic[b] = True
    pivots, found = 0, True
    while found and pivots < 4 * len(basis):
        found = False
        for j in range(last):
            if cost[j] == 0.0 and not basic[j]:
                r = leaving_row(tableau, j, last)
                if r >= 0 and tableau[r, j] > 1e-6:
                    b = basis[r]
                    if cost[b] > 0.0:
                        pivot(tableau, basis, r, j)
                        basic[b], basic[j] = False, True
                        pivots += 1
                        found = True
    return pivots


@njit(cache=True, nogil=True)
def unwanted(tableau: np.ndarray, basis: np.ndarray, cost: np.ndarray) -> bool:
    """Say whether columns that cost `BIG`, or artificial ones, have weight."""
    last = len(cost)
    for i in range(len(basis)):
        if tableau[i, last] > ZERO and (basis[i] >= last or cost[basis[i]] >= BIG):
            return True
    return False


@njit(cache=True, nogil=True)
def start(tableau: np.ndarray, basis: np.ndarray, columns: np.ndarray) -> None:
    """Begin with an artificial basis."""
    equations, last = columns.shape
    tableau[:] = 0.0
    tableau[:equations, :last] = columns
    tableau[equations - 1, last] = 1.0
    for i in range(equations):
        basis[i] = last + i


@njit(cache=True, nogil=True)
def renew(tableau: np.ndarray, basis: np.ndarray, columns: np.ndarray) -> None:
    """Compute the tableau of a basis afresh: rounding errors grow with the number of pivots."""
    last = columns.shape[1]
    wanted = basis.copy()
    start(tableau, basis, columns)
    open_rows = np.ones(len(basis), dtype=np.bool_)
    for b in wanted:
        if b >= last:
            open_rows[b - last] = False  # this artificial column stays
    for b in wanted:
        if b < last:
            r, size = -1, 0.0
            for i in range(len(basis)):
                if open_rows[i] and abs(tableau[i, b]) > size:
                    r, size = i, abs(tableau[i, b])
            if r >= 0:
                pivot(tableau, basis, r, b)
                open_rows[r] = False
