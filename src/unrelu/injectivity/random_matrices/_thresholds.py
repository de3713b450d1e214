"""Thresholds of ``c = m / n`` for Gaussian layers (Puthawala et al. 2020, 2022; Maillard et al. 2023)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from scipy.optimize import brentq
from scipy.special import erfc, xlogy
from scipy.stats import norm

_SLIDES = "Puthawala, Kothari, Lassas, Dokmanić and de Hoop 2020, Globally Injective (ReLU) Neural Networks"
_JOURNAL = "Puthawala, Kothari, Lassas, Dokmanić and de Hoop 2022, JMLR 23(105)"
_MAILLARD = (
    "Maillard, Bandeira, Belius, Dokmanić and Nakajima 2023, "
    "Injectivity of ReLU networks: perspectives from statistical physics, arXiv:2302.14112"
)


class Status(StrEnum):
    """What is known about a threshold."""

    PROVED = "proved"
    CONJECTURED = "conjectured"
    REFUTED = "refuted"
    WITHDRAWN = "withdrawn"  # replaced by its authors


@dataclass(frozen=True)
class Threshold:
    """A value of ``c = m / n`` and what is said to change there for Gaussian rows as ``n -> infinity``.

    Attributes:
        name: Short name.
        value: The value of ``c``.
        statement: What is claimed, with the equation that the value solves.
        status: Whether the claim is proved, conjectured, refuted or withdrawn.
        source: Where it is from.
    """

    name: str
    value: float
    statement: str
    status: Status
    source: str


def thresholds() -> tuple[Threshold, ...]:
    """Return what has been claimed about Gaussian layers without bias, from small to large ``c``.

    Roots of equations are computed; only the two values without a simple equation are typed in.

    Example:
        >>> from unrelu.injectivity.random_matrices import thresholds
        >>> [(t.name, round(t.value, 2), str(t.status)) for t in thresholds()][:2]
        [('mean', 3.4, 'proved'), ('slides', 5.7, 'withdrawn')]
    """
    return (
        Threshold(
            "mean",
            _mean(),
            "not injective below: against the mean of the rows too few are active; "
            "erfc(1 / sqrt(2 c)) / 2 = 1 / c",
            Status.PROVED,
            f"{_SLIDES}, slide 20: c†, 'approximately 3.4'",
        ),
        Threshold(
            "slides",
            _slides(),
            "injective above; -log2(c e) + c - 1 - H(1 / (c - 1)) = 0, H the binary entropy in bits. "
            "H lacks a factor c - 1, see 'union bound'; layers with c = 6, n = 200 to 800 are not injective",
            Status.WITHDRAWN,
            f"{_SLIDES}, slide 20: c*, 'approximately 5.7'",
        ),
        Threshold(
            "full replica symmetry breaking",
            6.698,
            "injective above, not injective below",
            Status.CONJECTURED,
            f"{_MAILLARD}: by the replica method",
        ),
        Threshold(
            "replica symmetric",
            _replica_symmetric(),
            "injective above; P(0 < g < t) - t phi(t) = P(g > t) = 1 / c, g standard normal of density phi",
            Status.PROVED,
            f"{_MAILLARD}: by Gordon's inequality",
        ),
        Threshold(
            "Euler characteristic",
            8.34,
            "injective above, not injective below: where the expected Euler characteristic of the set of "
            "directions with fewer than n active rows changes from large to small",
            Status.REFUTED,
            f"{_MAILLARD}, which refutes it by 'replica symmetric'",
        ),
        Threshold(
            "first moment",
            _first_moment(),
            "injective above: the expected number of cells with fewer than n active rows tends to 0; "
            "H(1 / c) = 1 / 2",
            Status.PROVED,
            "Winder 1966 and symmetry: see expected_cells",
        ),
        Threshold(
            "union bound",
            _union_bound(),
            "injective above; -log2(c e) + (c - 1) (1 - H(1 / (c - 1))) = 0",
            Status.PROVED,
            f"{_JOURNAL}: 'between 3.4 and 10.5'",
        ),
    )


def _root(function: object, low: float, high: float) -> float:
    return float(brentq(function, low, high, xtol=1e-14, rtol=1e-14))


def _entropy(p: float) -> float:
    """Return the binary entropy in bits."""
    return float(-(xlogy(p, p) + xlogy(1 - p, 1 - p)) / math.log(2))


def _mean() -> float:
    return _root(lambda c: erfc(1 / math.sqrt(2 * c)) / 2 - 1 / c, 2.0, 10.0)


def _slides() -> float:
    return _root(lambda c: -math.log2(c * math.e) + c - 1 - _entropy(1 / (c - 1)), 3.0, 20.0)


def _union_bound() -> float:
    return _root(lambda c: -math.log2(c * math.e) + (c - 1) * (1 - _entropy(1 / (c - 1))), 3.0, 30.0)


def _first_moment() -> float:
    return _root(lambda c: _entropy(1 / c) - 0.5, 2.0, 30.0)


def _replica_symmetric() -> float:
    t = _root(lambda t: norm.cdf(t) - 0.5 - t * norm.pdf(t) - norm.sf(t), 0.1, 5.0)
    return float(1 / norm.sf(t))
