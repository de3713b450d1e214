"""The three answers, and what comes with them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from unrelu.preimage import Collision


class Verdict(StrEnum):
    """Whether different inputs always have different outputs."""

    INJECTIVE = "injective"
    NOT_INJECTIVE = "not injective"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Decision:
    """The answer to whether a layer is injective on R^n.

    Attributes:
        verdict: The answer; INJECTIVE and NOT_INJECTIVE are true for the stored numbers.
        reason: Why, in a sentence.
        pairs: For INJECTIVE: row numbers ``(i, j)`` of opposite rows of which one is weakly active at every
            input; one row of each pair together span R^n.
        witness: For NOT_INJECTIVE: an input whose weakly active rows, decided exactly, do not span R^n.
        collision: For NOT_INJECTIVE: two inputs with the same output, found from the witness.
    """

    verdict: Verdict
    reason: str
    pairs: tuple[tuple[int, int], ...] = ()
    witness: np.ndarray | None = None
    collision: Collision | None = None
