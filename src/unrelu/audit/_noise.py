"""Noise in proportion to what a layer puts out, by which an audit measures how stable the way back is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from unrelu.inverse import Noise

NOISE = 0.01  # of the root mean square of a sample's outputs
NOISY_SAMPLES = 200  # random errors are solved for too: more would tell little and cost much


@final
@dataclass(frozen=True)
class RelativeNoise(Noise):
    """Normal errors in proportion to the root mean square of a sample's outputs; active rows stay known.

    Attributes:
        share: Their standard deviation in units of that root mean square, taken over all outputs.
    """

    share: float

    def std(self, y: np.ndarray) -> np.ndarray:
        """Return the standard deviation, the same for all outputs of a sample."""
        largest = np.abs(y).max(axis=1, keepdims=True, initial=0.0)
        scale = np.where(largest > 0, largest, 1.0)
        size = scale * np.linalg.norm(y / scale, axis=1, keepdims=True) / np.sqrt(max(y.shape[1], 1))
        return np.broadcast_to(self.share * size, y.shape)

    def bound(self, y: np.ndarray) -> np.ndarray:
        """Return infinity."""
        return np.full(y.shape, np.inf)
