"""Elimination modulo a prime for many matrices at once: what is independent there is independent."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._rows import Rows, residues

PRIME = 2**24 - 3  # float64 holds sums of many products of two residues


def residues_of(matrix: np.ndarray) -> np.ndarray:
    """Return float64 rows, each times a power of two, modulo the prime, int64."""
    return np.array(residues(Rows.of(matrix), PRIME), dtype=np.int64).reshape(matrix.shape)


def modulo(values: np.ndarray) -> np.ndarray:
    """Return non-negative residues; a division by a constant is faster than a remainder."""
    return np.asarray(values - values // PRIME * PRIME)


def eliminate(pivots: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Make rows 0 in one column by adding a multiple of a pivot row, up to units.

    Args:
        pivots: One row for each stack of rows, shape ``(k, d)``.
        rows: Shape ``(k, r, d)``.

    Returns:
        The new rows, and for each stack the column, -1 where the pivot row is 0.
    """
    nonzero = pivots != 0
    column = nonzero.argmax(axis=1)
    is_pivot = nonzero.any(axis=1)
    stack = np.arange(len(pivots))
    unit = np.where(is_pivot, pivots[stack, column], 1)
    factor = rows[stack, :, column]
    reduced = modulo(rows * unit[:, None, None] - factor[:, :, None] * pivots[:, None, :])
    return reduced, np.where(is_pivot, column, -1)
