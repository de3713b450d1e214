"""Simulated annealing of the number of weakly active rows, by Langevin dynamics of a smoothed count.

Fewest non-negative entries of ``W x`` is the ground state of a spherical perceptron (Maillard et al. 2023).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.injectivity.witness._regions import Region

# A row counts 1 / (1 + exp(_SHIFT - z / width)). The shift matters most: rows are given up only where z is
# clearly positive, and those slightly above 0 are pulled below. All values are by trial on Gaussian rows.
_SHIFT = 2.0
_WIDTH = (0.25, 0.01)  # of the smoothed step, first and last
_TEMPERATURE = (0.4, 0.008)  # in units of one row
_STEP = 1.2  # in units of sqrt(width / rows): the stiffest mode of the smoothed count turns 1 / _STEP
_FRICTION = 0.17  # share of the velocity lost in a step
_LOOK = 8  # steps between two counts
_INSIDE = 1e-4  # from a wall is told from the wall in float32
_MARGIN = 0.2  # width units from a wall at which it begins to push


@dataclass(frozen=True, eq=False)
class Look:
    """The state of all chains at one time.

    Attributes:
        counts: Weakly active rows in float32.
        Y: Points of the region, one a column, pushed back behind its walls.
    """

    counts: torch.Tensor
    Y: torch.Tensor


def anneal(region: Region, steps: int, chains: int, generator: torch.Generator) -> Iterator[Look]:
    """Cool chains from random starts, and show them every few steps.

    Args:
        region: Where to move.
        steps: Length of the run, during which width and temperature fall geometrically.
        chains: Number of independent chains.
        generator: Source of randomness, on the region's device.
    """
    options: dict[str, Any] = {"generator": generator, "device": region.rows.device}
    layer_rows = len(region.rows) - region.walls
    Y = torch.randn(region.rows.shape[1], chains, **options) / region.rows.shape[1] ** 0.5
    V = torch.zeros_like(Y)
    region.confine(Y, V)
    transposed = region.rows.T.contiguous()
    # As stiff as the steps allow.
    stiffness = max(1, layer_rows) / (4 * max(region.walls, len(Y)))
    for t in range(steps + 1):
        share = t / steps
        width, temperature = (a * (b / a) ** share for a, b in (_WIDTH, _TEMPERATURE))
        Z = torch.addmm(region.offset, region.rows, Y)
        if t % _LOOK == 0 or t == steps:
            yield _look(region, Z, Y)
        step = _STEP * (width / max(1, layer_rows)) ** 0.5
        V -= step / width * (transposed @ _pull(Z, width, layer_rows, stiffness))
        V *= 1 - _FRICTION
        V += (temperature * _FRICTION * (2 - _FRICTION)) ** 0.5 * torch.randn(Y.shape, **options)
        Y = Y + step * V
        region.confine(Y, V)


def _look(region: Region, Z: torch.Tensor, Y: torch.Tensor) -> Look:
    """Push points that are through a wall towards the inner point, and count."""
    if not region.walls:
        return Look(_not_negative(Z), Y)
    along = region.rows @ region.inner
    excess = (Z[-region.walls :] + _INSIDE) / -along[-region.walls :]
    push = excess.amax(dim=0).clamp(min=0)
    counts = _not_negative(Z[: -region.walls] + push * along[: -region.walls])
    return Look(counts, Y + push * region.inner)


def _not_negative(Z: torch.Tensor) -> torch.Tensor:
    # NaN counts: a chain that overflowed is no good one.
    return len(Z) - (Z < 0).sum(dim=0)


def _pull(Z: torch.Tensor, width: float, layer_rows: int, stiffness: float) -> torch.Tensor:
    """Return the slope of every row's term: a bump for the layer's rows, a spring for walls."""
    bump = torch.sigmoid(Z[:layer_rows] / width - _SHIFT)
    bump *= 1 - bump
    if len(Z) == layer_rows:
        return bump
    return torch.cat([bump, stiffness * (Z[layer_rows:] + _MARGIN * width).clamp(min=0)])
