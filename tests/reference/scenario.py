"""Naive twins of `unrelu.bias._scenario`: the sums of the papers in exact or very long arithmetic."""

from fractions import Fraction
from math import comb

import flint
import numpy as np


def a_priori_beta(n: int, m: int, epsilon: float) -> Fraction:
    """The probability beta that belongs to a risk: the sum over i < m."""
    e = Fraction(epsilon)
    return sum((comb(n, i) * e**i * (1 - e) ** (n - i) for i in range(min(m, n + 1))), Fraction(0))


def wait_and_judge_beta(n: int, k: int, epsilon: float) -> Fraction:
    """The probability beta that belongs to a risk: the ratio of the two sides, times N + 1."""
    t = 1 - Fraction(epsilon)
    return (n + 1) * comb(n, k) * t ** (n - k) / sum(comb(i, k) * t ** (i - k) for i in range(k, n + 1))


def degenerate_beta(n: int, k: int, epsilon: float) -> Fraction:
    """The probability beta that belongs to a risk."""
    return n * comb(n, k) * (1 - Fraction(epsilon)) ** (n - k)


def log_a_priori_beta(n: int, m: int, epsilon: float) -> float:
    """The same for any size: a regularised incomplete beta function to 100 digits."""
    with flint.ctx.workprec(400):
        e = flint.arb(epsilon)
        return float((1 - e.beta_lower(m, n - m + 1, regularized=True)).log())


def log_wait_and_judge_beta(n: int, k: int, epsilon: float) -> float:
    """The same for any size."""
    with flint.ctx.workprec(400):
        e = flint.arb(epsilon)
        tail = e.beta_lower(k + 1, n - k + 1, regularized=True)
        choose = flint.arb(n + 2).lgamma() - flint.arb(k + 1).lgamma() - flint.arb(n - k + 1).lgamma()
        return float(choose + (k + 1) * e.log() + (n - k) * (1 - e).log() - tail.log())


def minima(values: np.ndarray, touched: np.ndarray) -> tuple[np.ndarray, int]:
    """MCBE's estimate from the pre-activations of all samples, and the number of support samples."""
    alpha, support = np.full(values.shape[1], np.inf), set()
    for j in range(values.shape[1]):
        rows = np.flatnonzero(touched[:, j])
        if rows.size:
            first = rows[np.argmin(values[rows, j])]
            alpha[j] = values[first, j]
            support.add(int(first))
    return alpha, len(support)


def circle_risk(weight: np.ndarray, alpha: np.ndarray) -> float:
    """Probability that a point drawn from the unit circle lowers a bias; each point asks for two rows.

    Between neighbouring angles at which two rows tie or a row is at its bias, nothing changes.
    """
    pairs = [a - b for i, a in enumerate(weight) for b in weight[:i]]
    ties = [np.arctan2(d[1], d[0]) + s * np.pi / 2 for d in pairs for s in (-1, 1)]
    size, centre = np.hypot(*weight.T), np.arctan2(weight[:, 1], weight[:, 0])
    reached = np.abs(alpha) <= size
    width = np.arccos(alpha[reached] / size[reached])
    ends = np.concatenate([ties, centre[reached] - width, centre[reached] + width]) % (2 * np.pi)
    breaks = np.sort(np.append(ends, [0.0, 2 * np.pi]))
    middle = (breaks[1:] + breaks[:-1]) / 2
    z = np.column_stack([np.cos(middle), np.sin(middle)]) @ weight.T
    touched = z >= np.sort(z, axis=1)[:, -2:-1]
    lowered = (touched & (z < alpha)).any(axis=1)
    return float(np.diff(breaks)[lowered].sum() / (2 * np.pi))
