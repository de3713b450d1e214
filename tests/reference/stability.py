"""Naive twins of `unrelu.stability`: one derivative and one decomposition a sample and layer, brute force."""

from collections.abc import Callable
from itertools import product

import numpy as np
import torch


def values_of(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, entries=None) -> np.ndarray:
    """Singular values of the derivative of a function at one input, along some entries."""
    derivative = torch.func.jacrev(lambda flat: function(flat.reshape(1, *x.shape)).reshape(-1))(
        x.reshape(-1)
    )
    chosen = derivative if entries is None else derivative[:, entries]
    return np.linalg.svd(chosen.detach().numpy(), compute_uv=False)


def kept_rows(matrix: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Singular values of ``D A``, zero rows in their place."""
    return np.linalg.svd(np.where(kept[:, None], matrix, 0.0), compute_uv=False)


def patterns_on_a_grid(
    weight: np.ndarray, bias: np.ndarray, far: float = 8.0, count: int = 401
) -> np.ndarray:
    """Sets of strictly active rows met on a fine grid of one or two dimensions."""
    ticks = np.linspace(-far, far, count) + 1e-3 / np.pi
    points = np.array(list(product(ticks, repeat=weight.shape[1])))
    return np.unique(points @ weight.T + bias > 0, axis=0)


def extremes_over(weight: np.ndarray, patterns: np.ndarray) -> tuple[float, float]:
    """Smallest of the smallest and largest of the largest singular values of the active rows."""
    n = weight.shape[1]
    found = [
        np.linalg.svd(np.vstack([weight[rows], np.zeros((n, n))]), compute_uv=False) for rows in patterns
    ]
    return min(values[-1] for values in found), max(values[0] for values in found)


def smallest_ratio(weight: np.ndarray, bias: np.ndarray, points: np.ndarray) -> float:
    """Smallest ``|f(x) - f(y)| / |x - y|`` over all pairs of points."""
    outputs = np.maximum(points @ weight.T + bias, 0)
    apart = np.linalg.norm(points[:, None] - points[None], axis=-1)
    ratio = np.linalg.norm(outputs[:, None] - outputs[None], axis=-1)
    far = apart > 1e-9
    return float((ratio[far] / apart[far]).min())


def rows_that_meet(matrix: np.ndarray, kept: np.ndarray, c: float) -> int:
    """Figure 9 of Behrmann et al.: kept rows correlated little enough with the best of the removed rows."""
    best, count = 0, int(kept.sum())
    for k in np.flatnonzero(~kept):
        limit = c * np.linalg.norm(matrix[k]) / np.sqrt(count)
        best = max(best, sum(abs(matrix[j] @ matrix[k]) <= limit for j in np.flatnonzero(kept)))
    return best
