"""Powers of two that bring rows to one size, and norms of rows, at any scale that float64 holds."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import scipy.sparse as sp

UNIT = 2.0**-53  # unit roundoff of float64
SMALLEST = 2.0**-1074  # what an operation below the normal range loses at most

Rows: TypeAlias = "np.ndarray | sp.csr_array"


def power_of_two_below(values: np.ndarray) -> np.ndarray:
    """Return ``2^-e`` with ``values * 2^-e`` in [1/2, 1), or as near as ``e <= 1000`` brings it; 1 for 0."""
    _, exponent = np.frexp(values)
    return np.where(values > 0, np.ldexp(1.0, -np.clip(exponent, -1000, 1000)), 1.0)


def scaled_rows(rows: Rows, scale: np.ndarray) -> Rows:
    """Return a copy of the rows, row ``i`` multiplied by ``scale[i]``."""
    if isinstance(rows, np.ndarray):
        return rows * scale[:, None]
    data = rows.data * np.repeat(scale, np.diff(rows.indptr))
    return sp.csr_array((data, rows.indices, rows.indptr), rows.shape)


def near_one(rows: Rows) -> np.ndarray:
    """Return powers of two, one a row, that bring the largest entries near 1: squares stay in range."""
    if isinstance(rows, np.ndarray):
        return power_of_two_below(np.maximum(rows.max(axis=1, initial=0), -rows.min(axis=1, initial=0)))
    return power_of_two_below(abs(rows).max(axis=1).toarray().reshape(-1))


def row_norms(rows: Rows) -> np.ndarray:
    """Return upper bounds of the rows' Euclidean norms, tight to rounding; 0 for zero rows only."""
    scale = near_one(rows)
    scaled = scaled_rows(rows, scale)
    if isinstance(scaled, np.ndarray):
        squares = np.einsum("ij,ij->i", scaled, scaled)
    else:
        squares = np.asarray(scaled.power(2).sum(axis=1)).reshape(-1)
    with np.errstate(over="ignore"):
        norms = np.sqrt(squares) * (1 + (rows.shape[1] + 8) * UNIT) / scale
        return np.where(norms > 0, np.nextafter(norms, np.inf), 0.0)
