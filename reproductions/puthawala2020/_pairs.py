"""The pair of inputs whose outputs are nearest, relative to how far apart the inputs are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from unrelu.nn.modules import jacobians, levenberg_marquardt

_NEAR = 1e-5  # distance of two inputs below which rounding would tell in the ratio
_STEPS = 60
COLLISION = 1e-10  # ratio below which two outputs are taken for the same

Function = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class Pair:
    """Two inputs.

    Attributes:
        ratio: ``|g(x) - g(x')| / |x - x'|``; where ``x`` is ``x'``, the smallest singular value of the
            derivative, which is the ratio of pairs nearby.
        x: The one.
        other: The other.
    """

    ratio: float
    x: torch.Tensor
    other: torch.Tensor


def closest_pair(g: Function, points: torch.Tensor, side: float = 1.0) -> Pair:
    """Return the pair in ``[-side, side]^n`` with the smallest ratio that a search finds.

    Tried are all pairs of points, and a descent by least squares from each point and its best partner. The
    search runs over angles, whose sines are the inputs, so that it stays in the cube.

    Args:
        g: From inputs, shape ``(N, n)``, to outputs.
        points: Where the search begins, shape ``(N, n)``, different from each other.
        side: Half of the cube's.
    """

    def ratio(angles: torch.Tensor) -> torch.Tensor:
        x, other = (side * angles.sin()).chunk(2, dim=1)
        return (g(x) - g(other)) / (x - other).norm(dim=1, keepdim=True).clamp_min(_NEAR)

    with torch.no_grad():
        between = torch.cdist(points, points)
        outputs = g(points)
        ratios = torch.cdist(outputs, outputs) / between
        partner = ratios.masked_fill(between < _NEAR, torch.inf).argmin(dim=1)
        start = (torch.cat([points, points[partner]], dim=1) / side).clamp(-1, 1).asin()
        ends = levenberg_marquardt(ratio, torch.zeros_like(outputs), start, _STEPS)
        x, other = (side * ends.x.sin()).chunk(2, dim=1)
        found = ends.residual.masked_fill((x - other).norm(dim=1) < 2 * _NEAR, torch.inf)
    best = int(found.argmin())
    pair = Pair(float(found[best]), x[best], other[best])
    if outputs.shape[1] < points.shape[1]:
        return pair
    local = torch.linalg.svdvals(jacobians(g, points))[:, -1]
    at = int(local.argmin())
    return min(pair, Pair(float(local[at]), points[at], points[at]), key=lambda one: one.ratio)
