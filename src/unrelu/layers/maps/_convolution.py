"""Convolution in one to three dimensions, kept as its kernel."""

from __future__ import annotations

import math
from typing import Any, Self, final

import numpy as np
import scipy.sparse as sp
import torch
from torch.nn import functional

from unrelu.errors import ArgumentError
from unrelu.layers.maps._exactness import products_are_exact
from unrelu.layers.maps._linear import LinearMap

_CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}
_CONV_TRANSPOSE = {
    1: functional.conv_transpose1d,
    2: functional.conv_transpose2d,
    3: functional.conv_transpose3d,
}


@final
class Convolution(LinearMap):
    """Cross-correlation with a kernel of shape ``(out_channels, in_channels / groups, *kernel)``.

    Zero padding may differ before and after. Samples are flattened ``(channels, *spatial)`` arrays.
    """

    def __init__(
        self,
        weight: torch.Tensor,
        in_shape: tuple[int, ...],
        *,
        stride: tuple[int, ...] | None = None,
        padding: tuple[tuple[int, int], ...] | None = None,
        dilation: tuple[int, ...] | None = None,
        groups: int = 1,
        exact: bool = True,
    ) -> None:
        """Store the kernel.

        Args:
            weight: Kernel of shape ``(out_channels, in_channels / groups, *kernel)``.
            in_shape: ``(in_channels, *spatial)``.
            stride: One step a spatial axis; 1 when ``None``.
            padding: Zeros before and after, a pair a spatial axis; none when ``None``.
            dilation: Spacing of the kernel's taps; 1 when ``None``.
            groups: Number of channel groups.
            exact: Whether the kernel was not rounded when it was folded.

        Raises:
            ArgumentError: If kernel and input do not fit.
        """
        dims = weight.dim() - 2
        self.weight = weight
        self.in_shape = tuple(in_shape)
        self.stride = stride or (1,) * dims
        self.padding = padding or ((0, 0),) * dims
        self.dilation = dilation or (1,) * dims
        self.groups = groups
        self._exact = exact
        self.out_shape = (weight.shape[0], *self._output_size())

    def _output_size(self) -> tuple[int, ...]:
        dims = self.weight.dim() - 2
        if dims not in _CONV:
            raise ArgumentError(f"weight: expected a kernel with 1 to 3 spatial axes, got {dims}")
        if len(self.in_shape) != dims + 1 or self.in_shape[0] != self.weight.shape[1] * self.groups:
            channels = self.weight.shape[1] * self.groups
            raise ArgumentError(
                f"input_shape: expected ({channels}, {dims} spatial axes), got {self.in_shape}"
            )
        if self.weight.shape[0] % self.groups:
            raise ArgumentError(
                f"groups: {self.groups} does not divide {self.weight.shape[0]} output channels"
            )
        size = tuple(
            (length + sum(pad) - step * (taps - 1) - 1) // stride + 1
            for length, pad, step, taps, stride in zip(
                self.in_shape[1:],
                self.padding,
                self.dilation,
                self.weight.shape[2:],
                self.stride,
                strict=True,
            )
        )
        if min(size) < 1:
            raise ArgumentError(f"input_shape: {self.in_shape} is smaller than the kernel")
        return size

    @property
    def width(self) -> int:
        """Taps of one kernel."""
        return math.prod(self.weight.shape[1:])

    @property
    def exact(self) -> bool:
        """Whether the kernel was not rounded when it was folded."""
        return self._exact

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The kernel."""
        return (self.weight,)

    def with_weight(
        self,
        weight: torch.Tensor,
        *,
        in_shape: tuple[int, ...] | None = None,
        groups: int | None = None,
        exact: bool | None = None,
    ) -> Convolution:
        """Return the convolution with other kernels; what is not given stays as it is."""
        return Convolution(
            weight,
            in_shape or self.in_shape,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=groups or self.groups,
            exact=self.exact if exact is None else exact,
        )

    def scaled(self, scale: torch.Tensor) -> Convolution:
        """Return the convolution with output channel ``c`` multiplied by ``scale[c]``."""
        factor = scale.reshape(-1, *(1,) * (self.weight.dim() - 1))
        exact = self.exact and products_are_exact(factor, self.weight)
        return self.with_weight(self.weight * factor, exact=exact)

    def ungrouped(self) -> Convolution:
        """Return the same map in one group: kernels over all channels, 0 on those of other groups."""
        if self.groups == 1:
            return self
        out, part = self.weight.shape[0] // self.groups, self.weight.shape[1]
        weight = self.weight.new_zeros(self.weight.shape[0], self.in_shape[0], *self.weight.shape[2:])
        for group in range(self.groups):
            rows = slice(group * out, (group + 1) * out)
            weight[rows, group * part : (group + 1) * part] = self.weight[rows]
        return self.with_weight(weight, groups=1)

    def absolute(self) -> Convolution:
        """Return the convolution with ``|kernel|``."""
        return self.with_weight(self.weight.abs())

    def to(self, *, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """Return the same map elsewhere."""
        return self.with_weight(self.weight.to(device=device, dtype=dtype))

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution of every sample."""
        image = x.reshape(-1, *self.in_shape)
        pads = [side for pair in reversed(self.padding) for side in pair]
        if any(pads):
            image = functional.pad(image, pads)
        convolve = _CONV[len(self.stride)]
        out = convolve(image, self.weight, stride=self.stride, dilation=self.dilation, groups=self.groups)
        return out.reshape(len(image), self.m)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return the transposed convolution of every sample, cropped to the input."""
        image = y.reshape(-1, *self.out_shape)
        transpose = _CONV_TRANSPOSE[len(self.stride)]
        full = transpose(image, self.weight, stride=self.stride, dilation=self.dilation, groups=self.groups)
        # Inputs that no kernel reaches lie behind the end of the transposed convolution: their entries are 0.
        missing = [
            length + before + after - got
            for length, (before, after), got in zip(
                self.in_shape[1:], self.padding, full.shape[2:], strict=True
            )
        ]
        pads = [
            side
            for (before, after), lack in zip(reversed(self.padding), reversed(missing), strict=True)
            for side in (-before, lack - after)
        ]
        return functional.pad(full, pads).reshape(len(image), self.n)

    def csr(self, index: np.ndarray | None = None) -> sp.csr_array:
        """Return the rows as a sparse matrix of at most ``fan_in`` entries a row."""
        index = np.arange(self.m) if index is None else index
        channel, *position = np.unravel_index(index, self.out_shape)
        column, inside = self._columns(channel, position)
        values = self.weight.double().cpu().numpy().reshape(self.out_shape[0], -1)[channel]
        keep = inside & (values != 0)
        starts = np.concatenate([[0], np.cumsum(keep.sum(axis=1))])
        return sp.csr_array((values[keep], column[keep], starts), shape=(len(index), self.n))

    def _columns(self, channel: np.ndarray, position: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Return the input index under every tap of the given outputs, and which of them lie inside."""
        out_group, in_group = self.out_shape[0] // self.groups, self.weight.shape[1]
        taps = np.indices(self.weight.shape[1:]).reshape(self.weight.dim() - 1, -1)
        column = (channel // out_group * in_group)[:, None] + taps[0]
        inside = np.ones(column.shape, dtype=bool)
        for axis, length in enumerate(self.in_shape[1:]):
            start = position[axis] * self.stride[axis] - self.padding[axis][0]
            along = start[:, None] + taps[axis + 1] * self.dilation[axis]
            inside &= (along >= 0) & (along < length)
            column = column * length + along
        return column, inside

    def row_norms(self) -> torch.Tensor:
        """Return the norms of the rows; kernels cut by the border are shorter."""
        ones = torch.ones(1, self.n, dtype=self.dtype, device=self.device)
        return self.with_weight(self.weight.square()).apply(ones).reshape(-1).sqrt()


def per_channel(vector: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor | None:
    """Return one value a channel if ``vector`` of shape ``(prod(shape),)`` is constant on channels."""
    table = vector.reshape(shape[0], math.prod(shape[1:]))
    return table[:, 0] if bool((table == table[:, :1]).all()) else None
