"""Naive twin of `unrelu.invert`: singular values of the strictly active rows."""

import numpy as np


def invert(weight: np.ndarray, bias: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, int, float]:
    """Minimum-norm least-squares solution for one output, numerical rank and condition of the active rows."""
    active = y > 0
    rows = weight[active]
    if not len(rows):
        return np.zeros(weight.shape[1]), 0, np.nan
    x = np.linalg.pinv(rows) @ (y - bias)[active]
    sigma = np.linalg.svd(rows, compute_uv=False)
    rank = int(np.linalg.matrix_rank(rows))
    return x, rank, sigma[0] / sigma[rank - 1] if rank else np.nan


def frame_algorithm(
    rows: np.ndarray, target: np.ndarray, bounds: tuple[float, float], steps: int
) -> np.ndarray:
    """Plain iteration from 0."""
    x = np.zeros(rows.shape[1])
    for _ in range(steps):
        x = x + 2 / sum(bounds) * rows.T @ (target - rows @ x)
    return x


def expected_error(rows: np.ndarray, std: np.ndarray) -> float:
    """Root mean square of what independent errors of the outputs do to the minimum-norm solution."""
    return float(np.linalg.norm(np.linalg.pinv(rows) * std))
