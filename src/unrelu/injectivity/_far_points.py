"""Points of R^n at which few rows are active (Puthawala et al. 2022, Corollary 1).

Far out in a direction, the signs of ``W x + b`` are those of ``W`` in that direction. The active rows there
and in the opposite direction are all rows together: of fewer than 2n directions not n on both sides. Where
there are 2n, a row without an opposite one is active on one side of its hyperplane and missing on the other.
All of it is done in whole numbers: where a row is opposite to another one up to rounding, the wedge in which
both are negative is as thin as a rounding error.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates.injective import exact_vector
from unrelu.injectivity._lines import offset_on_line, rows_by_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from unrelu.certificates import LayerRecord
    from unrelu.frames import Frame

_RANDOM = 4
_LARGEST = 1e150
_RANGE = Fraction(np.finfo(np.float64).max)
_WHOLE = 1 << 20  # random whole numbers are no larger
_TRIALS = 8  # random directions to find one that lies on no hyperplane
_ENTRIES = 4_000_000  # of a layer, seconds in whole numbers


def far_points(layer: LayerRecord, frame: Frame) -> Iterator[np.ndarray]:
    """Yield points of R^n at which the active rows lie on fewer than n lines.

    Points in float64 come first, where few rows are active as computed. Where there are fewer than 2n
    different directions of rows, or 2n and the layer is not injective, a point in Fractions follows at which
    this is certain, unless the layer is very large.

    Args:
        layer: The layer.
        frame: Its rows.
    """
    for x in _candidates(layer, frame):
        if np.isfinite(x).all() and _lines(frame, frame.apply(x[None])[0] + layer.bias) < layer.n:
            yield x
    if len(layer.values) > _ENTRIES:
        return
    lines = rows_by_line(frame.directions)
    rays = sum(bool(rows[1]) + bool(rows[-1]) for rows in lines)
    if rays > 2 * layer.n:
        return
    found = _exactly(layer, frame, lines, rays)
    if found is not None:
        # Without biases a point may be scaled.
        unit = 1 if layer.bias.any() else max((abs(v) for v in found), default=0) or 1
        yield from _in_floats(found / unit)
        yield found


def _lines(frame: Frame, values: Sequence[float] | np.ndarray) -> int:
    """Return the number of lines that rows with values of at least 0 span, or of such rows if below n."""
    active = np.flatnonzero([v >= 0 for v in values])
    count = int(np.count_nonzero(frame.norms[active]))
    return count if count < frame.n else len(frame.directions.one_per_line(active))


def _candidates(layer: LayerRecord, frame: Frame) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(0)
    inverse = np.where(frame.norms > 0, 1 / np.where(frame.norms > 0, frame.norms, 1.0), 0.0)
    mean = frame.adjoint(inverse[None])[0]
    for direction in [mean, *rng.standard_normal((_RANDOM, layer.n))]:
        yield from (_far(layer, frame, sign * direction) for sign in (-1, 1))


def _far(layer: LayerRecord, frame: Frame, direction: np.ndarray) -> np.ndarray:
    """Return a point so far out that biases matter only where the direction has no part."""
    along = np.abs(frame.apply(direction[None])[0])
    counts = along > 1e-9 * frame.norms * np.linalg.norm(direction)
    ratio = np.divide(np.abs(layer.bias), along, out=np.zeros_like(along), where=counts)
    return np.asarray((1 + 2 * min(ratio.max(initial=0.0), _LARGEST)) * direction)


def _exactly(
    layer: LayerRecord, frame: Frame, lines: list[dict[int, list[int]]], rays: int
) -> np.ndarray | None:
    """Return a point in Fractions; ``None`` where there are n lines of opposite pairs, all without a gap."""
    alone = next((rows for rows in lines if not (rows[1] and rows[-1])), None)
    if rays == 2 * layer.n and alone is None:
        return _in_a_gap(layer, lines)
    row = (alone[1] or alone[-1])[0] if alone is not None and rays == 2 * layer.n else -1
    rng = np.random.default_rng(0)
    for _ in range(_TRIALS):
        random = rng.integers(-_WHOLE, _WHOLE + 1, layer.n).tolist()
        for direction in _directions(layer, frame, random, row):
            far = _far_out(layer, direction)
            if far is not None and _lines(frame, layer.affine.times(far)) < layer.n:
                return exact_vector(far[:-1])
    return None


def _directions(layer: LayerRecord, frame: Frame, random: list[int], row: int) -> Iterator[list[int]]:
    """Yield opposite directions; with a row, directions beside its hyperplane, near which no other one is."""
    if row < 0:
        yield from (random, [-v for v in random])
        return
    columns, entries = layer.affine.row(row)
    normal = [0] * layer.n
    for j, v in zip(columns.tolist(), entries, strict=True):
        if j < layer.n:
            normal[j] = v
    k = max(range(layer.n), key=lambda j: abs(normal[j]))
    size = abs(normal[k])
    on_it = [size * v for v in random]
    rest = sum(v * t for v, t in zip(normal, random, strict=True)) - normal[k] * random[k]
    on_it[k] = -(size // normal[k]) * rest
    along, across = (layer.affine.times([*v, 0]) for v in (on_it, normal))
    others = np.flatnonzero(frame.directions.line != frame.directions.line[row]).tolist()
    ratios = [abs(across[i]) // abs(along[i]) for i in others if along[i]]
    factor = 1 + max(ratios, default=0)
    for side in (-1, 1):
        beside = [factor * v + side * t for v, t in zip(on_it, normal, strict=True)]
        yield from (beside, [-v for v in beside])


def _far_out(layer: LayerRecord, direction: list[int]) -> list[int] | None:
    """Return the point that lies so far in a direction that no sign changes any more, and then a 1.

    ``None`` where the direction lies on the hyperplane of a row.
    """
    along, offsets = layer.affine.times([*direction, 0]), layer.affine.times([0] * layer.n + [1])
    used = np.flatnonzero(np.diff(layer.starts)).tolist()
    if not all(along[i] for i in used):
        return None
    factor = 1 + max((abs(offsets[i]) // abs(along[i]) for i in used), default=0)
    return [*(factor * v for v in direction), 1]


def _in_a_gap(layer: LayerRecord, lines: list[dict[int, list[int]]]) -> np.ndarray | None:
    """Return a point between the hyperplanes of opposite rows, where both are negative."""
    for rows in lines:
        up, down = (max(offset_on_line(layer, r) for r in rows[s]) for s in (1, -1))
        if up + down < 0:
            start = layer.starts[rows[1][0]]
            x = exact_vector([0] * layer.n)
            x[layer.columns[start]] = (down - up) / 2 * (1 if layer.values[start] > 0 else -1)
            return x
    return None


def _in_floats(x: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the nearest point in float64, if there is one."""
    if all(abs(v) < _RANGE for v in x):
        yield x.astype(np.float64)
