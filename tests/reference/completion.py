"""Naive twins of completions: rows counted with singular values, one after another."""

from itertools import combinations

import numpy as np


def rows_for_pairs(weight: np.ndarray, bias: np.ndarray) -> int:
    """How many rows make every direction part of a pair: 2 n - rank, less what pairs there are span."""
    n, paired = weight.shape[1], [np.zeros(weight.shape[1])]
    for (v, a), (w, b) in combinations(list(zip(weight, bias, strict=True)), 2):
        sizes = np.abs(v).max(), np.abs(w).max()
        if min(sizes) > 0 and np.allclose(v / sizes[0], -w / sizes[1], rtol=0, atol=1e-15):
            paired += [v] if a / sizes[0] + b / sizes[1] >= 0 else []
    return 2 * n - rank(weight) - rank(np.array(paired))


def rank(rows: np.ndarray) -> int:
    """Rank of rows brought to one size."""
    sizes = np.abs(rows).max(axis=1, initial=0, keepdims=True)
    return int(np.linalg.matrix_rank(rows / np.where(sizes > 0, sizes, 1), tol=1e-7))


def missing_at(weight: np.ndarray, bias: np.ndarray, points: np.ndarray, radius: float) -> int:
    """How many dimensions the rows active within a radius leave open, at the worst point."""
    margin = radius * np.linalg.norm(weight, axis=1)
    return max(
        weight.shape[1] - int(np.linalg.matrix_rank(weight[weight @ x + bias > margin])) for x in points
    )
