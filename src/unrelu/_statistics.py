"""Binomial shares and probabilities, accurate for any number of trials."""

from __future__ import annotations

import math

from scipy.special import betaincinv, gammaln

_LARGE = 64  # from here on three terms of the series of Stirling's remainder are exact to rounding


def clopper_pearson(count: int, total: int, confidence: float) -> tuple[float, float]:
    """Return the exact interval of Clopper and Pearson (1934) for the probability of a success.

    Args:
        count: Successes.
        total: Trials.
        confidence: Coverage, at least.
    """
    tail = (1 - confidence) / 2
    low = float(betaincinv(count, total - count + 1, tail)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - tail)) if count < total else 1.0
    return low, high


def log_binomial(n: int, k: int) -> float:
    """Return the logarithm of the binomial coefficient ``C(n, k)``; the error does not grow with ``n``."""
    if k in {0, n}:
        return 0.0
    p = k / n
    return log_binomial_pmf(k, n, p) - k * math.log(p) - (n - k) * math.log1p(-p)


def log_binomial_pmf(k: int, n: int, p: float) -> float:
    """Return the logarithm of ``C(n, k) p^k (1 - p)^(n - k)`` for ``0 < k < n`` and ``0 < p < 1``.

    The large terms of Stirling's formula cancel on paper, not in floating point (Loader 2000, "Fast and
    accurate computation of binomial probabilities").
    """
    rest = n - k
    excess = n * p - k
    return (
        0.5 * math.log(n / (2 * math.pi * k * rest))
        + _stirling_remainder(n)
        - _stirling_remainder(k)
        - _stirling_remainder(rest)
        - _deviance(k, n * p, excess)
        - _deviance(rest, n * (1 - p), -excess)
    )


def _deviance(x: float, mean: float, excess: float) -> float:
    """Return ``x log(x / mean) + mean - x`` where ``excess = mean - x``."""
    ratio = excess / x
    return excess - x * (math.log1p(ratio) if abs(ratio) < 0.5 else math.log(mean / x))


def _stirling_remainder(n: int) -> float:
    """Return ``log n!`` less Stirling's formula ``(n + 1/2) log n - n + log(2 pi) / 2``."""
    if n < _LARGE:
        return float(gammaln(n + 1)) - (n + 0.5) * math.log(n) + n - 0.5 * math.log(2 * math.pi)
    return (1 / 12 - (1 / 360 - 1 / 1260 / n**2) / n**2) / n
