"""Other inputs with a digit's features, drawn towards digits of other classes (Appendix A7)."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch

from unrelu import Box, collide
from unrelu.certificates import verify
from unrelu.frames import frame_of

from ._training import Trained

OBJECTIVES = ("linear", "euclidean")  # the paper's: largest <c, x>; ours: nearest to the target c


@dataclass(frozen=True, eq=False)
class Pair:
    """A digit and another input with the same features.

    Attributes:
        digit: Number of the digit in the test set.
        target: Number of the digit that it is drawn towards.
        x: The other input, pixels in [0, 1], float64, shape ``(784,)``.
        start: Euclidean distance from the digit to the target.
        end: Distance from the other input to the target.
        moved: Distance from the digit to the other input.
        proved: Whether there is a valid certificate that their features are the same.
        radius: How far the proof's exact input is from ``x`` at most.
        difference: Largest difference of the network's outputs, relative to the largest output at the digit.
    """

    digit: int
    target: int
    x: torch.Tensor
    start: float
    end: float
    moved: float
    proved: bool
    radius: float
    difference: float


class Collider:
    """Finds collisions in the first layer of a network."""

    def __init__(self, trained: Trained) -> None:
        """Take the first layer, and the whole network in float64."""
        self.trained, self.layer = trained, trained.layer
        self._digits = trained.split.x_test.double()
        self._model = deepcopy(trained.model).double()
        self._frame = frame_of(self.layer)

    def positive_outputs(self) -> np.ndarray:
        """Return the number of positive outputs of the first layer at every test digit."""
        return (self.layer.preactivation(self._digits) > 0).sum(dim=1).numpy()

    def pair(self, digit: int, target: int, objective: str) -> Pair:
        """Draw a test digit towards another.

        Raises:
            RuntimeError: If no other input in the box has its features.
        """
        x, c = self._digits[digit], self._digits[target]
        found = collide(self.layer, x, c, domain=Box(0, 1), objective=objective, frame=self._frame)
        if found is None:
            raise RuntimeError(f"digit {digit}: no other input has its features")
        other = torch.as_tensor(found.x)
        certificate = found.certificate
        proved = certificate is not None and verify(certificate, self.layer).valid
        return Pair(
            digit,
            target,
            other,
            start=float(torch.linalg.vector_norm(x - c)),
            end=float(torch.linalg.vector_norm(other - c)),
            moved=found.distance,
            proved=proved,
            radius=certificate.radius if proved else float("nan"),
            difference=self._difference(x, other),
        )

    @torch.no_grad()
    def _difference(self, x: torch.Tensor, other: torch.Tensor) -> float:
        outputs = self._model(torch.stack([x, other]))
        return float((outputs[1] - outputs[0]).abs().max() / outputs[0].abs().max())
