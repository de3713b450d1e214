"""What another input is chosen by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Nearest:
    """As near to a target as possible: the Euclidean projection."""

    target: np.ndarray

    def value(self, x: np.ndarray, other: np.ndarray) -> float:
        """What is maximised."""
        return -float(np.linalg.norm(other - self.target))

    def size(self, x: np.ndarray) -> float:
        """The size of typical inputs."""
        return float(max(np.abs(x).max(), np.abs(self.target).max()))


@dataclass(frozen=True, eq=False)
class Linear:
    """As far along a direction as possible, ``max <c, x'>`` (Behrmann et al. 2018, Appendix A7)."""

    direction: np.ndarray

    def value(self, x: np.ndarray, other: np.ndarray) -> float:
        """What is maximised."""
        return float(self.direction @ (other - x))

    def size(self, x: np.ndarray) -> float:
        """The size of typical inputs."""
        return float(np.abs(x).max())


@dataclass(frozen=True, eq=False)
class Farthest:
    """As far from the input as possible: a convex function, of which only local maxima are found."""

    seed: int

    def value(self, x: np.ndarray, other: np.ndarray) -> float:
        """What is maximised."""
        return float(np.linalg.norm(other - x))

    def size(self, x: np.ndarray) -> float:
        """The size of typical inputs."""
        return float(np.abs(x).max())


Goal = Nearest | Linear | Farthest
