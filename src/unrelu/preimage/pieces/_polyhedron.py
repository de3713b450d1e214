"""A polyhedron in rational numbers: membership, and in the plane its corners and its area."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import combinations

import numpy as np

Point = tuple[Fraction, ...]


@dataclass(frozen=True, eq=False)
class Polyhedron:
    """``{x : E x = e, G x <= g}``, entries `fractions.Fraction`.

    Attributes:
        E: Shape ``(p, n)``, independent rows.
        e: Shape ``(p,)``.
        G: Shape ``(q, n)``; some rows may follow from others.
        g: Shape ``(q,)``.
    """

    E: np.ndarray
    e: np.ndarray
    G: np.ndarray
    g: np.ndarray

    def contains(self, x: list[Fraction]) -> bool:
        """Return whether a point fulfils all rows, exactly."""
        point = np.array(x, dtype=object)
        equal = all(v == 0 for v in self.E @ point - self.e)
        return equal and all(v <= 0 for v in self.G @ point - self.g)

    def within(self, lo: list[Fraction], hi: list[Fraction]) -> Polyhedron:
        """Return the part in a box."""
        one = np.array(
            [[Fraction(int(i == j)) for j in range(len(lo))] for i in range(len(lo))], dtype=object
        )
        borders = np.concatenate([np.array([-v for v in lo], dtype=object), np.array(hi, dtype=object)])
        return Polyhedron(
            self.E, self.e, np.concatenate([self.G, -one, one]), np.concatenate([self.g, borders])
        )

    @cached_property
    def corners(self) -> tuple[Point, ...]:
        """The vertices of a polyhedron in the plane, counterclockwise."""
        rows = [(*row, value) for row, value in zip(self.E.tolist(), self.e.tolist(), strict=True)]
        rows += [(*row, value) for row, value in zip(self.G.tolist(), self.g.tolist(), strict=True)]
        found = {point for a, b in combinations(rows, 2) if (point := _crossing(a, b)) is not None}
        return _hull(sorted(point for point in found if self.contains(list(point))))


def area(corners: tuple[Point, ...]) -> Fraction:
    """Return the area of a polygon with these corners, counterclockwise (the shoelace formula)."""
    following = corners[1:] + corners[:1]
    doubled = (a[0] * b[1] - a[1] * b[0] for a, b in zip(corners, following, strict=True))
    return sum(doubled, Fraction(0)) / 2


def _crossing(a: tuple[Fraction, ...], b: tuple[Fraction, ...]) -> Point | None:
    """Return where two lines ``a_0 x + a_1 y = a_2`` meet in one point."""
    determinant = a[0] * b[1] - a[1] * b[0]
    if determinant == 0:
        return None
    return (a[2] * b[1] - a[1] * b[2]) / determinant, (a[0] * b[2] - a[2] * b[0]) / determinant


def _hull(points: list[Point]) -> tuple[Point, ...]:
    """Return the extreme points of sorted ones, counterclockwise (Andrew 1979)."""
    if len(points) < 3:
        return tuple(points)
    return tuple(_chain(points)[:-1] + _chain(points[::-1])[:-1])


def _chain(points: list[Point]) -> list[Point]:
    chain: list[Point] = []
    for point in points:
        while len(chain) > 1 and not _turns_left(chain[-2], chain[-1], point):
            chain.pop()
        chain.append(point)
    return chain


def _turns_left(a: Point, b: Point, c: Point) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) > (b[1] - a[1]) * (c[0] - a[0])
