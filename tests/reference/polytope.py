"""Naive twins of `unrelu.bias.polytope`: all subsets of rows, all faces of a cone."""

from itertools import combinations

import numpy as np


def facets(unit: np.ndarray) -> list[tuple[int, ...]]:
    """Sets of n rows whose hyperplane has all other rows strictly on the side of 0."""
    m, n = unit.shape
    found = []
    for corners in combinations(range(m), n):
        if abs(np.linalg.det(unit[list(corners)])) < 1e-12:
            continue
        normal = np.linalg.solve(unit[list(corners)], np.ones(n))
        if (np.delete(unit, corners, axis=0) @ normal < 1 - 1e-12).all():
            found.append(corners)
    return found


def least_product(w: np.ndarray, corners: np.ndarray) -> float:
    """Minimum of ``<w, x>`` over the unit vectors of a simplicial cone: stationary points of its faces."""
    values = (corners @ w).tolist()
    for size in range(2, len(corners) + 1):
        for face in combinations(range(len(corners)), size):
            v = corners[list(face)]
            c = np.linalg.lstsq(v.T, -w, rcond=None)[0]
            if (c >= 0).all() and (c > 0).any():
                values.append(-float(np.linalg.norm(c @ v)))
    return min(values)


def bias(weight: np.ndarray, inner: float, outer: float) -> np.ndarray:
    """Polytope bias estimation for rows of which no n + 1 lie on one hyperplane."""
    norms = np.linalg.norm(weight, axis=1)
    unit = weight / norms[:, None]
    alpha = np.full(len(weight), np.inf)
    for corners in facets(unit):
        for i in corners:
            a = least_product(unit[i], unit[list(corners)])
            alpha[i] = min(alpha[i], norms[i] * min(inner * a, outer * a))
    return alpha


def spans(weight: np.ndarray, alpha: np.ndarray, points: np.ndarray) -> bool:
    """Whether at every point the rows with ``<w_i, x> >= alpha_i`` span R^n."""
    active = points @ weight.T >= alpha
    unit = weight / np.maximum(np.linalg.norm(weight, axis=1), 1e-300)[:, None]
    return all(np.linalg.matrix_rank(unit[rows]) == weight.shape[1] for rows in np.unique(active, axis=0))


def directions(weight: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Unit vectors at random, on rows, and between a few rows each, where biases are met."""
    n = weight.shape[1]
    unit = weight[weight.any(axis=1)]
    unit = unit / np.linalg.norm(unit, axis=1)[:, None]
    shares = np.zeros((count, len(unit)))
    for share in shares:
        share[rng.integers(len(unit), size=rng.integers(1, n + 1))] = 1.0
    mixed = (shares * rng.exponential(size=shares.shape) ** 3) @ unit
    points = np.vstack([rng.standard_normal((count, n)), mixed, unit, -unit])
    length = np.linalg.norm(points, axis=1)
    return points[length > 1e-9] / length[length > 1e-9, None]
