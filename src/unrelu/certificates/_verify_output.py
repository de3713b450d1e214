"""Whether a given output is one, and the signs of all rows inside its preimage; or that it is none (Farkas).

Homogenised, ``W_I x + b_I s = y_I s', s = s', W_i x + b_i s <= 0, G x <= h s, s >= 0`` is a cone like any
other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrelu.certificates._affine import AffineRows
from unrelu.certificates._cone_check import ConeRows
from unrelu.certificates._cone_proof import ConeProof
from unrelu.certificates._rows import Rows
from unrelu.certificates._span import Moved
from unrelu.certificates._verification import require

_ROUNDING = 16  # allowed on top of the rounding error of y's digits and the number of terms


@dataclass(frozen=True)
class OutputSigns:
    """What is proved of a point that has a given output.

    Attributes:
        signs: Of all rows at the point.
        rounded: Whether it has the output up to rounding only.
    """

    signs: np.ndarray
    rounded: bool


class OutputSystem:
    """The homogenised rows of one output, numbered as in ``PreimageCertificate.output``."""

    def __init__(self, rows: AffineRows, y: np.ndarray) -> None:
        """Take the rows and an output without negative entries."""
        m, total = rows.m, rows.total
        self._rows, self._y, self.last = rows, y, total + 1
        self.active = np.flatnonzero(y > 0)
        self.inactive = np.concatenate([np.flatnonzero(y == 0), np.arange(m, total), [self.last]])
        ends = np.zeros((2, rows.n + 2))
        ends[0, -2:], ends[1, -2] = (1.0, -1.0), -1.0
        given = np.concatenate([y, np.zeros(total - m)])
        self.cone = ConeRows(rows.linear.beside(rows.offsets, -given).above(Rows.of(ends)))

    def check_rows(self, proof: ConeProof) -> None:
        """Refuse a proof about rows that it must not use.

        Raises:
            NotProvedError: Saying which.
        """
        total = self._rows.total
        require(set(proof.equalities) <= {*self.active, total}, "output: an equality is none")
        require(set(proof.inequalities) <= set(self.inactive), "output: an inequality is none")
        require(set(proof.implied) <= set(proof.inequalities), "output: an implied row is no inequality")

    def is_empty(self, proof: ConeProof) -> bool:
        """Say whether ``s`` is proved to be 0 on the whole cone."""
        dimension = self.cone.upper(proof.equalities, proof.implied, proof.multipliers)
        return dimension == 0 or (dimension < self.cone.n and self.last in proof.implied)

    def signs(self, proof: ConeProof) -> OutputSigns:
        """Return the signs of all rows at the point that the direction leads to.

        Raises:
            NotProvedError: If the direction does not prove that there is one.
        """
        require(proof.direction is not None, "output: no direction")
        require(self.last not in proof.implied, "output: s must not be 0")
        require(self._rows.total in proof.equalities, "output: the equation s = s' is not used")
        zero = np.concatenate([proof.equalities, proof.implied])
        moved = self.cone.moved(zero, np.asarray(proof.direction))
        strict = np.setdiff1d(self.inactive, proof.implied)
        require(
            moved is not None and all(moved.negative(self.cone.whole(strict))),
            "output: the direction was not proved to be 0 and negative where it must be",
        )
        left = np.setdiff1d(self.active, proof.equalities)
        if moved is not None and len(left):
            require(self._near(moved, left), "output: y is not met up to rounding")
        signs = np.full(self._rows.total, -1)
        signs[self.active] = 1
        signs[proof.implied] = 0
        return OutputSigns(signs, rounded=len(left) > 0)

    def _near(self, moved: Moved, left: np.ndarray) -> bool:
        """Say whether rows that are no equations are positive, and near their outputs."""
        n, rows = self._rows.n, self.cone.rows.take(left)
        digits = 23 if (self._y == self._y.astype(np.float32)).all() else 52
        positive = Rows(rows.n, rows.starts, rows.columns, -rows.values * (rows.columns <= n))
        if not all(moved.negative(self.cone.integers(positive))):
            return False
        whole_rows = self.cone.integers(rows)
        sizes = whole_rows.absolute().times([abs(v) for v in moved.vector])
        moves = whole_rows.absolute().times(moved.steps)
        return all(
            (abs(off) * moved.scale + moved.residual * move) << digits
            <= _ROUNDING * (n + 8) * size * moved.scale
            for off, move, size in zip(whole_rows.times(moved.vector), moves, sizes, strict=True)
        )
