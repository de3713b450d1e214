"""Naive twins of penalties and measures: one sample after another, sorted."""

import numpy as np


def margin_penalty(
    z: np.ndarray, n: int, delta: float, slack: int = 0, row_norms: np.ndarray | None = None
) -> float:
    """Mean over samples of the mean hinge of the ``n + slack`` largest margins."""
    norms = np.ones(z.shape[-1]) if row_norms is None else row_norms
    total = 0.0
    samples = z.reshape(-1, z.shape[-1])
    for sample in samples:
        margins = [v / r for v, r in zip(sample, norms, strict=True) if r > 0]
        total += sum(max(0.0, delta - u) for u in sorted(margins, reverse=True)[: n + slack])
    return total / (n + slack) / len(samples)


def bias_penalty(bias: np.ndarray, alpha_star: np.ndarray) -> float:
    """Length of the excess of ``-bias`` over the bound."""
    return float(sum(max(0.0, -b - a) ** 2 for b, a in zip(bias, alpha_star, strict=True)) ** 0.5)


def singleton_share(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> float:
    """Share of points with active rows of full rank."""
    ranks = [np.linalg.matrix_rank(weight[weight @ point + bias > 0]) for point in x]
    return float(np.mean([rank == weight.shape[1] for rank in ranks]))
