"""The input of a network behind a projection, by least squares from several starts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice

import torch

from unrelu.nn.modules._levenberg_marquardt import LeastSquares, levenberg_marquardt

RESTARTS = 8
"""Searches for what the first did not find."""

_CANDIDATES = 2048
_SPREADS = (1.0, 0.5, 2.0)  # of candidates, in units of the first start's entries


def search(
    function: Callable[[torch.Tensor], torch.Tensor], y: torch.Tensor, start: torch.Tensor, restarts: int
) -> LeastSquares:
    """Solve ``function(x) = y`` for a batch.

    A piecewise linear function has many stationary points: where the search from the layerwise answer ends in
    one that is no solution, it begins again at the random input whose output is nearest.

    Args:
        function: From ``(N, *in_shape)`` to ``(N, *out_shape)``, one sample apart from the others.
        y: What it should return.
        start: Where to begin; entries that are not finite count as 0.
        restarts: How often to begin again, for those not found.
    """
    start = start.detach().nan_to_num(0.0, 0.0, 0.0)
    best = levenberg_marquardt(function, y, start)
    generator = torch.Generator().manual_seed(0)
    size = start.square().mean().sqrt()
    size = torch.where(size > 0, size, 1.0)
    for spread in islice(cycle(_SPREADS), restarts):
        left = (~(best.residual <= torch.finfo(y.dtype).eps ** 0.5)).nonzero()[:, 0]
        if not len(left):
            break
        noise = torch.randn((_CANDIDATES, *start.shape[1:]), generator=generator, dtype=torch.float64)
        starts = _nearest(function, y[left], spread * size * noise.to(y))
        best = _better(best, levenberg_marquardt(function, y[left], starts), left)
    return best


def _nearest(
    function: Callable[[torch.Tensor], torch.Tensor], y: torch.Tensor, candidates: torch.Tensor
) -> torch.Tensor:
    """Return for every output the candidate whose own output is nearest."""
    with torch.no_grad():
        images = function(candidates).flatten(1)
        return candidates[torch.cdist(y.flatten(1), images).argmin(dim=1)]


def _better(best: LeastSquares, found: LeastSquares, rows: torch.Tensor) -> LeastSquares:
    """Replace solutions by those with smaller residuals."""
    wins = found.residual < best.residual[rows]
    x, residual, converged = best.x.clone(), best.residual.clone(), best.converged.clone()
    x[rows[wins]] = found.x[wins]
    residual[rows[wins]] = found.residual[wins]
    converged[rows[wins]] = found.converged[wins]
    return LeastSquares(x, residual, converged, best.steps + found.steps)
