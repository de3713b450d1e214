"""The part of a region, on which the whole network is affine, where the output is the given one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import flint
import numpy as np

from unrelu.preimage.cones import pivots
from unrelu.preimage.pieces._cones import cone_of, homogenised, point_inside
from unrelu.preimage.pieces._polyhedron import Polyhedron
from unrelu.preimage.pieces._rationals import (
    Row,
    combination,
    exact,
    fraction,
    independent,
    near_one,
    negated,
    table,
    unit_row,
)
from unrelu.preimage.pieces._result import Piece

if TYPE_CHECKING:
    from unrelu.preimage.pieces._chain import Chain
    from unrelu.preimage.pieces._region import Region
    from unrelu.preimage.pieces._start import Start

_ROUNDING = 16.0  # allowed on top of the dtype's rounding error and the number of terms


@dataclass(frozen=True)
class Target:
    """The output that is asked for.

    Attributes:
        y: Its entries.
        eps: Relative rounding error that it is read with; 0 reads the stored numbers.
    """

    y: Row
    eps: float = 0.0


@dataclass(frozen=True)
class Leaf:
    """What was found.

    Attributes:
        piece: The piece, ``None`` if there is none.
        decided: Whether that is proved.
        programs: Number of linear programs.
    """

    piece: Piece | None
    decided: bool
    programs: int


@dataclass(frozen=True)
class _System:
    """Rows over ``(u, 1)``: equations, and functions that are at most 0."""

    equations: list[Row]
    inequalities: list[Row]


def leaf(chain: Chain, start: Start, region: Region, head: list[Row], target: Target) -> Leaf:
    """Intersect a region with what the output asks of the last affine map.

    Args:
        chain: The network.
        start: The coordinates.
        region: A region on which all layers before the last map keep their signs.
        head: The last map as functions of ``(u, 1)``.
        target: The output.
    """
    shifted = [[*row[:-1], row[-1] - y] for row, y in zip(head, target.y, strict=True)]
    equal = [row for row, y in zip(shifted, target.y, strict=True) if y != 0 or not chain.final_relu]
    below = [row for row, y in zip(shifted, target.y, strict=True) if y == 0 and chain.final_relu]
    kept = _independent(equal, target.eps)
    off = [_constant(row, kept) for row in equal]
    if target.eps == 0 and any(off):
        return Leaf(None, True, 0)
    system = _System(kept, [*(negated(row) for row in region.rows), *below])
    cone = homogenised(kept, system.inequalities, len(region.inside))
    if cone is None:
        return Leaf(None, False, 1)
    point = point_inside(cone)
    if point is None:
        return Leaf(None, True, 1)
    x = start.point(point)
    if any(off) and not _near(chain, x, off, target):
        return Leaf(None, True, 1)
    found = _piece(chain, start, _tight(system, cone.implied.tolist()), x, cone.low - 1)
    bounded = True if start.bounded or cone.low == 1 else _bounded(system, len(region.inside))
    return Leaf(replace(found, bounded=bounded), True, 1 + (not start.bounded and cone.low > 1))


def _independent(rows: list[Row], eps: float) -> list[Row]:
    """Return rows that span all; where rounding counts, the numerically most independent ones."""
    if not rows:
        return []
    if eps:
        first = pivots(np.array([unit_row(row[:-1]) for row in rows])).basis.tolist()
        rows = [rows[i] for i in [*first, *(i for i in range(len(rows)) if i not in set(first))]]
    return [rows[i] for i in independent(rows, len(rows[0]) - 1)]


def _constant(row: Row, kept: list[Row]) -> flint.fmpq:
    """Return the value that a row has where the rows that span it are 0."""
    weights = combination(row[:-1], [other[:-1] for other in kept]) or []
    return row[-1] - sum((w * other[-1] for w, other in zip(weights, kept, strict=True)), flint.fmpq(0))


def _near(chain: Chain, x: Row, off: list[flint.fmpq], target: Target) -> bool:
    """Whether the output at a point of the piece differs from the given one by rounding."""
    y = [y for y in target.y if y != 0 or not chain.final_relu]
    sizes = [s for s, y in zip(chain.sizes(x), target.y, strict=True) if y != 0 or not chain.final_relu]
    terms = sum(affine.weight.ncols() + 8 for affine in chain.maps)
    allowed = exact(_ROUNDING * terms * target.eps)
    return all(abs(d) <= allowed * (s + abs(v)) for d, s, v in zip(off, sizes, y, strict=True))


def _tight(system: _System, implied: list[int]) -> _System:
    """Turn the inequalities that are equations on the whole piece into equations."""
    rows = [*system.equations, *(system.inequalities[i] for i in implied)]
    equations = [rows[i] for i in independent(rows, len(rows[0]) - 1)] if rows else []
    return _System(equations, [row for i, row in enumerate(system.inequalities) if i not in set(implied)])


def _bounded(system: _System, width: int) -> bool | None:
    equations, inequalities = ([row[:-1] for row in rows] for rows in (system.equations, system.inequalities))
    cone = cone_of(equations, inequalities, width - 1)
    return None if cone is None else cone.high == 0


def _piece(chain: Chain, start: Start, system: _System, x: Row, dimension: int) -> Piece:
    equations = [near_one(row) for row in (*start.equations, *map(start.in_x, system.equations))]
    inequalities = [near_one(start.in_x(row)) for row in system.inequalities if any(row[:-1])]
    E, G = table(equations, chain.n + 1), table(inequalities, chain.n + 1)
    values = chain.preactivations(x)[: len(chain.names)]
    pattern = tuple(np.array([(v > 0) - (v < 0) for v in layer], dtype=np.int8) for layer in values)
    point = tuple(map(fraction, x))
    exact_set = Polyhedron(E[:, :-1], -E[:, -1], G[:, :-1], -G[:, -1])
    return Piece(pattern, dimension, None, np.array(point, dtype=np.float64), exact_set, point)
