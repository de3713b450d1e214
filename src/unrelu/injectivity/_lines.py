"""Lines that rows span, and pairs of opposite rows on them (Puthawala et al. 2022, Corollary 1)."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unrelu.certificates import LayerRecord
    from unrelu.frames import Directions


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
