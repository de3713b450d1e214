"""Intervals for affine functions and activations, in rational numbers that are rounded outwards."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import flint

from unrelu.preimage.pieces._rationals import Row, exact

if TYPE_CHECKING:
    from collections.abc import Sequence

Interval = tuple[flint.fmpq | None, flint.fmpq | None]  # None: no bound on this side
Box = tuple[Interval, ...]


def range_of(row: Row, box: Sequence[Interval]) -> Interval:
    """Return bounds of an affine function ``(a, b)`` of variables in a box."""
    low: flint.fmpq | None = row[-1]
    high: flint.fmpq | None = row[-1]
    for a, (lo, hi) in zip(row[:-1], box, strict=True):
        if a == 0:
            continue
        below, above = (lo, hi) if a > 0 else (hi, lo)
        low = None if low is None or below is None else low + a * below
        high = None if high is None or above is None else high + a * above
    return low, high


def rectified(interval: Interval) -> Interval:
    """Return bounds behind a ReLU."""
    zero = flint.fmpq(0)
    low, high = interval
    return (zero if low is None else max(low, zero)), (None if high is None else max(high, zero))


def tightened(box: Box, row: Row) -> Box:
    """Return a smaller box that still holds all of its points with ``row >= 0``."""
    _, total = range_of(row, box)
    found = list(box)
    for j, a in enumerate(row[:-1]):
        if a == 0:
            continue
        lo, hi = box[j]
        own = hi if a > 0 else lo
        if total is not None and own is not None:
            rest = total - a * own
        else:
            others = range_of([*row[:j], flint.fmpq(0), *row[j + 1 :]], box)[1]
            if others is None:
                continue
            rest = others
        border = -rest / a
        if a > 0 and (lo is None or border > lo):
            found[j] = (_shorter(border, -math.inf, lo), hi)
        elif a < 0 and (hi is None or border < hi):
            found[j] = (lo, _shorter(border, math.inf, hi))
    return tuple(found)


def _shorter(value: flint.fmpq, towards: float, other: flint.fmpq | None) -> flint.fmpq | None:
    """Round outwards to float64; ``other`` where that is out of range."""
    try:
        rounded = math.nextafter(float(value), towards)
    except OverflowError:
        return other
    return exact(rounded) if math.isfinite(rounded) else other
