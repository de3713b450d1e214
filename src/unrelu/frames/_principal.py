"""Principal submatrices of a symmetric matrix that many subsets share."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def principal(matrix: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Return rows and columns ``index``, ascending; only the upper triangle is read and written.

    Args:
        matrix: Shape ``(m, m)``.
        index: Shape ``(k,)``.

    Returns:
        Shape ``(k, k)``; anything below the diagonal.
    """
    out = np.empty((len(index), len(index)), dtype=matrix.dtype)
    for i in range(len(index)):
        row = matrix[index[i]]
        for j in range(i, len(index)):
            out[i, j] = row[index[j]]
    return out
