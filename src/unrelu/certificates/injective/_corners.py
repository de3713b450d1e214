"""Rows that are weakly active on all of a box, the orthant or R^n: their least value is taken at a corner."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord

_ROUNDING = 2.0**-50  # of a sum of k products, relative to their sizes, times k + 2: eight times the unit
_UNDERFLOW = 2.0**-1060


def bounds(domain: DomainRecord) -> tuple[np.ndarray, np.ndarray] | None:
    """Return lower and upper bounds of a box, the orthant or R^n; ``None`` for other domains."""
    if domain.kind == "box" and domain.lower is not None and domain.upper is not None:
        return domain.lower, domain.upper
    if domain.kind in {"space", "orthant"}:
        low = 0.0 if domain.kind == "orthant" else -np.inf
        return np.full(domain.n, low), np.full(domain.n, np.inf)
    return None


def always_active(layer: LayerRecord, domain: DomainRecord) -> np.ndarray:
    """Return the rows other than 0 that are weakly active on the whole closed domain, exactly.

    Args:
        layer: The layer.
        domain: The domain.

    Returns:
        Row numbers, int64; none for domains that are no box, orthant or R^n.
    """
    known = bounds(domain)
    if known is None:
        return np.zeros(0, dtype=np.int64)
    corner = np.where(layer.values > 0, known[0][layer.columns], known[1][layer.columns])
    rows = np.repeat(np.arange(layer.m), np.diff(layer.starts))
    reached = np.diff(layer.starts) > 0
    reached[rows[~np.isfinite(corner)]] = False
    corner = np.where(np.isfinite(corner), corner, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):
        products = layer.values * corner
        least, size, terms = (
            np.bincount(rows, weights=v, minlength=layer.m) for v in (products, np.abs(products), corner != 0)
        )
        least = least + layer.bias
        slack = _ROUNDING * (terms + 2) * (size + np.abs(layer.bias)) + _UNDERFLOW * terms
        slack[terms == 0] = 0.0
        sure, hopeless = least >= slack, least < -slack
    unclear = np.flatnonzero(reached & ~sure & ~hopeless)
    sure[unclear] = [_least(layer, corner, i) >= 0 for i in unclear.tolist()]
    return np.flatnonzero(reached & sure)


def _least(layer: LayerRecord, corner: np.ndarray, i: int) -> Fraction:
    """Return the value of row ``i`` at its corner, exactly."""
    part = slice(layer.starts[i], layer.starts[i + 1])
    products = zip(layer.values[part].tolist(), corner[part].tolist(), strict=True)
    return sum((Fraction(w) * Fraction(c) for w, c in products), Fraction(float(layer.bias[i])))
