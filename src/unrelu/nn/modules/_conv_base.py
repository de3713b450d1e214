"""What injective convolutions of any dimension share (Puthawala et al. 2022, Corollary 1)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import nn
from torch.nn import functional

from unrelu._checks import whole_number
from unrelu.arrays import Array, to_tensor
from unrelu.errors import ArgumentError
from unrelu.nn.modules._computed import ComputedWeight
from unrelu.nn.modules._conv_inverse import padded, solve_pairs
from unrelu.nn.modules._conv_options import Sizes, checked_axes, each_axis
from unrelu.nn.modules._conv_pairs import ConvolutionPairs
from unrelu.nn.modules._pairs import condition_number

_CONV = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


class InjectiveConv(ComputedWeight):
    """A convolution with opposite channels ``[s K; -s K; F]``: see `InjectiveConv2d`.

    Attributes:
        dims: Number of spatial axes.
    """

    dims: ClassVar[int]

    pair_bias: nn.Parameter | None
    free_bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        condition: float = 4.0,
    ) -> None:
        super().__init__()
        self.in_channels = whole_number("in_channels", in_channels)
        self.out_channels = whole_number("out_channels", out_channels)
        self.groups = whole_number("groups", groups)
        for name in ("in_channels", "out_channels"):
            if getattr(self, name) % self.groups:
                raise ArgumentError(
                    f"{name}: expected a multiple of groups = {groups}, got {getattr(self, name)}"
                )
        self.kernel_size = each_axis("kernel_size", kernel_size, self.dims)
        self.stride = each_axis("stride", stride, self.dims)
        self.dilation = each_axis("dilation", dilation, self.dims)
        self.padding = padding if isinstance(padding, str) else each_axis("padding", padding, self.dims, 0)
        self.padding_mode = padding_mode
        self.scale = math.sqrt(2)
        self.axes = checked_axes(self.kernel_size, self.stride, self.padding, self.dilation, padding_mode)
        channels, free = self.in_channels // self.groups, self._checked_free()
        options = {"device": device, "dtype": dtype}
        self.pairs = ConvolutionPairs(
            self.axes, self.groups, channels, condition_number(condition), **options
        )
        self.free = nn.Parameter(torch.empty(self.groups * free, channels, *self.kernel_size, **options))
        sizes = {"pair_bias": self.groups * self.pairs.rows, "free_bias": self.groups * free}
        for name, size in sizes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(size, **options)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, and set the biases to 0."""
        with torch.no_grad():
            self.pairs.reset_parameters()
            _draw_free(self.free)
            for bias in (self.pair_bias, self.free_bias):
                if bias is not None:
                    bias.zero_()

    def compute(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the weight, in each group ``[s K; -s K; F]``, and the bias ``[b; -b; c]`` or ``None``."""
        weight = self._joined(self.scale * self.pairs(), self.free)
        if self.pair_bias is None or self.free_bias is None:
            return weight, None
        return weight, self._joined(self.pair_bias.reshape(self.groups, -1), self.free_bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the convolution and bias, shape ``(..., out_channels, *positions)``; a ReLU follows.

        Args:
            x: Shape ``(N, in_channels, *size)`` or ``(in_channels, *size)``.

        Raises:
            ArgumentError: If the shape does not fit, or inputs of this size are not all read by a window.
        """
        self._check_image("x", x, self.in_channels)
        for number, (axis, size) in enumerate(zip(self.axes, x.shape[-self.dims :], strict=True)):
            if not axis.fits(size):
                raise ArgumentError(f"x: expected along spatial axis {number} {axis.expected()}, got {size}")
        weight, bias = self.affine()
        sides = tuple(axis.before for axis in self.axes)
        even = all(not axis.circular and axis.before == axis.after for axis in self.axes)
        x, padding = (x, sides) if even else (padded(x, self.axes), (0,) * self.dims)
        return _CONV[self.dims](x, weight, bias, self.stride, padding, self.dilation, self.groups)

    def inverse(self, y: torch.Tensor, output_size: Sizes | None = None) -> torch.Tensor:
        r"""Return the image whose activations *after the ReLU* are ``y``.

        Without further taps it is ``K^T`` of the differences of the pairs, up to rounding. Otherwise that is
        iterated, each step leaving ``(condition - 1) / (condition + 1)`` of the error or less, until only
        rounding is left. What is not the output of an image is answered by one that nearly fits the
        differences of the pairs. The error is relative to ``|x| + |b|``, for of an image much smaller than
        the bias the outputs do not hold more.

        Args:
            y: Activations, shape ``(N, out_channels, *positions)`` or ``(out_channels, *positions)``.
            output_size: Spatial size of the image. With stride several sizes have the same number of
                positions; by default it is the one that is a multiple of the stride, or else the largest.

        Returns:
            Images, shape ``(N, in_channels, *size)`` or ``(in_channels, *size)``.

        Raises:
            ArgumentError: If the shape or the size does not fit.
        """
        self._check_image("y", y, self.out_channels)
        size = self._size_of(y.shape[-self.dims :], output_size)
        weight, bias = self.affine()
        rows = self.pairs.rows
        channels = y.reshape(-1, self.groups, self.out_channels // self.groups, *y.shape[-self.dims :])
        z = channels[:, :, :rows] - channels[:, :, rows : 2 * rows]
        if bias is not None:
            z = z - self._by_group(bias)[:, :rows].reshape(self.groups, rows, *(1,) * self.dims)
        x = solve_pairs(self.pairs, self._by_group(weight)[:, :rows], z.flatten(1, 2), size)
        return x.reshape(*y.shape[: -self.dims - 1], self.in_channels, *size)

    def lower_lipschitz(self) -> float:
        r"""Return a lower Lipschitz constant of ``x -> relu(W x + b)`` on images of any size that fits.

        ``(sigma - tau) / sqrt(2)`` for the least singular value ``sigma`` of the windows and the sum ``tau``
        of the norms of cells of further taps, from
        ``|relu(u) - relu(v)|^2 + |relu(-u) - relu(-v)|^2 >= |u - v|^2 / 2``. For the weight as it is now, in
        float64 and less what that rounds; 0 where nothing is known.
        """
        least, most, further = self.pairs.extent(
            self._by_group(self.weight.detach().double())[:, : self.pairs.rows]
        )
        rounding = self.pairs.rows * torch.finfo(torch.float64).eps
        return max(least - further - rounding * (most + further), 0.0) / math.sqrt(2)

    def contains(self, weight: Array) -> bool:
        """Say whether a weight has channels ``[K; -K; F]`` in each group, with ``K`` conditioned as here.

        Channels are to be opposite to the bit. ``(sigma_max + tau) / (sigma_min - tau)`` has to be at most
        ``condition``, for the singular values of the windows and the sum ``tau`` of the norms of cells of
        further taps.

        Args:
            weight: Shape ``(out_channels, in_channels / groups, *kernel_size)``.

        Raises:
            ArgumentError: If the shape is another, or numbers are not finite.
        """
        W, rows = to_tensor(weight, "weight"), self.pairs.rows
        shape = self.out_channels, self.in_channels // self.groups, *self.kernel_size
        if W.shape != shape:
            raise ArgumentError(f"weight: expected shape {shape}, got {tuple(W.shape)}")
        kernels = self._by_group(W)
        if not torch.equal(kernels[:, :rows], -kernels[:, rows : 2 * rows]):
            return False
        least, most, further = self.pairs.extent(kernels[:, :rows])
        bound = self.pairs.condition * (1 + 4 * rows * torch.finfo(self.free.dtype).eps)
        return least > further and most + further <= bound * (least - further)

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        """Return a random weight that `contains` accepts: further taps have any of the norms they may have.

        Args:
            generator: Of random numbers; torch's own by default.
        """
        with torch.no_grad():
            like = self.free
            q = self.pairs.rows
            windows = torch.stack(
                [nn.init.orthogonal_(like.new_empty(q, q), generator=generator) for _ in range(self.groups)]
            )
            share = float(torch.rand((), generator=generator, device=like.device))
            kernel = self.pairs.placed(windows) + self.pairs.drawn_taps(share * self.pairs.rho, generator)
            return self._joined(self.scale * kernel, _draw_free(torch.empty_like(like), generator))

    def extra_repr(self) -> str:
        """Show the sizes and options as nn.Conv does."""
        shown = {
            name: getattr(self, name)
            for name in ("kernel_size", "stride", "padding", "dilation", "groups", "padding_mode")
        }
        options = ", ".join(f"{name}={value}" for name, value in shown.items())
        return (
            f"{self.in_channels}, {self.out_channels}, {options}, bias={self.pair_bias is not None}, "
            f"condition={self.pairs.condition:g}"
        )

    def _by_group(self, channels: torch.Tensor) -> torch.Tensor:
        """Return weight or bias with the groups as first axis."""
        return channels.reshape(self.groups, -1, *channels.shape[1:])

    def _joined(self, pair: torch.Tensor, free: torch.Tensor) -> torch.Tensor:
        """Return pairs ``(groups, q, ...)`` and free channels ``(groups * f, ...)`` in the order of torch."""
        return torch.cat([pair, -pair, self._by_group(free)], dim=1).flatten(0, 1)

    def _size_of(self, positions: Sequence[int], given: Sizes | None) -> tuple[int, ...]:
        """Return the size of images with so many output positions.

        Raises:
            ArgumentError: If there is none, or the one given has others.
        """
        if given is None:
            sizes = [axis.size_of(count) for axis, count in zip(self.axes, positions, strict=True)]
        else:
            chosen = each_axis("output_size", given, self.dims)
            sizes = [
                size if axis.fits(size) and axis.outputs(size) == count else None
                for axis, size, count in zip(self.axes, chosen, positions, strict=True)
            ]
        known = tuple(size for size in sizes if size is not None)
        if len(known) < self.dims:
            which = "an image" if given is None else f"images of size {given}"
            raise ArgumentError(f"y: expected the activations of {which}, got {tuple(positions)} positions")
        return known

    def _check_image(self, name: str, x: torch.Tensor, channels: int) -> None:
        if x.dim() not in {self.dims + 1, self.dims + 2} or x.shape[-self.dims - 1] != channels:
            axes = ", ".join(["N", str(channels), *("L" if self.dims == 1 else "DHW"[-self.dims :])])
            raise ArgumentError(f"{name}: expected shape ({axes}), with N or without, got {tuple(x.shape)}")

    def _checked_free(self) -> int:
        """Return the number of free channels in a group.

        Raises:
            ArgumentError: If there are too few channels for all pairs.
        """
        widths = [axis.window[1] for axis in self.axes if axis.window is not None]
        least = 2 * self.in_channels * math.prod(widths)
        if self.out_channels < least:
            raise ArgumentError(
                f"out_channels: expected at least {least}, a pair for each of {self.in_channels} channels "
                f"and each tap of a window of {' x '.join(map(str, widths))}, got {self.out_channels}"
            )
        return (self.out_channels - least) // self.groups


def _draw_free(kernels: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Fill kernels with He's initialisation."""
    if kernels.numel():
        nn.init.kaiming_uniform_(kernels, nonlinearity="relu", generator=generator)
    return kernels
