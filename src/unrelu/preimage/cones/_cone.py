"""What is proved about a polyhedral cone given by its rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Cone:
    """What is proved about ``{d : E d = 0, G d <= 0}``.

    Attributes:
        low: Lower bound of its dimension.
        high: Upper bound.
        implied: Rows of ``G`` that are 0 on the whole cone, as far as the proofs need them.
        multipliers: For ``high``: one number a row of ``E`` and then of ``implied``, positive on the latter,
            whose combination of rows is 0. A float64 vector is exact up to a correction that is proved to
            keep the signs; an array of `fractions.Fraction` is exact.
        direction: For ``low``: 0 on ``E`` and ``implied``, negative on the other rows of ``G``; likewise.
        used_lp: Whether a linear program was solved.
    """

    low: int
    high: int
    implied: np.ndarray
    multipliers: np.ndarray | None = None
    direction: np.ndarray | None = None
    used_lp: bool = False
