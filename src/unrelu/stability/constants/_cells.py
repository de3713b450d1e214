"""The linear regions of one layer inside a domain: which sign patterns have inner points, with proof."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np

from unrelu.errors import ArgumentError
from unrelu.preimage.cones import analyse_cone, scaled_rows

if TYPE_CHECKING:
    from unrelu.domains import Domain

_EPS = float(np.finfo(np.float64).eps)


@final
class Cells:
    """Sign patterns of ``W x + b`` on the inside of a polyhedron, as open cones of points ``(x, t)``.

    Rows of zeros have no sign that changes; they are left out.

    Attributes:
        rows: Numbers of the rows that are not 0, in the order in which their signs are chosen.
        start: A point inside the domain, as `point` gives it.
    """

    def __init__(self, weight: np.ndarray, bias: np.ndarray, domain: Domain | None) -> None:
        """Homogenise rows and domain.

        Raises:
            ArgumentError: If the domain is no polyhedron, or has no inner point.
        """
        n = weight.shape[1]
        faces, limits = (np.zeros((0, n)), np.zeros(0)) if domain is None else domain.inequalities(n)
        norms = np.abs(weight).max(axis=1, initial=0)
        # Large rows first: they tell most about singular values.
        self.rows = np.argsort(-norms, kind="stable")[: int((norms > 0).sum())]
        weight, bias = weight[self.rows], bias[self.rows]
        fixed = -faces
        if bias.any() or limits.any():
            weight = np.column_stack([weight, bias])
            fixed = np.vstack([np.column_stack([-faces, limits]), np.eye(n + 1)[-1:]])
        self._count = len(fixed)
        self._all = scaled_rows(np.vstack([fixed, weight])).matrix
        start = self.point(())
        if start is None:
            raise ArgumentError("domain: expected a domain with inner points, found none")
        self.start = start

    def point(self, signs: tuple[int, ...]) -> np.ndarray | None:
        """Return a point inside the region where the first rows have these signs; ``None`` if there is none.

        Both answers are proved for the numbers as stored; where neither is, the vector has no entries.
        """
        chosen = self._all[: self._count + len(signs)]
        factors = np.concatenate([np.ones(self._count), signs])
        dimension = self._all.shape[1]
        if not len(chosen):
            return np.ones(dimension)
        cone = analyse_cone(np.zeros((0, dimension)), -chosen * factors[:, None])
        if cone.high < dimension:
            return None
        if cone.low < dimension or cone.direction is None or cone.direction.dtype == object:
            return np.zeros(0)
        return cone.direction

    def sign_at(self, point: np.ndarray, place: int) -> int:
        """Return the sign of a row, by its place in the order, at such a point; 0 where rounding decides."""
        if not len(point):
            return 0
        row = self._all[self._count + place]
        value, error = float(row @ point), 2 * len(row) * _EPS * float(np.abs(row) @ np.abs(point))
        return 0 if abs(value) <= error else (1 if value > 0 else -1)
