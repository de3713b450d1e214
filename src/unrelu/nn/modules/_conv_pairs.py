"""The pairs of an injective convolution: an orthogonal window, and further taps that weigh less.

With stride s every input is read, in the window of some output position, by an orthogonal matrix (Puthawala
et al. 2022, domain decomposition). Taps outside of it are added as cells of s taps an axis. A cell reads each
input at most once, so that its norm as a convolution is that of its matrix, whatever the size and the border;
a sum of norms below that of the window leaves the whole invertible, with a known rate of iteration.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast, final

import torch
from torch import nn

from unrelu.nn.modules._conv_axis import Axis
from unrelu.nn.modules._pairs import Basis
from unrelu.nn.modules._spectral import norm_bound, spectral_norm

_ROUNDING = 1e-4  # of the norm that further taps may have, kept for rounding
_TINY = 1e-30


@final
class ConvolutionPairs(nn.Module):
    """The kernels ``K = Q + E`` of pairs of opposite channels ``[K; -K]``, each group of channels for itself.

    ``Q`` is an orthogonal matrix of ``q`` rows on the ``q = channels * taps`` entries of the window. ``E``
    has taps outside of it, with norms whose sum is at most ``rho = (condition - 1) / (condition + 1)``.

    Args:
        axes: Geometry of each axis; all have a window.
        groups: Number of groups.
        channels: Channels that a group reads.
        condition: Bound of the condition number of ``K``, at least 1.
        options: Device and dtype.
    """

    def __init__(
        self, axes: Sequence[Axis], groups: int, channels: int, condition: float, **options: Any
    ) -> None:
        super().__init__()
        self.axes, self.groups, self.channels = tuple(axes), groups, channels
        self.windows = tuple(axis.window for axis in axes if axis.window is not None)
        self.condition = condition
        self.rho = (condition - 1) / (condition + 1) * (1 - _ROUNDING)
        self.rows = channels * math.prod(width for _, width in self.windows)
        self.bases = nn.ModuleList(Basis(self.rows, **options) for _ in range(groups))
        kernel = [axis.taps for axis in axes]
        self.register_parameter("taps", None)
        if self.rho > 0 and math.prod(kernel) * channels > self.rows:
            self.taps = nn.Parameter(torch.empty(groups, self.rows, channels, *kernel, **options))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw random orthogonal windows, and further taps with half the norm that they may have."""
        for basis in self._each_basis():
            basis.reset_parameters()
        if self.taps is not None:
            with torch.no_grad():
                self.taps.copy_(self.drawn_taps(self.rho / 2))

    def forward(self) -> torch.Tensor:
        """Return ``K``, shape ``(groups, q, channels, *kernel)``."""
        kernel = self.placed(torch.stack([basis.matrix() for basis in self._each_basis()]))
        if self.taps is None:
            return kernel
        taps = self.outside(self.taps)
        total = self.cell_norms(taps, norm_bound).sum(dim=1).clamp_min(_TINY)
        return kernel + taps * (self.rho / total).clamp_max(1.0).reshape(-1, *(1,) * (taps.dim() - 1))

    def _each_basis(self) -> Iterator[Basis]:
        return (cast("Basis", module) for module in self.bases)

    def drawn_taps(self, norm: float, generator: torch.Generator | None = None) -> torch.Tensor:
        """Return random taps outside of the window whose norms have at most a given sum."""
        like = next(self._each_basis()).fixed
        shape = self.groups, self.rows, self.channels, *(axis.taps for axis in self.axes)
        taps = self.outside(
            torch.empty(shape, dtype=like.dtype, device=like.device).normal_(generator=generator)
        )
        total = self.cell_norms(taps, norm_bound).sum(dim=1).clamp_min(_TINY)
        return taps * (norm / total).reshape(-1, *(1,) * (taps.dim() - 1))

    def placed(self, window: torch.Tensor) -> torch.Tensor:
        """Return matrices ``(groups, q, q)`` as kernels that are 0 outside of the window."""
        widths: list[int] = []
        pads: list[int] = []
        for axis, (first, width) in zip(self.axes, self.windows, strict=True):
            widths.append(width)
            pads = [first, axis.taps - first - width, *pads]
        return nn.functional.pad(window.reshape(self.groups, self.rows, self.channels, *widths), pads)

    def window_of(self, kernel: torch.Tensor) -> torch.Tensor:
        """Return the window of kernels as matrices ``(groups, q, q)``."""
        for axis, (first, width) in enumerate(self.windows):
            kernel = kernel.narrow(axis + 3, first, width)
        return kernel.reshape(self.groups, self.rows, self.rows)

    def outside(self, kernel: torch.Tensor) -> torch.Tensor:
        """Return kernels that are 0 in the window, the same elsewhere."""
        return kernel - self.placed(self.window_of(kernel))

    def extent(self, kernel: torch.Tensor) -> tuple[float, float, float]:
        """Return the least and the largest singular value of the windows, and the norm of further taps.

        On images of any size the singular values of the kernels are within the third of the first two, where
        each input is read by one window.

        Args:
            kernel: Float64, shape ``(groups, q, channels, *kernel)``.
        """
        sigma = torch.linalg.svdvals(self.window_of(kernel))
        further = self.cell_norms(self.outside(kernel), spectral_norm).sum(dim=1)
        return float(sigma.min()), float(sigma.max()), float(further.max())

    def cell_norms(self, kernel: torch.Tensor, norm: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """Return the norms of all cells of taps, shape ``(groups, cells)``.

        Args:
            kernel: Shape ``(groups, q, channels, *kernel)``.
            norm: Of matrices ``(..., q, channels * taps of a cell)``.
        """
        pads: list[int] = []
        split: list[int] = []
        for axis, (first, _) in zip(self.axes, self.windows, strict=True):
            before = -first % axis.stride
            after = -(before + axis.taps) % axis.stride
            pads = [before, after, *pads]
            split += [(before + axis.taps + after) // axis.stride, axis.stride]
        tiled = nn.functional.pad(kernel, pads).reshape(*kernel.shape[:3], *split)
        cells, taps = range(3, tiled.dim(), 2), range(4, tiled.dim(), 2)
        matrices = tiled.permute(0, *cells, 1, 2, *taps)
        return norm(matrices.reshape(self.groups, math.prod(split[::2]), self.rows, -1))
