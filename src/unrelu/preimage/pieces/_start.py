"""The domain as a region of its affine hull."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import flint
import numpy as np

from unrelu.domains import Box
from unrelu.preimage.cones._exact import kernel
from unrelu.preimage.pieces._cones import homogenised, point_inside
from unrelu.preimage.pieces._rationals import Row, exact, matrix
from unrelu.preimage.pieces._region import Region

if TYPE_CHECKING:
    from unrelu.domains import Domain


@dataclass(frozen=True)
class Start:
    """Where a search begins: coordinates ``u`` of the domain's affine hull, a part of those of ``x``.

    Attributes:
        region: The domain in these coordinates.
        lift: ``(x, 1) = lift (u, 1)``, shape ``(n + 1, k + 1)``.
        free: Which coordinates of ``x`` are ``u``, and ``n`` for the constant.
        equations: Of the hull, rows over ``(x, 1)``.
        bounded: Whether the domain is known to be bounded.
    """

    region: Region
    lift: flint.fmpq_mat
    free: list[int]
    equations: list[Row]
    bounded: bool

    def in_x(self, row: Row) -> Row:
        """Return a function of ``u`` as one of ``x``."""
        out = [flint.fmpq(0)] * self.lift.nrows()
        for j, value in zip(self.free, row, strict=True):
            out[j] = value
        return out

    def point(self, u: Row) -> Row:
        """Return ``x``."""
        return (self.lift * matrix([[v] for v in u], 1)).entries()[:-1]


def start_of(domain: Domain | None, n: int) -> Start | None:
    """Describe a domain; ``None`` where it is empty.

    Raises:
        ArgumentError: If the domain is not polyhedral or of another dimension.
        ArithmeticError: If its dimension cannot be decided.
    """
    G, h = (np.zeros((0, n)), np.zeros(0)) if domain is None else domain.inequalities(n)
    rows = [[*map(exact, row), exact(-value)] for row, value in zip(G.tolist(), h.tolist(), strict=True)]
    cone = homogenised([], rows, n + 1)
    if cone is None:
        raise ArithmeticError
    point = point_inside(cone)
    if point is None:
        return None
    implied = set(cone.implied.tolist())
    lift, free = kernel(matrix([rows[i] for i in sorted(implied)], n + 1))
    inside = [point[j] for j in free]
    kept = matrix([row for i, row in enumerate(rows) if i not in implied], n + 1) * lift
    region = Region(tuple([-v for v in row] for row in kept.tolist()), inside)
    hull, rank = matrix([rows[i] for i in sorted(implied)], n + 1).rref() if implied else (lift, 0)
    return Start(region, lift, free, hull.tolist()[:rank], isinstance(domain, Box) and domain.bounded)
