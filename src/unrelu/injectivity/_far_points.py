"""Points of R^n at which few rows are active (Puthawala et al. 2022, Corollary 1).

Far out in a direction, the signs of ``W x + b`` are those of ``W`` in that direction. The active rows there
and in the opposite direction are all rows together: of fewer than 2n rows not n on both sides. Where there
are 2n, a row without an opposite one is active on one side of its hyperplane and missing on the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from unrelu.injectivity._lines import offset_on_line, rows_by_line

if TYPE_CHECKING:
    from unrelu.certificates import LayerRecord
    from unrelu.frames import Frame

_RANDOM = 4
_LARGEST = 1e150


def far_points(layer: LayerRecord, frame: Frame) -> Iterator[np.ndarray]:
    """Yield points of R^n at which, as computed in float64, the active rows lie on fewer than n lines.

    Where there are fewer than 2n different directions of rows, or 2n and the layer is not injective, one of
    the points is such a point unless rounding prevents it.

    Args:
        layer: The layer.
        frame: Its rows.
    """
    lines = rows_by_line(frame.directions)
    rays = sum(bool(rows[1]) + bool(rows[-1]) for rows in lines)
    for x in _candidates(layer, frame, lines if rays == 2 * layer.n else []):
        if np.isfinite(x).all():
            active = frame.directions.line[_is_active(layer, frame, x)]
            if len(np.unique(active[active >= 0])) < layer.n:
                yield x


def _is_active(layer: LayerRecord, frame: Frame, x: np.ndarray) -> np.ndarray:
    return np.asarray(frame.apply(x[None])[0] + layer.bias >= 0)


def _candidates(layer: LayerRecord, frame: Frame, lines: list[dict[int, list[int]]]) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    inverse = np.where(frame.norms > 0, 1 / np.where(frame.norms > 0, frame.norms, 1.0), 0.0)
    mean = frame.adjoint(inverse[None])[0]
    for direction in [mean, *rng.standard_normal((_RANDOM, layer.n))]:
        yield from (_far(layer, frame, sign * direction, np.zeros(layer.n)) for sign in (-1, 1))
    for rows in lines:
        yield from _beside(layer, frame, rows, rng.standard_normal(layer.n))


def _far(layer: LayerRecord, frame: Frame, direction: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Return a point so far from the start that biases matter only where the direction has no part."""
    along = np.abs(frame.apply(direction[None])[0])
    value = np.abs(frame.apply(start[None])[0] + layer.bias)
    counts = along > 1e-9 * frame.norms * np.linalg.norm(direction)
    ratio = np.divide(value, along, out=np.zeros_like(value), where=counts)
    return np.asarray(start + (1 + 2 * min(ratio.max(initial=0.0), _LARGEST)) * direction)


def _beside(
    layer: LayerRecord, frame: Frame, rows: dict[int, list[int]], direction: np.ndarray
) -> Iterator[np.ndarray]:
    """Yield far points on both sides of the hyperplane of one line, or between those of an opposite pair."""
    row = (rows[1] or rows[-1])[0]
    dense = frame.rows(np.array([row]))
    normal = (dense.toarray() if hasattr(dense, "toarray") else dense)[0]
    normal /= np.abs(normal).max()
    square = normal @ normal
    direction = direction - (direction @ normal) / square * normal
    if rows[1] and rows[-1]:
        up, down = (max(offset_on_line(layer, r) for r in rows[s]) for s in (1, -1))
        first = layer.values[layer.starts[row]]
        middle = float(down - up) / 2 * abs(first) / first * normal[layer.columns[layer.starts[row]]]
        starts = [middle / square * normal]
        steps = [0.0]
    else:
        across, along = (np.abs(frame.apply(v[None])[0]) for v in (normal, direction))
        counts = along > 1e-9 * frame.norms * np.linalg.norm(direction)
        ratio = np.divide(along, across, out=np.ones_like(along), where=counts & (across > 0))
        starts, steps = [np.zeros(layer.n)], [-0.5 * ratio.min(), 0.5 * ratio.min()]
    for start in starts:
        for step in steps:
            yield from (_far(layer, frame, sign * (direction + step * normal), start) for sign in (-1, 1))
