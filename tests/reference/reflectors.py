"""Householder reflectors, one after the other."""

import numpy as np
import torch


def product(vectors: np.ndarray) -> np.ndarray:
    """Return ``H_1 ... H_k`` for the columns ``v_i``; a column of zeros reflects nothing."""
    return one_by_one(torch.from_numpy(vectors), torch.eye(len(vectors), dtype=torch.float64)).T.numpy()


def one_by_one(vectors: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Apply them to each row, the last one first."""
    for v in reversed(vectors.unbind(dim=1)):
        if (v != 0).any():
            x = x - 2 * (x @ v / (v @ v))[..., None] * v
    return x
