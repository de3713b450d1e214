"""Naive twin of `unrelu.estimate_bias`: one sample after another (Eckert et al. 2024, Algorithm 1)."""

from dataclasses import dataclass

import numpy as np

from tests.reference.frames import rank


@dataclass
class Estimate:
    """What the loop found; fields as in `unrelu.BiasEstimate`."""

    alpha: np.ndarray
    support: np.ndarray
    n_samples: int = 0
    n_changes: int = 0
    converged: bool = False


def nth_largest(weight: np.ndarray, c: np.ndarray) -> float:
    """Threshold in general position."""
    return sorted(c, reverse=True)[weight.shape[1] - 1]


def spanning_threshold(weight: np.ndarray, c: np.ndarray) -> float:
    """Largest threshold above or at which the rows span, in exact arithmetic."""
    return next(t for t in sorted(c, reverse=True) if rank(weight[c >= t]) == weight.shape[1])


def estimate(
    weight: np.ndarray, products: np.ndarray, threshold=nth_largest, patience: int | None = None
) -> Estimate:
    """Run through samples whose coefficients ``W x`` are the rows of ``products``."""
    m = len(weight)
    result = Estimate(np.full(m, np.inf, dtype=products.dtype), np.full(m, -1))
    unchanged = 0
    for number, c in enumerate(products):
        tau, changed = threshold(weight, c), False
        for j in range(m):
            if c[j] >= tau and c[j] < result.alpha[j]:
                result.alpha[j], result.support[j], changed = c[j], number, True
        result.n_samples, result.n_changes = number + 1, result.n_changes + changed
        unchanged = 0 if changed else unchanged + 1
        result.converged = unchanged == patience
        if result.converged:
            break
    return result
