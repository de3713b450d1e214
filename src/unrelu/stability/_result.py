"""What `spectrum` returns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.arrays import Array

if TYPE_CHECKING:
    import os


@dataclass(frozen=True)
class Values:
    """Singular values of one linear map a sample.

    Attributes:
        values: Descending, shape ``(..., r)``. All ``r = min(d, m)`` of them where `complete`, else a few of
            the largest and then a few of the smallest that are not 0.
        complete: Whether all are there.
        rank: How many count as not 0, shape ``(...,)``; -1 where not `complete`.
        condition: Largest by smallest that is not 0, shape ``(...,)``; NaN where all are 0. Where not
            `complete`, a lower bound of it up to `error`.
        error: Within how much of each value there is a singular value, shape ``(..., r)``; ``None`` where
            `complete`: every value is then within 1e-10 of the largest of its map.
    """

    values: Array
    complete: bool
    rank: Array
    condition: Array
    error: Array | None = None

    @property
    def median(self) -> np.ndarray:
        """Median over samples of each value, shape ``(r,)``."""
        values = _numpy(self.values)
        return np.asarray(np.nanmedian(values.reshape(-1, values.shape[-1]), axis=0))

    @property
    def median_rank(self) -> float:
        """Median over samples of the rank; NaN where it is not known."""
        return float(np.median(_numpy(self.rank))) if self.complete else float("nan")

    @property
    def median_condition(self) -> float:
        """Median over samples of the condition number, those with nothing but 0 left out."""
        condition = _numpy(self.condition)
        known = condition[~np.isnan(condition)]
        return float(np.median(known)) if known.size else float("nan")

    @property
    def median_ends(self) -> tuple[float, float]:
        """Medians over samples of the largest value and of the smallest that is not 0; NaN for none."""
        values, condition = _numpy(self.values), _numpy(self.condition).reshape(-1)
        known = ~np.isnan(condition)
        if not known.any():
            return float("nan"), float("nan")
        largest = values.reshape(len(condition), -1)[known, 0]
        return float(np.median(largest)), float(np.median(largest / condition[known]))


@dataclass(frozen=True)
class LayerSpectrum:
    """Singular values of the linearisation from the input up to one ReLU.

    Attributes:
        name: Name of the layer; of the ReLU node where it is no layer of its own.
        shape: Shape of its output, without batch axis.
        up_to: Before the ReLU, with rank and condition number.
        through: After it, likewise.
        active: How many entries are strictly positive, shape ``(...,)``.
    """

    name: str
    shape: tuple[int, ...]
    up_to: Values
    through: Values
    active: Array

    @property
    def m(self) -> int:
        """Number of outputs."""
        return int(np.prod(self.shape))

    @property
    def before(self) -> Array:
        """Singular values before the ReLU, descending, shape ``(..., r)``."""
        return self.up_to.values

    @property
    def after(self) -> Array:
        """Singular values after the ReLU, descending, shape ``(..., r)``."""
        return self.through.values

    @property
    def rank(self) -> Array:
        """Rank after the ReLU, shape ``(...,)``."""
        return self.through.rank

    @property
    def condition(self) -> Array:
        """Condition number after the ReLU over values that are not 0, shape ``(...,)``."""
        return self.through.condition


@dataclass(frozen=True)
class SpectrumResult:
    """Singular values layer by layer.

    Attributes:
        layers: One entry a ReLU, in the order of evaluation.
        output: The linearisation of the whole network, where something follows its last ReLU.
        samples: Number of samples.
        directions: Number ``d`` of input entries along which the network was differentiated.
        tolerance: Share of the largest value up to which a value counts as 0; ``None``: ``max(d, m)`` units
            of rounding.
        partial: Whether the work was interrupted; the figures are then about the first samples.
    """

    layers: tuple[LayerSpectrum, ...]
    output: Values | None
    samples: int
    directions: int
    tolerance: float | None
    partial: bool = False

    def plot(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Draw the decay of the singular values layer by layer, as PNG, SVG or PDF by the file's ending.

        Raises:
            ArgumentError: If the ending is another one.
            OutputError: If the file cannot be written, or exists and `force` is false.
        """
        from unrelu.stability._picture import write_picture

        write_picture(self, path, force=force)

    def __getitem__(self, key: str | int) -> LayerSpectrum:
        """Return a layer by name or position.

        Raises:
            KeyError: If there is none.
        """
        by_name = {layer.name: layer for layer in self.layers}
        if isinstance(key, str):
            return by_name[key]
        return self.layers[key]


def _numpy(array: Array) -> np.ndarray:
    return array.cpu().numpy() if isinstance(array, torch.Tensor) else np.asarray(array)
