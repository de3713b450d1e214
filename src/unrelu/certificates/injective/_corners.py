"""Rows that are weakly active on all of a box, the orthant, R^n or a ball.

On the first three their least value is taken at a corner, on the ball ``|x - c| <= r`` it is
``w · c + b - r |w|``.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates.injective._signs import bounded_sums

_ABOVE = 1 + 1e-9  # of a norm over what floating point makes of it, for fewer than a million entries
_SMALL = 1e-290  # a sum of squares below may have lost digits


def bounds(domain: DomainRecord) -> tuple[np.ndarray, np.ndarray] | None:
    """Return lower and upper bounds of a box, the orthant or R^n; ``None`` for other domains."""
    if domain.kind == "box" and domain.lower is not None and domain.upper is not None:
        return domain.lower, domain.upper
    if domain.kind in {"space", "orthant"}:
        low = 0.0 if domain.kind == "orthant" else -np.inf
        return np.full(domain.n, low), np.full(domain.n, np.inf)
    return None


def box_around(domain: DomainRecord) -> tuple[np.ndarray, np.ndarray] | None:
    """Return bounds of a box, the orthant, R^n, or of a box around a ball; ``None`` for other domains."""
    if domain.center is None or domain.radius is None:
        return bounds(domain)
    low, high = domain.center - domain.radius, domain.center + domain.radius
    return np.nextafter(low, -np.inf), np.nextafter(high, np.inf)


def always_active(layer: LayerRecord, domain: DomainRecord) -> np.ndarray:
    """Return the rows other than 0 that are weakly active on the whole closed domain, exactly.

    Args:
        layer: The layer.
        domain: The domain.

    Returns:
        Row numbers, int64; none for a polytope.
    """
    if domain.kind == "ball":
        return _active_on_ball(layer, domain)
    known = bounds(domain)
    if known is None:
        return np.zeros(0, dtype=np.int64)
    corner = np.where(layer.values > 0, known[0][layer.columns], known[1][layer.columns])
    rows = np.repeat(np.arange(layer.m), np.diff(layer.starts))
    reached = np.diff(layer.starts) > 0
    reached[rows[~np.isfinite(corner)]] = False
    corner = np.where(np.isfinite(corner), corner, 0.0)
    least, slack = bounded_sums(layer, corner)
    sure, hopeless = least >= slack, least < -slack
    unclear = np.flatnonzero(reached & ~sure & ~hopeless)
    sure[unclear] = [_least(layer, corner, i) >= 0 for i in unclear.tolist()]
    return np.flatnonzero(reached & sure)


def _active_on_ball(layer: LayerRecord, ball: DomainRecord) -> np.ndarray:
    if ball.center is None or ball.radius is None:
        return np.zeros(0, dtype=np.int64)
    used = np.diff(layer.starts) > 0
    values, slack = bounded_sums(layer, ball.center[layer.columns])
    squares, _ = bounded_sums(replace(layer, bias=np.zeros(layer.m)), layer.values)
    with np.errstate(over="ignore", invalid="ignore"):
        reach = ball.radius * np.sqrt(squares)
        clear = np.isfinite(reach + slack) & (np.minimum(squares, reach) > _SMALL)
        sure = clear & (values - slack > _ABOVE * reach)
        hopeless = clear & (values + slack < reach / _ABOVE)
    unclear = np.flatnonzero(used & ~sure & ~hopeless)
    sure[unclear] = [_reaches(layer, ball.center, ball.radius, i) for i in unclear.tolist()]
    return np.flatnonzero(used & sure)


def _reaches(layer: LayerRecord, center: np.ndarray, radius: float, i: int) -> bool:
    """Say whether the value of row ``i`` at the center is no less than the radius times its norm, exactly."""
    part = slice(layer.starts[i], layer.starts[i + 1])
    value = _least(layer, center[layer.columns], i)
    square = sum((Fraction(w) ** 2 for w in layer.values[part].tolist()), Fraction(0))
    return value >= 0 and value**2 >= Fraction(radius) ** 2 * square


def _least(layer: LayerRecord, corner: np.ndarray, i: int) -> Fraction:
    """Return the value of row ``i`` at its corner, exactly."""
    part = slice(layer.starts[i], layer.starts[i + 1])
    products = zip(layer.values[part].tolist(), corner[part].tolist(), strict=True)
    return sum((Fraction(w) * Fraction(c) for w, c in products), Fraction(float(layer.bias[i])))
