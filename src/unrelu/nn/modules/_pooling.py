"""Pooling that loses nothing: what tells the entries of a window apart follows as further channels.

Puthawala et al. (2022) leave pooling out of injective networks: of n entries, an average or a maximum keeps
one number, and the position of the maximum is none of the others. The further channels are the coordinates of
a window in an orthogonal basis, that of the discrete cosine transform, without its constant vector.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from functools import reduce
from typing import ClassVar, final

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn.modules._conv_options import Sizes, each_axis


class _Pooling(nn.Module):
    """Windows side by side, of which each becomes one number, its summary, and ``n - 1`` details.

    Attributes:
        dims: Number of spatial axes.
        kernel_size: Length of a window along each of them.
        entries: Number ``n`` of entries of a window.
    """

    dims: ClassVar[int]

    def __init__(self, kernel_size: Sizes) -> None:
        super().__init__()
        self.kernel_size = each_axis("kernel_size", kernel_size, self.dims)
        self.entries = math.prod(self.kernel_size)
        # A constant of float64, whatever the module is converted to.
        self._basis = reduce(torch.kron, map(_cosines, self.kernel_size))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the summaries of all channels, followed by their details.

        Args:
            x: Shape ``(N, C, *size)`` or ``(C, *size)``; sizes are multiples of ``kernel_size``.

        Returns:
            Shape ``(N, n C, *positions)`` or ``(n C, *positions)``.

        Raises:
            ArgumentError: If the shape does not fit.
        """
        sizes = zip(x.shape[-self.dims :], self.kernel_size, strict=True)
        if x.dim() not in {self.dims + 1, self.dims + 2} or any(size % width for size, width in sizes):
            raise ArgumentError(
                f"x: expected one or two axes and then multiples of {self.kernel_size}, got {tuple(x.shape)}"
            )
        windows = self._windows(x)
        coordinates = windows @ (self._basis.to(x) / math.sqrt(self.entries)).mT
        summarised = self._summarised(windows, coordinates)
        return summarised.movedim(-1, -self.dims - 2).flatten(-self.dims - 2, -self.dims - 1)

    def inverse(self, y: torch.Tensor) -> torch.Tensor:
        """Return the input whose output is ``y``; every ``y`` is one.

        Args:
            y: Shape ``(N, n C, *positions)`` or ``(n C, *positions)``.

        Returns:
            Shape ``(N, C, *size)`` or ``(C, *size)``.

        Raises:
            ArgumentError: If the shape does not fit.
        """
        if y.dim() not in {self.dims + 1, self.dims + 2} or y.shape[-self.dims - 1] % self.entries:
            raise ArgumentError(
                f"y: expected a multiple of {self.entries} channels and {self.dims} axes behind, "
                f"got {tuple(y.shape)}"
            )
        coordinates = y.unflatten(-self.dims - 1, (self.entries, -1)).movedim(-self.dims - 2, -1)
        basis = self._basis.to(y) * math.sqrt(self.entries)
        varying = coordinates[..., 1:] @ basis[1:]
        return self._joined(varying + self._constant(coordinates[..., :1], varying))

    @abstractmethod
    def _summarised(self, windows: torch.Tensor, coordinates: torch.Tensor) -> torch.Tensor:
        """Return coordinates whose first one, the average, has been replaced by the summary."""

    @abstractmethod
    def _constant(self, summary: torch.Tensor, varying: torch.Tensor) -> torch.Tensor:
        """Return the average of windows from their first channel and what they are without it."""

    def _windows(self, x: torch.Tensor) -> torch.Tensor:
        """Return windows along a last axis, shape ``(..., C, *positions, n)``."""
        lead, sizes = x.shape[: -self.dims], x.shape[-self.dims :]
        split = [
            part
            for size, width in zip(sizes, self.kernel_size, strict=True)
            for part in (size // width, width)
        ]
        behind = range(len(lead), len(lead) + 2 * self.dims)
        order = [*range(len(lead)), *behind[::2], *behind[1::2]]
        return x.reshape(*lead, *split).permute(order).flatten(-self.dims)

    def _joined(self, windows: torch.Tensor) -> torch.Tensor:
        """Return what `_windows` made windows of."""
        lead, positions = windows.shape[: -self.dims - 1], windows.shape[-self.dims - 1 : -1]
        first = len(lead)
        order = [*range(first), *(first + k for axis in range(self.dims) for k in (axis, axis + self.dims))]
        sizes = [count * width for count, width in zip(positions, self.kernel_size, strict=True)]
        return windows.unflatten(-1, self.kernel_size).permute(order).reshape(*lead, *sizes)

    def extra_repr(self) -> str:
        """Show the size of a window."""
        return f"kernel_size={self.kernel_size}"


class _AveragePooling(_Pooling):
    """The summary is the average."""

    def _summarised(self, windows: torch.Tensor, coordinates: torch.Tensor) -> torch.Tensor:
        return coordinates

    def _constant(self, summary: torch.Tensor, varying: torch.Tensor) -> torch.Tensor:
        return summary


class _MaximumPooling(_Pooling):
    """The summary is the maximum."""

    def _summarised(self, windows: torch.Tensor, coordinates: torch.Tensor) -> torch.Tensor:
        return torch.cat([windows.amax(dim=-1, keepdim=True), coordinates[..., 1:]], dim=-1)

    def _constant(self, summary: torch.Tensor, varying: torch.Tensor) -> torch.Tensor:
        return summary - varying.amax(dim=-1, keepdim=True)


@final
class InjectiveAvgPool1d(_AveragePooling):
    """As `InjectiveAvgPool2d`, along one axis.

    Example:
        >>> import torch, unrelu
        >>> unrelu.nn.InjectiveAvgPool1d(2)(torch.tensor([[1.0, 5.0, 2.0, 2.0]]))
        tensor([[ 3.,  2.],
                [-2.,  0.]])
    """

    dims: ClassVar[int] = 1


@final
class InjectiveAvgPool2d(_AveragePooling):
    """Averages over windows as ``nn.AvgPool2d(kernel_size)`` has them, and then ``n - 1`` details a channel.

    All of it is an orthogonal map divided by ``sqrt(n)`` for ``n`` entries in a window, the Haar transform
    where windows are 2 x 2. It stands behind a ReLU; one that follows it at once would lose the details.

    Args:
        kernel_size: Size of a window, a number or one for each axis; also the stride.

    Raises:
        ArgumentError: If it is no such size.

    Example:
        >>> import torch, unrelu
        >>> pool, x = unrelu.nn.InjectiveAvgPool2d(2), torch.randn(5, 3, 8, 8)
        >>> bool(torch.allclose(pool(x)[:, :3], torch.nn.functional.avg_pool2d(x, 2), atol=1e-6))
        True
        >>> bool(torch.allclose(pool.inverse(pool(x)), x, atol=1e-5)), pool(x).shape
        (True, torch.Size([5, 12, 4, 4]))
    """

    dims: ClassVar[int] = 2


@final
class InjectiveAvgPool3d(_AveragePooling):
    """As `InjectiveAvgPool2d`, along three axes.

    Example:
        >>> import torch, unrelu
        >>> unrelu.nn.InjectiveAvgPool3d((1, 2, 2))(torch.ones(1, 1, 3, 4, 4)).shape
        torch.Size([1, 4, 3, 2, 2])
    """

    dims: ClassVar[int] = 3


@final
class InjectiveMaxPool1d(_MaximumPooling):
    """As `InjectiveMaxPool2d`, along one axis.

    Example:
        >>> import torch, unrelu
        >>> unrelu.nn.InjectiveMaxPool1d(2)(torch.tensor([[1.0, 5.0, 2.0, 2.0]]))
        tensor([[ 5.,  2.],
                [-2.,  0.]])
    """

    dims: ClassVar[int] = 1


@final
class InjectiveMaxPool2d(_MaximumPooling):
    """Maxima over windows as ``nn.MaxPool2d(kernel_size)`` has them, and the details of `InjectiveAvgPool2d`.

    Where the maximum was, as ``return_indices=True`` tells, would not be enough: other entries could be
    anything below. From the details follow all differences of entries, and from these and the maximum the
    entries. The map is piecewise linear, one to one and onto; `unrelu.decide` proves the former.

    Args:
        kernel_size: As for `InjectiveAvgPool2d`.

    Example:
        >>> import torch, unrelu
        >>> x = torch.randn(2, 1, 6, 6, dtype=torch.float64)
        >>> y = unrelu.nn.InjectiveMaxPool2d(3)(x)
        >>> torch.equal(y[:, :1], torch.nn.functional.max_pool2d(x, 3)), y.shape
        (True, torch.Size([2, 9, 2, 2]))
        >>> bool(torch.allclose(unrelu.nn.InjectiveMaxPool2d(3).inverse(y), x))
        True
    """

    dims: ClassVar[int] = 2


@final
class InjectiveMaxPool3d(_MaximumPooling):
    """As `InjectiveMaxPool2d`, along three axes.

    Example:
        >>> import torch, unrelu
        >>> unrelu.nn.InjectiveMaxPool3d(2)(torch.ones(1, 1, 4, 4, 4)).shape
        torch.Size([1, 8, 2, 2, 2])
    """

    dims: ClassVar[int] = 3


def _cosines(size: int) -> torch.Tensor:
    """Return the orthonormal discrete cosine transform (Ahmed et al. 1974), the constant vector first."""
    position = torch.arange(size, dtype=torch.float64)
    rows = torch.cos(math.pi / size * position[:, None] * (position + 0.5)) * math.sqrt(2 / size)
    rows[0] = 1 / math.sqrt(size)
    return rows
