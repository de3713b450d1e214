"""Full-dimensional polyhedra, cut in two by the zero set of an affine function: with exact proof.

A region keeps a point strictly inside. Seen from there, ``row >= 0`` holds on all of it if and only if the
function is a combination of the region's own rows and 1 with weights that are not negative (Farkas). Floating
point proposes a point or the weights; both are checked exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import flint
import numpy as np

from unrelu.preimage.pieces._cones import homogenised, point_inside
from unrelu.preimage.pieces._rationals import Row, combination, dot, exact, negated
from unrelu.solvers import minimize

_POSITIVE = 1e-9  # share of the largest multiplier that counts as one; what is taken is checked
_BEYOND = 1e-9  # by how much the program must reach beyond the border for its point to be tried
_HALF = flint.fmpq(1, 2)
_LITTLE = flint.fmpq(1, 2**40)  # share of a value that a proof of being positive gives away


@dataclass(frozen=True)
class Region:
    """``{u : row >= 0 for all rows}``.

    Attributes:
        rows: Affine functions, positive at the point inside.
        inside: The point, ``(u, 1)``.
    """

    rows: tuple[Row, ...]
    inside: Row

    def contains_inside(self, point: Row) -> bool:
        """Return whether a point is strictly inside."""
        return all(dot(row, point) > 0 for row in self.rows)


@dataclass(frozen=True)
class Sides:
    """What a function cuts a region into.

    Attributes:
        positive: Where it is ``>= 0``; ``None`` if that is no full-dimensional part.
        negative: Where it is ``<= 0``; likewise.
        proved: Whether what is ``None`` is proved to be so.
        programs: How many linear programs were solved.
    """

    positive: Region | None
    negative: Region | None
    proved: bool = True
    programs: int = 0


def split(region: Region, row: Row) -> Sides:
    """Cut a region by the zero set of an affine function; where that is 0 throughout, no side is left."""
    value = dot(row, region.inside)
    if not any(row[:-1]):
        return Sides(region if value > 0 else None, region if value < 0 else None)
    if value == 0:
        up, down = (_moved(region, step) for step in (row, negated(row)))
        return Sides(_cut(region, row, up), _cut(region, negated(row), down))
    own = row if value > 0 else negated(row)
    answer = _beyond(region, own, abs(value))
    redundant = answer.proved and answer.point is None
    near = region if redundant else _cut(region, own, region.inside)
    far = None if answer.point is None else _cut(region, negated(own), answer.point)
    positive, negative = (near, far) if value > 0 else (far, near)
    return Sides(positive, negative, answer.proved, answer.programs)


def _cut(region: Region, row: Row, point: Row) -> Region:
    return Region((*region.rows, row), point)


def _moved(region: Region, row: Row) -> Row:
    """Return a point inside in the direction in which a function that is 0 there rises."""
    step = flint.fmpq(1)
    for other in region.rows:
        rate = dot(other[:-1], row[:-1])
        if rate < 0:
            step = min(step, dot(other, region.inside) / -rate * _HALF)
    return _rounded(region, row, _along(region.inside, row, step))


def _along(point: Row, direction: Row, step: flint.fmpq) -> Row:
    return [*(v + step * d for v, d in zip(point[:-1], direction[:-1], strict=True)), point[-1]]


def _rounded(region: Region, row: Row, point: Row) -> Row:
    """Return the point in float64 where that keeps it inside and the function positive: short numbers."""
    try:
        short = [exact(float(v)) for v in point]
    except OverflowError:
        return point
    return short if dot(row, short) > 0 and region.contains_inside(short) else point


def is_positive(region: Region, row: Row) -> bool:
    """Return whether a function is proved to be positive on a region; ``False`` says nothing."""
    value = dot(row, region.inside)
    if value <= 0:
        return False
    if not any(row[:-1]):
        return True
    lowered = [*row[:-1], row[-1] - value * _LITTLE]
    answer = _proposed(region, lowered, dot(lowered, region.inside))
    return answer.proved and answer.point is None


@dataclass(frozen=True)
class _Answer:
    """Where a function is negative that is positive at the region's point.

    Attributes:
        point: A point inside.
        proved: Whether there is a point, or proved to be none.
        programs: How many linear programs were solved.
    """

    point: Row | None
    proved: bool
    programs: int


def _beyond(region: Region, row: Row, value: flint.fmpq) -> _Answer:
    """Look for a point where a function is negative whose value at the region's point is positive."""
    answer = _proposed(region, row, value)
    return answer if answer.proved else _decided(region, row, answer.programs)


