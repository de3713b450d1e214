"""Strictly monotone activations undo themselves, entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn.modules.undo._step import Place, Step, Undone

Inverse = Callable[[nn.Module, torch.Tensor], torch.Tensor]


def identity(module: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Return the outputs themselves."""
    return y


def leaky_relu(module: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Divide negative entries by the slope."""
    slope = cast("nn.LeakyReLU", module).negative_slope
    if not slope > 0:
        raise ArgumentError(f"LeakyReLU: expected a negative slope > 0, got {slope}")
    return torch.where(y < 0, y / slope, y)


def prelu(module: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Divide negative entries by learned slopes, one for all channels or one a channel."""
    slopes = cast("nn.PReLU", module).weight
    if not bool((slopes > 0).all()):
        raise ArgumentError(f"PReLU: expected slopes > 0, got {float(slopes.detach().min()):.3g}")
    shaped = slopes if len(slopes) == 1 else slopes.reshape(-1, *(1,) * (y.dim() - 2))
    return torch.where(y < 0, y / shaped, y)


def elu(module: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Take the logarithm of negative entries."""
    alpha = cast("nn.ELU", module).alpha
    if not alpha > 0:
        raise ArgumentError(f"ELU: expected alpha > 0, got {alpha}")
    return torch.where(y < 0, torch.log1p(y.clamp(max=0) / alpha), y)


def softplus(module: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Return ``log(exp(beta y) - 1) / beta`` where torch's formula is not the identity."""
    made = cast("nn.Softplus", module)
    scaled = made.beta * y
    small = torch.where(scaled > made.threshold, 1.0, scaled)
    return torch.where(scaled > made.threshold, y, (small + torch.log(-torch.expm1(-small))) / made.beta)


def tanh(module: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Return the inverse hyperbolic tangent."""
    return torch.atanh(y)


def sigmoid(module: nn.Module, y: torch.Tensor) -> torch.Tensor:
    """Return the logit."""
    return torch.logit(y)


INVERSES: dict[type[nn.Module], Inverse] = {
    nn.Identity: identity,
    nn.LeakyReLU: leaky_relu,
    nn.PReLU: prelu,
    nn.ELU: elu,
    nn.Softplus: softplus,
    nn.Tanh: tanh,
    nn.Sigmoid: sigmoid,
}
"""Inverse functions by kind of module."""


def undo_activation(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Apply the inverse function of the kind that a module is."""
    kind = next(kind for kind in type(step.module).__mro__ if kind in INVERSES)
    return Undone(INVERSES[kind](step.module, y))


def undo_dropout(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Return the outputs themselves, in evaluation mode.

    Raises:
        ArgumentError: In training mode, where entries are lost at random.
    """
    if step.module.training:
        raise ArgumentError(f"{step}: expected evaluation mode, got training mode, where entries are lost")
    return Undone(y)
