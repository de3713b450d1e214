"""Rows modulo the span of Z: closures, and whether any choice of rows completes a basis. Compiled.

Floating point decides here, with tolerances far above rounding errors; that a row lies in a span is checked
exactly afterwards.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from unrelu.injectivity.search._bits import put

_LEAST_VOLUME = 1e-12  # determinants of unit rows below are not told from 0
_NOISE = 1e-13


@njit(cache=True, nogil=True)
def eliminate(rows: np.ndarray, pivots: np.ndarray, row: int, out: np.ndarray) -> int:
    """Eliminate one row from all others by its largest entry.

    Args:
        rows: Rows of which earlier ones were eliminated, shape ``(m, n)``.
        pivots: Columns used up by those.
        row: Number of the row.
        out: Where the result goes.

    Returns:
        The column of the entry.
    """
    m, n = rows.shape
    column = 0
    for c in range(n):
        if abs(rows[row, c]) > abs(rows[row, column]):
            column = c
    inverse = 1.0 / rows[row, column]
    for i in range(m):
        factor = rows[i, column] * inverse
        for c in range(n):
            out[i, c] = rows[i, c] - factor * rows[row, c]
        out[i, column] = 0.0
    out[row] = 0.0
    for c in range(n):
        if pivots[c]:
            out[:, c] = 0.0
    return column


@njit(cache=True, nogil=True)
def close(rows: np.ndarray, volume: float, closure: np.ndarray) -> None:
    """Write the rows that are 0 after the elimination as bits."""
    closure[:] = 0
    tolerance = min(1e-6, _NOISE / volume)
    for i in range(len(rows)):
        if np.abs(rows[i]).max() <= tolerance:
            put(closure, i)


@njit(cache=True, nogil=True)
def all_complete(rows: np.ndarray, starts: np.ndarray, volume: float) -> bool:
    """Say whether any choice of one row from each of ``q`` sets is a basis of ``R^q``.

    Args:
        rows: The rows, set after set, shape ``(k, q)``.
        starts: Where each set starts, shape ``(q + 1,)``.
        volume: By which determinants are multiplied before they are compared with 0.
    """
    q = len(starts) - 1
    if q == 1:
        return bool(np.abs(rows[:, 0]).min() * volume > _LEAST_VOLUME)
    work = np.empty((q, *rows.shape))
    work[0] = rows
    volumes = np.empty(q)
    volumes[0] = volume
    at = np.zeros(q, dtype=np.int64)
    at[0] = starts[0]
    step = 0
    while step >= 0:
        if at[step] == starts[step + 1]:
            step -= 1
            continue
        i = at[step]
        at[step] += 1
        left = q - step
        now = work[step]
        if left == 2:
            if not _pairs_complete(now, i, starts[q - 1], starts[q], volumes[step]):
                return False
            continue
        column = 0
        for c in range(left):
            if abs(now[i, c]) > abs(now[i, column]):
                column = c
        size = abs(now[i, column]) * volumes[step]
        if size <= _LEAST_VOLUME:
            return False
        _reduce(now, i, column, left, work[step + 1], starts[step + 1])
        volumes[step + 1] = size
        at[step + 1] = starts[step + 1]
        step += 1
    return True


@njit(cache=True, nogil=True)
def _pairs_complete(rows: np.ndarray, i: int, first: int, end: int, volume: float) -> bool:
    a, b = rows[i, 0] * volume, rows[i, 1] * volume
    least = np.inf
    for j in range(first, end):
        least = min(least, abs(a * rows[j, 1] - b * rows[j, 0]))
    return least > _LEAST_VOLUME


@njit(cache=True, nogil=True)
def _reduce(rows: np.ndarray, i: int, column: int, left: int, out: np.ndarray, first: int) -> None:
    """Eliminate row ``i`` from the rows from ``first`` on, and leave out the column."""
    inverse = 1.0 / rows[i, column]
    last = left - 1
    for j in range(first, len(rows)):
        factor = rows[j, column] * inverse
        for c in range(last):
            out[j, c] = rows[j, c] - factor * rows[i, c]
        if column < last:
            out[j, column] = rows[j, last] - factor * rows[i, last]
