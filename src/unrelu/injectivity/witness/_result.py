"""What a search for a witness comes back with, successful or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, eq=False)
class WitnessSearch:
    """The best input found.

    Attributes:
        x: An input inside of the domain, float64, shape ``(n,)``; ``None`` where none was met.
        active: The rows that are weakly active at ``x``, decided exactly for the stored numbers.
        count: Number of different directions among them, zero rows left out: an upper bound of their rank.
            Over R^n, without biases, it bounds the halfspace depth of the origin among these directions.
        found: Whether the weakly active rows provably do not span R^n: then the layer is not injective.
        restarts: Annealing runs begun.
        seconds: Time taken.
    """

    x: np.ndarray | None
    active: np.ndarray
    count: int
    found: bool
    restarts: int
    seconds: float
