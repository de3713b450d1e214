"""Rows in floating point at any scale: divided by powers of two, which changes no span and no sign."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._rows import Rows

UNIT = 2.0**-53  # unit roundoff of float64


def exponents(rows: Rows) -> np.ndarray:
    """Return the least exponent of a power of two above all entries, for each row; 0 for rows of zeros."""
    found = np.zeros(rows.m, dtype=np.int64)
    filled = np.diff(rows.starts) > 0
    if filled.any():
        own = np.frexp(rows.values)[1].astype(np.int64)
        found[filled] = np.maximum.reduceat(own, rows.starts[:-1][filled])
    return found


def scaled_rows(rows: Rows, powers: np.ndarray, columns: np.ndarray | None = None) -> np.ndarray:
    """Return entries times ``2 ** -(powers[i] + columns[j])``, shape ``(m, n)``.

    They are exact as far as they lie in the normal range.
    """
    shifts = powers[rows.numbers] + (0 if columns is None else columns[rows.columns])
    out = np.zeros((rows.m, rows.n))
    out[rows.numbers, rows.columns] = np.ldexp(rows.values, -shifts)
    return out
