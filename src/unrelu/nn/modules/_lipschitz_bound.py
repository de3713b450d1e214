"""Upper Lipschitz bounds of modules from norms of their weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn.modules._spectral import norm_bound

Bound = Callable[[Any], "torch.Tensor | float"]


def lipschitz_bound(module: nn.Module) -> torch.Tensor | float:
    """Return an upper Lipschitz bound of a module in the Euclidean norm: the product over its parts.

    A dense layer has its spectral norm, bounded by Gram iteration; a convolution that pads with zeros, or not
    at all, the sum of those of its taps, for every tap moves pixels and drops some.

    Args:
        module: A sequence of dense layers, convolutions, injective layers, activations and reshaping.

    Returns:
        A scalar, differentiable in the weights; right up to rounding in their dtype.

    Raises:
        ArgumentError: If no bound of a module is known, naming it.

    Example:
        >>> import torch
        >>> from unrelu.nn.modules._lipschitz_bound import lipschitz_bound
        >>> layer = torch.nn.Linear(2, 2, bias=False)
        >>> _ = layer.weight.data.copy_(torch.diag(torch.tensor([3.0, 1.0])))
        >>> bool(3 <= lipschitz_bound(torch.nn.Sequential(layer, torch.nn.Tanh())) < 3.001)
        True
    """
    if isinstance(module, nn.Sequential):
        total: torch.Tensor | float = 1.0
        for part in module:
            total = total * lipschitz_bound(part)
        return total
    known = next((BOUNDS[kind] for kind in type(module).__mro__ if kind in BOUNDS), None)
    if known is None:
        raise ArgumentError(
            f"inner: expected modules with a known Lipschitz bound, got {type(module).__name__}"
        )
    return known(module)


def _one(module: nn.Module) -> float:
    return 1.0


def _dense(module: nn.Linear) -> torch.Tensor:
    return norm_bound(module.weight)


def _convolution(module: nn.Conv1d | nn.Conv2d | nn.Conv3d) -> torch.Tensor:
    if module.padding_mode != "zeros":
        raise ArgumentError(
            f"inner: expected a convolution that pads with zeros, got {module.padding_mode!r}"
        )
    weight = module.weight.flatten(2).movedim(2, 0)
    groups = weight.unflatten(1, (module.groups, -1))
    return norm_bound(groups).amax(dim=1).sum()


def _slopes(module: nn.Module) -> torch.Tensor | float:
    if isinstance(module, nn.PReLU):
        return module.weight.abs().max().clamp(min=1.0)
    return max(1.0, abs(cast("nn.LeakyReLU", module).negative_slope))


def _elu(module: nn.ELU) -> float:
    return max(1.0, abs(module.alpha))


def _dropout(module: nn.Module) -> float:
    if module.training:
        raise ArgumentError("inner: expected dropout in evaluation mode, got training mode")
    return 1.0


BOUNDS: dict[type[nn.Module], Bound] = {
    nn.Linear: _dense,
    nn.Conv1d: _convolution,
    nn.Conv2d: _convolution,
    nn.Conv3d: _convolution,
    nn.LeakyReLU: _slopes,
    nn.PReLU: _slopes,
    nn.ELU: _elu,
    nn.Dropout: _dropout,
    **dict.fromkeys(
        (
            nn.Identity,
            nn.ReLU,
            nn.Tanh,
            nn.Softplus,
            nn.Hardtanh,
            nn.Softsign,
            nn.Flatten,
            nn.Unflatten,
            nn.PixelShuffle,
            nn.PixelUnshuffle,
        ),
        _one,
    ),
    nn.Sigmoid: lambda module: 0.25,
}
"""Bounds by kind of module."""
