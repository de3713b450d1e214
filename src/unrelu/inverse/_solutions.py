"""What solving a batch of systems leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum

import numpy as np


class Method(StrEnum):
    """How an output is inverted; see `unrelu.invert`."""

    AUTO = "auto"
    CHOLESKY = "cholesky"
    CG = "cg"
    LSMR = "lsmr"
    FRAME = "frame"
    SVD = "svd"  # singular values, where no factor is certified or refinement stalls
    CONSTRAINED = "constrained"  # equations and inequalities together
    NONE = "none"  # nothing is active: there are no equations


@dataclass
class Solutions:
    """Arrays over a batch, filled in parts.

    Attributes:
        x: Solutions, shape ``(batch, n)``.
        unique: Whether each is proved the only one.
        condition: Condition numbers of the active rows.
        smallest: Their smallest singular values that are not 0, NaN where unknown.
        expected: Expected errors for the noise given, NaN where unknown or none was given.
        method: Which `Method` gave each.
    """

    x: np.ndarray
    unique: np.ndarray
    condition: np.ndarray
    smallest: np.ndarray
    expected: np.ndarray
    method: np.ndarray

    @classmethod
    def blank(cls, batch: int, n: int) -> Solutions:
        """Return solutions that say nothing yet."""
        condition, smallest, expected = np.full((3, batch), np.nan)
        names = np.full(batch, Method.NONE.value, dtype="<U16")
        unproved = np.zeros(batch, dtype=bool)
        return cls(np.zeros((batch, n)), unproved, condition, smallest, expected, names)

    def put(self, index: np.ndarray, part: Solutions) -> None:
        """Store the solutions of some outputs."""
        for field in fields(self):
            getattr(self, field.name)[index] = getattr(part, field.name)

    def taken(self, index: np.ndarray) -> Solutions:
        """Return the solutions of some outputs."""
        return Solutions(**{field.name: getattr(self, field.name)[index] for field in fields(self)})
