"""Rows and columns brought to similar sizes by powers of two: the cone keeps its shape, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from unrelu.frames._scaling import near_one
from unrelu.preimage.cones._analyse import analyse_cone
from unrelu.preimage.cones._cone import Cone
from unrelu.preimage.cones._recession import Recession, recession


@dataclass(frozen=True)
class ScaledRows:
    """Rows of a matrix ``M`` as ``R M C`` with diagonal ``R, C`` of powers of two.

    Attributes:
        matrix: The scaled rows, shape ``(p, n)``.
        by_row: The diagonal of ``R``.
        by_column: The diagonal of ``C``.
    """

    matrix: np.ndarray
    by_row: np.ndarray
    by_column: np.ndarray

    def cone(self, equalities: np.ndarray, inequalities: np.ndarray) -> Cone:
        """Analyse ``{d : M_E d = 0, M_G d <= 0}`` for row numbers ``E`` and ``G``, in terms of ``M`` itself.

        Args:
            equalities: Row numbers ``E``.
            inequalities: Row numbers ``G``; ``implied`` in the answer are row numbers of ``M`` as well.
        """
        cone = analyse_cone(self.matrix[equalities], self.matrix[inequalities])
        return self._restored(cone, equalities, inequalities)

    @cached_property
    def recession(self) -> Recession | None:
        """What the cones that all rows take part in have in common; ``None`` without full column rank."""
        return recession(self.matrix)

    def recession_cone(self, equalities: np.ndarray, inequalities: np.ndarray) -> Cone | None:
        """Do the same, faster, where every row is in one of the two.

        Args:
            equalities: Row numbers ``E``, ascending.
            inequalities: All other row numbers, ascending.

        Returns:
            ``None`` where the equalities are not proved independent, or it takes more than that.
        """
        if self.recession is None:
            return None
        with np.errstate(all="ignore"):  # what is out of range proves nothing
            cone = self.recession.cone(equalities, inequalities)
        return cone and self._restored(cone, equalities, inequalities)

    def _restored(self, cone: Cone, equalities: np.ndarray, inequalities: np.ndarray) -> Cone:
        """Number the rows of a cone as ``M`` does, and undo the scaling."""
        implied = inequalities[cone.implied]
        scale = self.by_row[np.concatenate([equalities, implied])]
        return Cone(
            cone.low,
            cone.high,
            implied,
            None if cone.multipliers is None else _times(cone.multipliers, scale),
            None if cone.direction is None else _times(cone.direction, self.by_column),
            cone.used_lp,
        )


def scaled_rows(rows: np.ndarray) -> ScaledRows:
    """Scale rows of shape ``(p, n)``; not at all where that would lose digits."""
    p, n = rows.shape
    if not p:
        return ScaledRows(rows, np.ones(0), np.ones(n))
    with np.errstate(all="ignore"):
        by_row = near_one(rows)
        matrix = rows * by_row[:, None]
        by_column = near_one(np.ascontiguousarray(matrix.T))
        matrix = matrix * by_column
        if np.array_equal(matrix / by_column / by_row[:, None], rows):
            return ScaledRows(matrix, by_row, by_column)
    return ScaledRows(rows, np.ones(p), np.ones(n))


def _times(vector: np.ndarray, powers: np.ndarray) -> np.ndarray:
    if vector.dtype != object:
        with np.errstate(all="ignore"):
            scaled = np.asarray(vector * powers)
            if np.array_equal(scaled / powers, vector):
                return scaled
    out = np.empty(len(vector), dtype=object)
    out[:] = [Fraction(v) * Fraction(s) for v, s in zip(vector.tolist(), powers.tolist(), strict=True)]
    return out
