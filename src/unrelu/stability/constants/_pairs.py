"""Pairs of inputs whose outputs are near each other: what they show of the lower Lipschitz constant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

if TYPE_CHECKING:
    from unrelu.domains import Domain

_EPS = float(np.finfo(np.float64).eps)
_CENTRES, _WORK = 64, 200_000  # centres at most, and entries of all their matrices
_STEPS = (0.25, 1.0, 4.0)  # half distances of pairs, in units of the layer's size
_LARGE = 1e60  # beyond it, or below its inverse, entries are not multiplied
_REFINED = 8  # of the best pairs


@dataclass(frozen=True)
class Pair:
    """Two inputs.

    Attributes:
        ratio: ``|f(x) - f(y)| / |x - y|`` for the numbers as stored is at most this.
        inputs: Both, shape ``(2, n)``.
    """

    ratio: float
    inputs: np.ndarray


def near_pair(
    weight: np.ndarray, bias: np.ndarray, domain: Domain | None, points: np.ndarray, below: float
) -> Pair | None:
    """Return the pair with the smallest ratio found, both in the domain; ``None`` if it is not small enough.

    Regions shorten the last right singular vector of their active rows most. Pairs lie along it, on both
    sides of the origin, of some points drawn once and for all, and of given ones; on R^n the best ones are
    then improved by descent.

    Args:
        weight: ``W``, shape ``(m, n)``.
        bias: ``b``, shape ``(m,)``.
        domain: Where both must lie; R^n when ``None``.
        points: Points of the domain, shape ``(k, n)``.
        below: What the ratio must be smaller than.
    """
    if below <= 0:  # no ratio is
        return None
    if not 1 / _LARGE < np.abs(weight).max(initial=0) < _LARGE or np.abs(bias).max(initial=0) > _LARGE:
        return None
    norms = np.linalg.norm(weight, axis=1)
    # What is out of range makes infinite bounds.
    with np.errstate(all="ignore"):
        size = float(np.median(np.abs(bias[norms > 0]) / norms[norms > 0]))
        return _nearest(weight, bias, domain, points, below, size if 0 < size < _LARGE else 1.0)


def _nearest(
    weight: np.ndarray,
    bias: np.ndarray,
    domain: Domain | None,
    points: np.ndarray,
    below: float,
    size: float,
) -> Pair | None:
    m, n = weight.shape
    count = max(1, min(_CENTRES, _WORK // max(1, m * n)))
    drawn = size * np.random.default_rng(0).standard_normal((count, n))
    centres = np.vstack([np.zeros((1, n)), drawn, points[:count]])
    pairs = np.concatenate([_across(weight, bias, c, size) for c in centres])
    if domain is not None:
        pairs = pairs[domain.contains(pairs).all(axis=1)]
    if not len(pairs):
        return None
    ratios = np.array([_ratio(weight, bias, pair) for pair in pairs])
    best = [pairs[k] for k in np.argsort(ratios, kind="stable")[:_REFINED]]
    if domain is None:
        best += [_improved(weight, bias, pair) for pair in best]
    found = min(best, key=lambda pair: _bound(weight, bias, pair))
    bound = _bound(weight, bias, found)
    return Pair(bound, found) if bound < below else None


def _across(weight: np.ndarray, bias: np.ndarray, centre: np.ndarray, size: float) -> np.ndarray:
    """Return pairs along the direction that is shortened most at a point, shape ``(k, 2, n)``."""
    rows = weight[weight @ centre + bias >= 0]
    direction = np.linalg.eigh(rows.T @ rows)[1][:, 0]
    moves = [size * step * direction for step in _STEPS]
    apart = [(centre + v, centre - v) for v in moves] + [
        (centre, centre + s * v) for v in moves for s in (-1, 1)
    ]
    return np.array(apart)


def _ratio(weight: np.ndarray, bias: np.ndarray, pair: np.ndarray) -> float:
    outputs = np.maximum(pair @ weight.T + bias, 0)
    return float(np.linalg.norm(outputs[0] - outputs[1]) / np.linalg.norm(pair[0] - pair[1]))


def _bound(weight: np.ndarray, bias: np.ndarray, pair: np.ndarray) -> float:
    """Return the ratio, and what rounding may have taken from it; infinite for points that are one."""
    distance = float(np.linalg.norm(pair[0] - pair[1]))
    if distance == 0:
        return np.inf
    reach = float(np.linalg.norm(weight) * np.linalg.norm(pair) + np.linalg.norm(bias))
    error = 4 * (weight.shape[1] + 2) * _EPS * reach / distance
    bound = (_ratio(weight, bias, pair) + error) * (1 + 8 * _EPS * sum(weight.shape))
    return bound if np.isfinite(bound) else np.inf


def _improved(weight: np.ndarray, bias: np.ndarray, pair: np.ndarray) -> np.ndarray:
    """Return the pair after a descent of the squared ratio."""

    def value_and_slope(flat: np.ndarray) -> tuple[float, np.ndarray]:
        both = flat.reshape(pair.shape)
        apart = both[0] - both[1]
        squared = max(float(apart @ apart), np.finfo(np.float64).tiny)
        z = both @ weight.T + bias
        difference = np.maximum(z[0], 0) - np.maximum(z[1], 0)
        value = float(difference @ difference) / squared
        slopes = [(difference * (row > 0)) @ weight - value * apart for row in z]
        return value, 2 / squared * np.concatenate([slopes[0], -slopes[1]])

    done = minimize(value_and_slope, pair.reshape(-1), jac=True, method="L-BFGS-B")
    return np.asarray(done.x).reshape(pair.shape)
