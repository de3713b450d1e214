"""Normalisations that divide by statistics of the activation itself (Puthawala et al. 2022, Definition 3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Statistics:
    """What a normalisation forgets: with it the activation can be had back.

    Attributes:
        mean: Mean of every group of entries that share their statistics, shape ``(N, groups)``.
        scale: ``sqrt(variance + eps)`` of every group, shape ``(N, groups)``.
    """

    mean: torch.Tensor
    scale: torch.Tensor


@dataclass(frozen=True)
class Normalisation:
    """``(x - mean) / sqrt(variance + eps)`` by groups of entries, then times a gain, plus an offset.

    Without centring ``x / sqrt(mean of x**2 + eps)``, as if the mean were 0.

    Attributes:
        gain: One factor an entry, flattened.
        offset: Likewise.
        count: How many entries, one behind the other, share their statistics.
        eps: Added to the variance.
        centred: Whether the mean is subtracted.
    """

    gain: torch.Tensor
    offset: torch.Tensor
    count: int
    eps: float
    centred: bool = True

    @classmethod
    def of(
        cls,
        shape: Sequence[int],
        gain: torch.Tensor | None,
        offset: torch.Tensor | None,
        count: int,
        eps: float,
        *,
        centred: bool = True,
    ) -> Normalisation:
        """Spread gain and offset, where there are any, over a tensor of a shape."""
        one = torch.ones((), dtype=torch.float64)
        parts = (one if gain is None else gain, 0 * one if offset is None else offset)
        spread = [part.double().expand(tuple(shape)).reshape(-1) for part in parts]
        return cls(spread[0], spread[1], count, eps, centred)

    @property
    def groups(self) -> int:
        """Number of groups of entries."""
        return len(self.gain) // self.count

    def statistics(self, x: torch.Tensor) -> Statistics:
        """Return the statistics of activations, shape ``(N, entries)``."""
        grouped = x.reshape(len(x), self.groups, self.count)
        mean = grouped.mean(dim=2) if self.centred else torch.zeros_like(grouped[..., 0])
        squares = (grouped - mean[..., None]).square().mean(dim=2)
        return Statistics(mean, torch.sqrt(squares + self.eps))

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Return one normalised sample, of the shape of ``x``."""
        flat = x.reshape(1, -1)
        found = self.statistics(flat)
        grouped = flat.reshape(self.groups, self.count)
        standard = (grouped - found.mean[0, :, None]) / found.scale[0, :, None]
        return (standard.reshape(-1) * self.gain + self.offset).reshape(x.shape)

    def undo(self, y: torch.Tensor, statistics: Statistics) -> torch.Tensor:
        """Return the activations that are normalised to ``y``; where the gain is 0 their mean."""
        kept = self.gain != 0
        standard = torch.where(kept, (y - self.offset) / torch.where(kept, self.gain, 1.0), 0.0)
        grouped = standard.reshape(len(y), self.groups, self.count)
        return (grouped * statistics.scale[..., None] + statistics.mean[..., None]).reshape(y.shape)

    def check(self, name: str, statistics: Statistics, samples: int) -> Statistics:
        """Return statistics in float64 once they fit; ``name`` is the node's.

        Raises:
            ArgumentError: If they have another shape, are not finite, or a scale is not positive.
        """
        expected = (samples, self.groups)
        mean, scale = (part.detach().double().cpu() for part in (statistics.mean, statistics.scale))
        for what, part in (("mean", mean), ("scale", scale)):
            if tuple(part.shape) != expected:
                raise ArgumentError(
                    f"statistics: expected a {what} of shape {expected} for {name!r}, got {tuple(part.shape)}"
                )
        if not bool(mean.isfinite().all()) or not bool((scale.isfinite() & (scale > 0)).all()):
            raise ArgumentError(f"statistics: expected finite numbers for {name!r}, and scales > 0")
        return Statistics(mean, scale)