def _proposed(region: Region, row: Row, value: flint.fmpq) -> _Answer:
    """Do the same by a linear program in floating point, whose answer must stand the check."""
    slack = [dot(other, region.inside) for other in region.rows]
    seen = _seen([*region.rows, row], [*slack, value])
    with np.errstate(all="ignore"):
        straight = seen[-1] * (2 / max(float(seen[-1] @ seen[-1]), 1e-300))
    if not np.isfinite(seen).all() or not np.isfinite(straight).all():
        return _Answer(None, False, 0)
    if (seen[:-1] @ straight).max(initial=0.0) < 2 - _BEYOND:
        point = _reached(region, row, value, slack, straight)
        if point is not None:
            return _Answer(point, True, 0)
    free = np.full(len(row) - 1, np.inf)
    upper = np.append(np.ones(len(slack)), 2.0)
    found = minimize(-seen[-1], seen, upper, (-free, free))
    if found.optimal and float(seen[-1] @ found.v) > 1 + _BEYOND:
        point = _reached(region, row, value, slack, found.v)
        return _Answer(point, point is not None, 1)
    return _Answer(None, found.optimal and _proved(region, row, found.dual[:-1]), 1)


def _seen(rows: list[Row], values: list[flint.fmpq]) -> np.ndarray:
    """Return ``-a / value`` in float64: ``row >= 0`` is ``-a / value · d <= 1`` for the distance ``d``."""
    out = np.zeros((len(rows), len(rows[0]) - 1))
    for i, (row, value) in enumerate(zip(rows, values, strict=True)):
        try:
            out[i] = [-float(v / value) for v in row[:-1]]
        except OverflowError:
            out[i] = np.inf
    return out


def _reached(region: Region, row: Row, value: flint.fmpq, slack: Row, d: np.ndarray) -> Row | None:
    """Go as far as the region allows, then back half of the way to the border of the function."""
    direction = [*map(exact, d.tolist()), flint.fmpq(0)]
    fall = -dot(row, direction)
    longest = max(
        (-dot(other, direction) / s for other, s in zip(region.rows, slack, strict=True)),
        default=flint.fmpq(0),
    )
    step = 1 / max(longest, flint.fmpq(1))
    if fall * step <= value:
        return None
    middle = (step + value / fall) * _HALF
    return _rounded(region, negated(row), _along(region.inside, direction, middle))


def _proved(region: Region, row: Row, multipliers: np.ndarray) -> bool:
    """Return whether the function is a combination of rows and 1 with the weights that are proposed."""
    index = np.flatnonzero(multipliers > _POSITIVE * max(multipliers.max(initial=0.0), 1e-300))
    rows = [region.rows[i] for i in index]
    weights = combination(row[:-1], [other[:-1] for other in rows])
    if weights is None or any(w < 0 for w in weights):
        return False
    return bool(
        row[-1] >= sum((w * other[-1] for w, other in zip(weights, rows, strict=True)), flint.fmpq(0))
    )


def _decided(region: Region, row: Row, programs: int) -> _Answer:
    """Decide by the cone of the homogenised rows, exactly."""
    cone = homogenised([], [row, *(negated(other) for other in region.rows)], len(row))
    if cone is None:
        return _Answer(None, False, programs + 1)
    point = point_inside(cone)
    if point is None or 0 in cone.implied:
        return _Answer(None, True, programs + 1)
    return _Answer(_rounded(region, negated(row), point), True, programs + 1)
