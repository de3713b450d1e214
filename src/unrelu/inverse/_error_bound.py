"""How far a reconstruction can be from the input: residual and rounding, divided by a singular value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from unrelu.frames._scaling import UNIT
from unrelu.layers.maps import Dense

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.layers import ReLULayer
    from unrelu.layers.maps import LinearMap

_ESTIMATE = 1.1  # by how much the smallest singular value may be overestimated
_CHUNK_BYTES = 64 << 20


def residuals_and_bounds(
    layer: ReLULayer,
    x: torch.Tensor,
    y: torch.Tensor,
    mask: torch.Tensor,
    smallest: torch.Tensor,
    allowed: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``|relu(W x + b) - y| / |y|`` and bounds of ``|x - x'|`` for inputs ``x'`` with that output.

    ``W_I (x - x')`` is the residual of ``x`` on the active rows but for the errors of ``y`` and for rounding,
    in the evaluation of the layer and in that of the residual: ``gamma (|W| |x| + |b|)`` (Higham 2002, 3.5).

    Args:
        layer: The layer, in float64.
        x: Reconstructions, shape ``(batch, n)``.
        y: Outputs, shape ``(batch, m)``.
        mask: Active rows, likewise.
        smallest: Smallest singular value of the active rows, estimated from above, shape ``(batch,)``.
        allowed: Bound of the length of the errors in the active rows of ``y``, shape ``(batch,)``.
    """
    sizes = _sizes(layer.linear)
    size = max(1, _CHUNK_BYTES // (8 * max(layer.m, 1)))
    gamma = 2.2 * (layer.linear.fan_in + 4) * UNIT
    residual, bound = y.new_empty(len(y)), y.new_empty(len(y))
    for start in range(0, len(y), size):
        part = slice(start, start + size)
        z = layer.linear.apply(x[part]) + layer.bias
        residual[part] = _relative(z.clamp(min=0) - y[part], y[part])
        rounding = gamma * (sizes(x[part]) + layer.bias.abs())
        total = (((z - y[part]).abs() + rounding) * mask[part]).norm(dim=1) + allowed[part]
        # What float64 cannot resolve in the solution itself comes on top.
        bound[part] = _ESTIMATE * total / smallest[part] + 4 * UNIT * x[part].norm(dim=1)
    return residual, bound


def _sizes(linear: LinearMap) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a bound of ``|W| |x|``: for a plain matrix ``|w_i| |x|``, which costs no product."""
    if isinstance(linear, Dense):
        norms = linear.row_norms()
        return lambda x: norms * x.norm(dim=1, keepdim=True)
    absolute = linear.absolute()
    return lambda x: absolute.apply(x.abs())


def _relative(off: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    largest = y.abs().amax(dim=1, keepdim=True) if y.shape[1] else y.new_zeros(len(y), 1)
    scale = torch.where(largest > 0, largest, 1.0)
    size = torch.linalg.vector_norm(y / scale, dim=1)
    return torch.linalg.vector_norm(off / scale, dim=1) / torch.where(size > 0, size, 1.0)
