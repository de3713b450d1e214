"""Whether rows may be counted: any ``n`` of them span R^n in general position (full spark), not otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unrelu.bias._select import ByCount, ByRank, Criterion
from unrelu.errors import ArgumentError
from unrelu.frames import Frame, frame_of
from unrelu.frames._scaling import UNIT

if TYPE_CHECKING:
    from unrelu.layers import ReLULayer


def criterion(layer: ReLULayer, assume_general_position: bool | None) -> Criterion:
    """Choose how to tell which rows span.

    Rows are counted where that is asked for, or where nothing is asked for and the layer shows no structure
    that makes ``n`` of them dependent (full spark itself cannot be checked). Otherwise their rank is proved.

    Raises:
        ArgumentError: If even all rows do not span, or are not proved to where that is needed.
    """
    try:
        frame = frame_of(layer)
    except ArgumentError:
        if assume_general_position:  # rows too many to hold are still counted
            return ByCount(layer.n)
        raise
    every = np.arange(frame.m)
    if not frame.spans(every) and not (assume_general_position and frame.rank_limit == frame.n):
        raise ArgumentError(f"layer: expected rows that span R^{frame.n}, got {_shortcoming(frame)}")
    if assume_general_position is None:
        assume_general_position = not _has_structure(frame)
    return ByCount(frame.n) if assume_general_position else ByRank(frame)


def _shortcoming(frame: Frame) -> str:
    low, high = frame.rank_bounds(np.arange(frame.m))
    if high < frame.n:
        return f"rank {high}" if low == high else f"rank at most {high}"
    return "rows too close to dependent to prove it; assume_general_position=True only counts them"


def _has_structure(frame: Frame) -> bool:
    """Return whether zeros, or rows on one line, may make ``n`` rows dependent.

    Zeros alone do so only in an ``r x s`` block with ``r + s > n`` (Frobenius and König): at least n of them.
    """
    rows = frame.rows(np.arange(frame.m))
    if not isinstance(rows, np.ndarray) or rows.size - np.count_nonzero(rows) >= frame.n:
        return True
    if frame.n == 1 or _on_different_lines(rows, frame.norms):
        return False
    return not np.array_equal(frame.directions.line, np.arange(frame.m))


def _on_different_lines(rows: np.ndarray, norms: np.ndarray) -> bool:
    """Return whether a projection to the plane proves that no two rows lie on one line.

    It takes lines to lines, whose angles are compared. Their rounding error is bounded where no row becomes
    shorter than a thousandth. Quicker than `Frame.directions`, and nearly always enough.
    """
    shortest = 1e-3
    plane = np.random.default_rng(0).standard_normal((rows.shape[1], 2))
    with np.errstate(over="ignore", invalid="ignore"):
        x, y = (rows @ plane).T
        length = np.hypot(x, y)
    if not (length > shortest * norms).all():  # zero rows and NaN included
        return False
    angle = np.sort(np.arctan2(y, x) % np.pi)
    gaps = np.diff(angle, append=angle[0] + np.pi)
    return bool(gaps.min() > 4 * UNIT * rows.shape[1] * np.linalg.norm(plane) / shortest)
