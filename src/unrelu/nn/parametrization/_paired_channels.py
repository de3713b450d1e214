"""Channels of a convolution that follow others (Puthawala et al. 2022, domain decomposition)."""

from __future__ import annotations

from typing import TypeAlias, final

import numpy as np
import torch
from torch import nn

from unrelu.arrays import to_tensor
from unrelu.errors import ArgumentError
from unrelu.nn.modules._conv_options import checked_axes
from unrelu.nn.modules._conv_pairs import ConvolutionPairs
from unrelu.nn.modules._spectral import spectral_norm
from unrelu.nn.parametrization._paired import Paired, raised
from unrelu.nn.parametrization._pairing import Pairing, pairing

Conv: TypeAlias = nn.Conv1d | nn.Conv2d | nn.Conv3d

_SHARE = 0.99  # of the least singular value of a window that further taps may have, where nobody says


@final
class PairedChannels(Paired):
    r"""Parametrization of the weight of ``nn.Conv1d/2d/3d``: the channels that are followed determine images.

    As in `unrelu.nn.InjectiveConv2d` each input is read in a *window* of taps, as many along each axis as the
    stride. In each group of channels the windows of the basis are a square matrix with least singular value
    ``sigma``, and the norms of its further taps have a sum ``tau`` below ``0.99 sigma``. Where it is larger,
    these taps are shrunk. With ``condition`` they are shrunk, and small singular values of the windows
    raised, until ``(sigma_max + tau) / (sigma - tau)`` is at most that. Gradients pass the corrections as if
    they were constants.

    Args:
        module: The convolution.
        condition: Bound of the condition number; ``None`` for none.

    Raises:
        ArgumentError: If some inputs are never read, or the padding mode is neither zeros nor circular.
    """

    def __init__(self, module: Conv, condition: float | None = None) -> None:
        axes = checked_axes(
            module.kernel_size, module.stride, module.padding, module.dilation, module.padding_mode
        )
        channels = module.in_channels // module.groups
        # Only its geometry is used, so it has no numbers and is no part of the module.
        geometry = ConvolutionPairs(axes, module.groups, channels, 1.0, device="meta")
        super().__init__(module.out_channels, module.groups * geometry.rows, condition)
        self._geometry = (geometry,)

    def choose(self, weight: torch.Tensor) -> Pairing:
        """Return which channels of a weight would follow which.

        Raises:
            ArgumentError: If the weight has fewer channels than pairs for all taps of the window, or their
                windows are dependent, or numbers are not finite.
        """
        geometry = self._geometry[0]
        shape = len(self.source), geometry.channels, *(axis.taps for axis in geometry.axes)
        if weight.shape != shape:
            raise ArgumentError(f"weight: expected shape {shape}, got {tuple(weight.shape)}")
        kernels = to_tensor(weight, "weight").cpu().unflatten(0, (geometry.groups, -1))
        windows = kernels
        for axis, (first, width) in enumerate(geometry.windows):
            windows = windows.narrow(axis + 3, first, width)
        rows, parts_of_rows = kernels.flatten(2).numpy(), windows.flatten(2).numpy()
        precision = torch.finfo(weight.dtype).eps
        parts = [pairing(W, precision, part) for W, part in zip(rows, parts_of_rows, strict=True)]
        starts = np.arange(geometry.groups)[:, None] * kernels.shape[1]
        return Pairing(
            (np.stack([part.source for part in parts]) + starts).ravel(),
            np.concatenate([part.factor for part in parts]),
            (np.stack([part.basis for part in parts]) + starts).ravel(),
            sum(part.replaced for part in parts),
        )

    def bounded(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the weight with windows of the basis that outweigh its further taps."""
        geometry = self._geometry[0]
        weight = self.multiples.rounded(weight)
        kernels, windows, further = self._parts(weight)
        total = geometry.cell_norms(further.detach(), spectral_norm).sum(dim=1)
        sigma = torch.linalg.svdvals(windows.detach())
        holds = total <= self._room(sigma) * (1 + kernels[0, 0].numel() * torch.finfo(weight.dtype).eps)
        shaped = (-1, *(1,) * (kernels.dim() - 1))
        if self.condition is not None:
            made = geometry.placed(raised(windows, self.condition**0.5)) + further
            made = torch.where(holds.reshape(shaped), kernels, made)
            weight = self.multiples.rounded(weight.index_copy(0, self.basis, made.flatten(0, 1)))
            kernels, windows, further = self._parts(weight)
            sigma = torch.linalg.svdvals(windows.detach())
        room = (self._room(sigma) / torch.where(total > 0, total, 1)).clamp(0, 1)
        if self.multiples.pairs:
            room = torch.exp2(torch.log2(room).floor())  # what has few digits keeps them
        made = geometry.placed(windows) + further * room.reshape(shaped)
        rows = torch.where(holds.reshape(shaped), kernels, made).flatten(0, 1)
        return weight.index_copy(0, self.basis, rows)

    def _parts(self, weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the kernels of the basis in groups, their windows as matrices, and their further taps."""
        geometry = self._geometry[0]
        kernels = weight.index_select(0, self.basis).unflatten(0, (geometry.groups, -1))
        return kernels, geometry.window_of(kernels), geometry.outside(kernels)

    def _room(self, sigma: torch.Tensor) -> torch.Tensor:
        """Return the norm that further taps may have beside windows with such singular values."""
        if self.condition is None:
            return _SHARE * sigma[:, -1]
        return (self.condition * sigma[:, -1] - sigma[:, 0]) / (self.condition + 1)
