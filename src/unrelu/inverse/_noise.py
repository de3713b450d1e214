"""Errors in outputs: how large they are, and which outputs still say that a row is active."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TypeAlias, final

import numpy as np

from unrelu.errors import ArgumentError

_CERTAIN = 4.0  # standard deviations above 0 where an output is not taken for noise: 3 of 100,000 are


class Noise(ABC):
    """Independent errors of the outputs."""

    negative: bool = False  # whether outputs may be below 0

    @abstractmethod
    def std(self, y: np.ndarray) -> np.ndarray:
        """Return the standard deviation of the error of each output."""

    @abstractmethod
    def bound(self, y: np.ndarray) -> np.ndarray:
        """Return what the error of each output cannot exceed."""

    def length_bound(self, y: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return what the Euclidean length of the errors in ``mask`` cannot exceed, one number a sample."""
        return np.linalg.norm(np.where(mask, self.bound(y), 0.0), axis=1)

    def trusted(self, y: np.ndarray) -> np.ndarray:
        """Return which outputs show that their row is active."""
        return y > 0


@final
@dataclass(frozen=True)
class Gaussian(Noise):
    """Normal errors, added behind the ReLU; rows whose output may be nothing but noise are not used.

    Attributes:
        deviation: Their standard deviation.
    """

    deviation: float
    negative = True

    def __post_init__(self) -> None:
        _check_positive("deviation", self.deviation)

    def std(self, y: np.ndarray) -> np.ndarray:
        """Return the standard deviation."""
        return np.full(y.shape, self.deviation)

    def bound(self, y: np.ndarray) -> np.ndarray:
        """Return infinity."""
        return np.full(y.shape, np.inf)

    def trusted(self, y: np.ndarray) -> np.ndarray:
        """Return which outputs lie four standard deviations above 0."""
        return y > _CERTAIN * self.deviation


@final
@dataclass(frozen=True)
class Quantised(Noise):
    """Outputs rounded to multiples of a step, as in 8-bit storage: errors uniform in ``±step / 2``.

    Attributes:
        step: The step.
    """

    step: float

    def __post_init__(self) -> None:
        _check_positive("step", self.step)

    def std(self, y: np.ndarray) -> np.ndarray:
        """Return ``step / sqrt(12)``."""
        return np.full(y.shape, self.step / math.sqrt(12))

    def bound(self, y: np.ndarray) -> np.ndarray:
        """Return ``step / 2``."""
        return np.full(y.shape, self.step / 2)


@final
@dataclass(frozen=True)
class Rounded(Noise):
    """Outputs rounded to a floating dtype: errors uniform in half a unit of the last place.

    Attributes:
        dtype: Name of the dtype: ``"float16"`` or ``"float32"``.
    """

    dtype: str

    def __post_init__(self) -> None:
        if self.dtype not in {"float16", "float32"}:
            raise ArgumentError(f"dtype: expected 'float16' or 'float32', got {self.dtype!r}")

    def std(self, y: np.ndarray) -> np.ndarray:
        """Return the spacing of numbers at each output, divided by the root of 12."""
        return self._spacing(y) / math.sqrt(12)

    def bound(self, y: np.ndarray) -> np.ndarray:
        """Return half the spacing."""
        return self._spacing(y) / 2

    def _spacing(self, y: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.spacing(np.abs(y).astype(self.dtype))).astype(np.float64)


@final
@dataclass(frozen=True)
class Within(Noise):
    """Outputs that are themselves reconstructions: errors of bounded length.

    Attributes:
        radius: Bound of the length, one number a sample, shape ``(batch,)``.
    """

    radius: np.ndarray

    def std(self, y: np.ndarray) -> np.ndarray:
        """Return the deviation if all entries shared the length alike."""
        return self.bound(y) / math.sqrt(max(y.shape[1], 1))

    def bound(self, y: np.ndarray) -> np.ndarray:
        """Return the radius."""
        return np.broadcast_to(self.radius[:, None], y.shape)

    def length_bound(self, y: np.ndarray, mask: np.ndarray) -> np.ndarray:
        """Return the radius."""
        return self.radius

    def trusted(self, y: np.ndarray) -> np.ndarray:
        """Return which outputs exceed the radius."""
        return y > self.radius[:, None]


NoiseLike: TypeAlias = "Noise | float | str | None"


def noise_of(noise: NoiseLike) -> Noise | None:
    """Return the noise that an argument states.

    Args:
        noise: A `Noise`; a number, the standard deviation of `Gaussian`; ``"float16"`` or ``"float32"``;
            ``None`` or 0 for none.

    Raises:
        ArgumentError: If it is nothing of that kind.
    """
    if noise is None or isinstance(noise, Noise):
        return noise
    if isinstance(noise, str):
        return Rounded(noise)
    if isinstance(noise, int | float) and not isinstance(noise, bool):
        return Gaussian(float(noise)) if noise else None
    raise ArgumentError(f"noise: expected a standard deviation, a dtype's name or a Noise, got {noise!r}")


def _check_positive(name: str, value: float) -> None:
    if not (isinstance(value, int | float) and 0 < value < math.inf):
        raise ArgumentError(f"{name}: expected a positive number, got {value!r}")
