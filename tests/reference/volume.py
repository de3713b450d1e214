"""Naive twins of what changes volume: finite differences, one sample after another."""

from collections.abc import Callable

import numpy as np


def jacobian(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, step: float) -> np.ndarray:
    """Central differences at one point, a column an input."""
    columns = []
    for direction in np.eye(len(x)) * step:
        columns.append((function(x + direction) - function(x - direction)) / (2 * step))
    return np.stack(columns, axis=1)


def log_volume(function: Callable[[np.ndarray], np.ndarray], x: np.ndarray, step: float) -> float:
    """Half the logarithm of the determinant of the Gram matrix."""
    J = jacobian(function, x, step)
    return 0.5 * np.linalg.slogdet(J.T @ J)[1]


def smallest_ratio(function: Callable[[np.ndarray], np.ndarray], points: np.ndarray) -> float:
    """Least quotient of distances over pairs of different points."""
    ratios = []
    for i, a in enumerate(points):
        for b in points[:i]:
            if (a != b).any():
                ratios.append(np.linalg.norm(function(a) - function(b)) / np.linalg.norm(a - b))
    return min(ratios)
