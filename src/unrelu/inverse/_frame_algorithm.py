"""The frame algorithm (Groechenig 1993; Haider, Balazs, Ehler 2023; Eckert et al. 2024, Section 4.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.inverse._iterative import extreme_singular_values
from unrelu.inverse._solutions import Method, Solutions

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.layers import ReLULayer
    from unrelu.layers.maps import LinearMap

_SETTLED = 1e-14  # relative size of a last step
_STEPS = 20_000


def frame_algorithm(
    layer: ReLULayer, y: torch.Tensor, bounds: torch.Tensor, *, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Run ``x <- x + 2 / (A + B) W_Iᵀ (y_I - b_I - W_I x)`` from ``x = 0``, in float64.

    With frame bounds ``A <= B`` of the strictly active rows ``I = {i : y_i > 0}`` the error shrinks by
    ``(B - A) / (B + A)`` in each step.

    Args:
        layer: The layer, in float64.
        y: Outputs, shape ``(batch, m)``.
        bounds: ``A`` and ``B``, smallest and largest *squared* singular values, shape ``(batch, 2)``.
        steps: Number of steps at most; fewer where steps no longer change anything.

    Returns:
        Reconstructions of shape ``(batch, n)`` and the number of steps made for each.
    """
    mask = y > 0
    return _iterate(layer.linear, mask, torch.where(mask, y - layer.bias, 0.0), bounds, steps)


def _iterate(
    linear: LinearMap, mask: torch.Tensor, target: torch.Tensor, bounds: torch.Tensor, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    relaxation = 2 / bounds.sum(dim=1, keepdim=True)
    x = target.new_zeros(len(target), linear.n)
    made = torch.zeros(len(target), dtype=torch.int64)
    going = torch.isfinite(relaxation[:, 0])
    for _ in range(steps):
        if not bool(going.any()):
            break
        rest = torch.where(mask, target - linear.apply(x), 0.0)
        step = torch.where(going[:, None], relaxation * linear.adjoint(rest), 0.0)
        x += step
        made += going.cpu()
        going &= step.norm(dim=1) > _SETTLED * x.norm(dim=1)
    return x, made


def solve_by_frame_algorithm(
    layer: ReLULayer, masks: np.ndarray, targets: np.ndarray, advance: Callable[[int], None]
) -> Solutions:
    """Solve ``W_I x = target_I`` by the frame algorithm, with bounds found by the Lanczos iteration.

    Args:
        layer: The layer, in float64.
        masks: Which rows are in ``I``, one output a row, boolean, shape ``(batch, m)``.
        targets: Right-hand sides, 0 outside ``I``, shape ``(batch, m)``.
        advance: Told how many outputs have been solved since it was last called.
    """
    out = Solutions.blank(len(masks), layer.n)
    mask = torch.from_numpy(masks).to(layer.bias.device)
    smallest, largest = extreme_singular_values(layer.linear, mask)
    target = torch.from_numpy(targets).to(layer.bias.device)
    bounds = torch.from_numpy(np.stack([smallest, largest], axis=1) ** 2).to(target.device)
    x, _ = _iterate(layer.linear, mask, target, bounds, _STEPS)
    out.x = x.cpu().numpy()
    out.smallest, out.condition = smallest, largest / smallest
    out.method[masks.any(axis=1)] = Method.FRAME
    advance(len(masks))
    return out
