"""Images from the differences of pairs of channels: the window's transpose, iterated (Richardson 1911)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

import numpy as np
import torch
from torch.nn import functional

from unrelu.layers.maps import Convolution
from unrelu.nn.modules._conv_axis import Axis
from unrelu.nn.modules._conv_pairs import ConvolutionPairs
from unrelu.nn.modules._spectral import norm_bound


def solve_pairs(
    pairs: ConvolutionPairs, kernel: torch.Tensor, z: torch.Tensor, size: Sequence[int]
) -> torch.Tensor:
    """Return images whose convolution with the kernels is ``z``.

    With windows ``s Q``, where ``Q`` is orthogonal, and ``D`` the number of windows that read an entry,
    ``x + D^{-1} Q^T (z - K x) / s`` is nearer to the image than ``x``, by the ratio of the norm of further
    taps to ``s``. One step more meets what rounding made of ``Q``.

    Args:
        pairs: What the kernels are made of.
        kernel: ``K``, shape ``(groups, q, channels, *kernel)``.
        z: Shape ``(N, groups * q, *positions)``.
        size: Spatial size of the images.

    Returns:
        Shape ``(N, groups * channels, *size)``.
    """
    window = pairs.placed(pairs.window_of(kernel))
    square = float(window.detach().square().sum()) / (pairs.groups * pairs.rows)
    forth, back = (_convolution(pairs, part, size) for part in (kernel, window / square))
    counts = _counts(pairs.axes, size).to(z)
    z = z.flatten(1)

    def step(residual: torch.Tensor) -> torch.Tensor:
        image = back.adjoint(residual).reshape(-1, *back.in_shape)
        return unpadded(image, pairs.axes) / counts

    x = step(z)
    for _ in range(_steps(pairs, kernel, math.sqrt(square))):
        x = x + step(z - forth.apply(padded(x, pairs.axes)))
    return x


def padded(x: torch.Tensor, axes: Sequence[Axis]) -> torch.Tensor:
    """Return images with their padding, shape ``(N, channels, *padded size)``."""
    for number, axis in enumerate(axes):
        if axis.circular:
            along = number - len(axes)
            size = x.shape[along]
            # A choice of entries, which an exported graph says in one node.
            x = x.index_select(along, torch.arange(-axis.before, size + axis.after, device=x.device) % size)
    pads = [0 if axis.circular else side for axis in reversed(axes) for side in (axis.before, axis.after)]
    return functional.pad(x, pads) if any(pads) else x


def unpadded(x: torch.Tensor, axes: Sequence[Axis]) -> torch.Tensor:
    """Return the adjoint of `padded`: the middle of images, and what was copied to their ends added to it."""
    for number, axis in enumerate(axes):
        along = number - len(axes)
        size = x.shape[along] - axis.before - axis.after
        middle = x.narrow(along, axis.before, size)
        if axis.circular:
            front, behind = x.narrow(along, 0, axis.before), x.narrow(along, axis.before + size, axis.after)
            rest = [0] * (2 * -along - 2)
            middle = middle + functional.pad(front, [*rest, size - axis.before, 0])
            middle = middle + functional.pad(behind, [*rest, 0, size - axis.after])
        x = middle
    return x


def _convolution(pairs: ConvolutionPairs, kernel: torch.Tensor, size: Sequence[int]) -> Convolution:
    """Return the convolution of images with padding."""
    axes = pairs.axes
    with_padding = [length + axis.padding for axis, length in zip(axes, size, strict=True)]
    return Convolution(
        kernel.flatten(0, 1),
        (pairs.groups * pairs.channels, *with_padding),
        stride=tuple(axis.stride for axis in axes),
        dilation=tuple(axis.dilation for axis in axes),
        groups=pairs.groups,
    )


def _counts(axes: Sequence[Axis], size: Sequence[int]) -> torch.Tensor:
    """Return how many windows read each entry, shape ``size``."""
    along = [axis.counts(length, *(axis.window or (0, 0))) for axis, length in zip(axes, size, strict=True)]
    return torch.from_numpy(reduce(np.multiply.outer, along))


def _steps(pairs: ConvolutionPairs, kernel: torch.Tensor, scale: float) -> int:
    """Return after how many steps only rounding is left."""
    if pairs.taps is None:
        return 1
    further = pairs.cell_norms(pairs.outside(kernel.detach()), norm_bound).sum(dim=1)
    rate = min(float(further.max()) / scale, pairs.rho)
    return 1 if rate <= 0 else 1 + math.ceil(math.log(torch.finfo(kernel.dtype).eps) / math.log(rate))
