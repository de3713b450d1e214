"""Two linear regions of a network: different inputs with the same output, or a proof that there are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import flint

from unrelu.certificates._circuits import kernel, stacked
from unrelu.certificates._verify_regions import is_diagonal, joint
from unrelu.injectivity.networks._circuits import circuit, proposed
from unrelu.preimage.pieces._cones import cone_of
from unrelu.preimage.pieces._rationals import dot, exact

if TYPE_CHECKING:
    from unrelu.certificates._circuits import Row
    from unrelu.certificates._verify_regions import Region
    from unrelu.preimage.cones import Cone


@dataclass(frozen=True)
class Pair:
    """What was found.

    Attributes:
        circuits: The proof that inputs with the same output are the same, as row numbers; ``None`` if it is
            not so, or was not decided.
        x: An input of the one region.
        other: Another input, of the other region, with the same output.
    """

    circuits: list[list[int]] | None = None
    x: Row | None = None
    other: Row | None = None


def decide_pair(one: Region, two: Region, beyond: int) -> Pair:
    """Look for different inputs with the same output.

    Args:
        one: A region on which the network is affine.
        two: Another one, or the same.
        beyond: Number of the row ``(0, -1)`` among theirs.
    """
    rows, equations = joint(one, two)
    width = len(rows[0])
    seen = kernel(stacked(equations, width))
    if is_diagonal(seen):
        return Pair([])
    reduced = (stacked(rows, width) * seen).tolist()
    apart = proposed(reduced, beyond) if seen.ncols() else None
    if apart is not None:
        return Pair([apart])
    cone = cone_of([], reduced, seen.ncols())
    if cone is None:
        return Pair()
    implied = cone.implied.tolist()
    weights = [] if cone.multipliers is None else [exact(v) for v in cone.multipliers]
    positive = dict(zip(implied, weights, strict=True))
    if beyond in positive:
        return Pair([_circuit(reduced, positive, beyond)])
    flat = kernel(stacked([*equations, *(rows[k] for k in implied)], width))
    if is_diagonal(flat):
        return Pair(_cover(reduced, positive))
    x, other = _apart(rows, implied, seen, cone, flat)
    return Pair(None, x, other)


def _circuit(reduced: list[Row], positive: dict[int, flint.fmpq], keep: int) -> list[int]:
    numbers = list(positive)
    found = circuit([reduced[k] for k in numbers], list(positive.values()), numbers.index(keep))
    return [numbers[i] for i in found]


def _cover(reduced: list[Row], positive: dict[int, flint.fmpq]) -> list[list[int]]:
    """Return circuits that together use all rows."""
    circuits: list[list[int]] = []
    left = list(positive)
    while left:
        circuits.append(_circuit(reduced, positive, left[0]))
        left = [k for k in left if k not in circuits[-1]]
    return circuits


def _apart(
    rows: list[Row], implied: list[int], seen: flint.fmpq_mat, cone: Cone, flat: flint.fmpq_mat
) -> tuple[Row, Row]:
    """Return different inputs with the same output.

    From a point where all rows that are not 0 throughout are negative, there is room in every direction
    along which the others stay 0.
    """
    n = flat.nrows() // 2
    inner = [] if cone.direction is None else [exact(v) for v in cone.direction]
    point: Row = (seen * stacked([[v] for v in inner], 1)).entries()
    if point[:n] == point[n : 2 * n]:
        direction = next(v for v in flat.transpose().tolist() if v[:n] != v[n : 2 * n])
        strict = [rows[k] for k in range(len(rows)) if k not in set(implied)]
        steps = [(dot(row, direction), -dot(row, point)) for row in strict]
        share = min((room / (2 * v) for v, room in steps if v > 0), default=flint.fmpq(1))
        point = [a + share * v for a, v in zip(point, direction, strict=True)]
    scaled = [v / point[-1] for v in point]
    return scaled[:n], scaled[n : 2 * n]
