"""What a collision is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from unrelu.arrays import Array
    from unrelu.certificates import CollisionCertificate, NetworkCollisionCertificate


@dataclass(frozen=True, eq=False)
class Collision:
    """Two inputs with the same output.

    Attributes:
        x: The other input, in the shape of ``original``.
        original: The input that was given.
        distance: Euclidean distance of the two.
        output_difference: Largest difference of their outputs as computed in float64, divided by the largest
            output at ``original`` (undivided where that is 0).
        target_distance: Euclidean distance of ``x`` to the target; ``None`` without one.
        certificate: What proves it in exact arithmetic; ``None`` where there is no proof, with the reason.
        optimal_gap: By how much another answer could be better at most, in units of the objective: a
            distance, or a scalar product. It comes from a dual bound in floating point, in which reduced
            costs below 1e-9 of the largest cost count as 0 for entries without bounds. ``None`` for a local
            optimum.
        reason: How it was found, in a sentence.
        region: Where it lies: ``"layer"``: in the preimage of the (first) layer's output; ``"linear region"``
            of the network around ``original``; ``"across regions"``.
    """

    x: Array
    original: Array
    distance: float
    output_difference: float
    target_distance: float | None = None
    certificate: CollisionCertificate | NetworkCollisionCertificate | None = field(default=None, repr=False)
    optimal_gap: float | None = None
    reason: str = ""
    region: str = "layer"


def relative_difference(output: np.ndarray, original: np.ndarray) -> float:
    """Return the largest difference of two outputs, divided by the largest entry of the second unless 0."""
    difference = float(np.abs(output - original).max(initial=0.0))
    largest = float(np.abs(original).max(initial=0.0))
    return difference / largest if largest > 0 else difference
