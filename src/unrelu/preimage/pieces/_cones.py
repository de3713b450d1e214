"""The cone of a homogenised system whose rows are rational numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flint
import numpy as np

from unrelu.preimage.cones._exact import exact_cone
from unrelu.preimage.pieces._rationals import Row, exact, table

if TYPE_CHECKING:
    from unrelu.preimage.cones import Cone


def cone_of(equations: list[Row], inequalities: list[Row], width: int) -> Cone | None:
    """Decide the cone ``{d : E d = 0, G d <= 0}``; ``None`` where that is too long a way.

    Args:
        equations: Rows ``E`` of ``width`` entries.
        inequalities: Rows ``G``.
        width: Number of coordinates.
    """
    with np.errstate(all="ignore"):  # what floating point proposes is checked
        return exact_cone(table(equations, width), table(inequalities, width))


def homogenised(equations: list[Row], inequalities: list[Row], width: int) -> Cone | None:
    """Decide the cone over ``{u : row = 0 for equations, row <= 0 for inequalities}``; rows are ``(a, b)``.

    Coordinates are ``(u, s)``, and ``-s <= 0`` is the last inequality.
    """
    above = [flint.fmpq(0)] * (width - 1) + [flint.fmpq(-1)]
    return cone_of(equations, [*inequalities, above], width)


def point_inside(cone: Cone) -> Row | None:
    """Return ``(u, 1)`` in the relative interior of a homogenised system, ``None`` if that is empty."""
    if cone.direction is None or not cone.direction[-1]:
        return None
    direction = [exact(v) for v in cone.direction]
    return [v / direction[-1] for v in direction]
