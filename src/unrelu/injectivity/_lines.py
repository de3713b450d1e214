"""Facts about single rows and pairs of rows (Puthawala et al. 2022, Corollary 1).

At every input one row of an opposite pair is weakly active, and on a domain some rows always are.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unrelu.certificates import DomainRecord, LayerRecord
    from unrelu.frames import Directions

_ROUNDING = 2.0**-50


def opposite_pairs(layer: LayerRecord, lines: Directions) -> tuple[tuple[int, int], ...]:
    """Return on every line a pair of opposite rows that leaves no input without one of them.

    Rows ``(w, b)`` and ``(-d w, b')`` with ``d > 0`` are such a pair if ``b + b' / d >= 0``.

    Args:
        layer: The layer.
        lines: The lines that its rows span.

    Returns:
        Row numbers, the row with the sign of the line's first row coming first.
    """
    pairs = []
    for rows in rows_by_line(lines):
        if rows[1] and rows[-1]:
            # On the line's coordinate one row is active from -up on, the other as far as down.
            (up, i), (down, j) = (max((offset_on_line(layer, r), r) for r in rows[s]) for s in (1, -1))
            if up + down >= 0:
                pairs.append((i, j))
    return tuple(pairs)


def rows_by_line(lines: Directions) -> list[dict[int, list[int]]]:
    """Return for each line the rows along it, key 1, and against it, key -1."""
    by_line: dict[int, dict[int, list[int]]] = {}
    for row, (line, sign) in enumerate(zip(lines.line.tolist(), lines.sign.tolist(), strict=True)):
        if line >= 0:
            by_line.setdefault(line, {1: [], -1: []})[sign].append(row)
    return list(by_line.values())


def offset_on_line(layer: LayerRecord, row: int) -> Fraction:
    """Return ``b_i`` in units of the row's first non-zero weight, exactly: comparable along one line."""
    return Fraction(float(layer.bias[row])) / abs(Fraction(float(layer.values[layer.starts[row]])))


def always_active(layer: LayerRecord, domain: DomainRecord) -> np.ndarray:
    """Return the rows that are weakly active on the whole domain, where it is a box, orthant or R^n.

    Args:
        layer: The layer.
        domain: The domain.

    Returns:
        Row numbers, without zero rows; none for other domains.
    """
    lower, upper = bounds(domain)
    if lower is None or upper is None:
        return np.zeros(0, dtype=np.int64)
    corner = np.where(layer.values > 0, lower[layer.columns], upper[layer.columns])
    with np.errstate(invalid="ignore", over="ignore"):
        products = layer.values * corner
        least, size = (_row_sums(layer, v) for v in (products, np.abs(products)))
        slack = _ROUNDING * (np.diff(layer.starts) + 2) * (size + np.abs(layer.bias))
        candidates = np.flatnonzero((least + layer.bias >= -slack) & (np.diff(layer.starts) > 0))
    exact = [i for i in candidates.tolist() if _least(layer, corner, i) >= 0]
    return np.array(exact, dtype=np.int64)


def bounds(domain: DomainRecord) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Return lower and upper bounds of a box, the orthant or R^n; ``None`` for other domains."""
    if domain.kind == "box" and domain.lower is not None and domain.upper is not None:
        return domain.lower, domain.upper
    if domain.kind in {"space", "orthant"}:
        low = 0.0 if domain.kind == "orthant" else -np.inf
        return np.full(domain.n, low), np.full(domain.n, np.inf)
    return None, None


def _row_sums(layer: LayerRecord, values: np.ndarray) -> np.ndarray:
    rows = np.repeat(np.arange(layer.m), np.diff(layer.starts))
    return np.bincount(rows, weights=values, minlength=layer.m)


def _least(layer: LayerRecord, corner: np.ndarray, row: int) -> Fraction | float:
    """Return the least value of ``w_i · x + b_i``, exactly."""
    part = slice(layer.starts[row], layer.starts[row + 1])
    if not np.isfinite(corner[part]).all():
        return -np.inf
    products = zip(layer.values[part].tolist(), corner[part].tolist(), strict=True)
    return sum((Fraction(w) * Fraction(c) for w, c in products), Fraction(float(layer.bias[row])))
