"""Householder reflectors, one after the other."""

import numpy as np


def product(vectors: np.ndarray) -> np.ndarray:
    """Return ``H_1 ... H_k`` for the columns ``v_i``; a column of zeros reflects nothing."""
    out = np.eye(len(vectors))
    for v in vectors.T:
        if v.any():
            out = out @ (np.eye(len(v)) - 2 * np.outer(v, v) / (v @ v))
    return out
