"""Lower Lipschitz bounds of steps: what each leaves at least of the distance of two inputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from unrelu.nn.modules._normalisation import depends_on_data
from unrelu.nn.modules._residual import ContractiveResidual
from unrelu.nn.modules._skip import ConcatenatingSkip
from unrelu.nn.modules.undo._rules import takes_activations
from unrelu.nn.modules.undo._step import Step


def lower_lipschitz(step: Step) -> float:
    """Return a lower Lipschitz bound of a step on all of its space, 0 where none is known.

    A ReLU after a layer whose bound speaks of both together is part of it; after any other layer it may keep
    nothing of the distance.
    """
    module: Any = step.module
    if takes_activations(module):
        return float(module.lower_lipschitz())
    known = next((BOUNDS[kind] for kind in type(module).__mro__ if kind in BOUNDS), None)
    if known is None or step.rectified:
        return 0.0
    with torch.no_grad():
        return float(known(module))


def _one(module: nn.Module) -> float:
    return 1.0


def _dense(module: nn.Linear) -> float:
    """Return the smallest singular value, less what its computation rounds; 0 for fewer rows than columns."""
    if module.out_features < module.in_features:
        return 0.0
    sigma = torch.linalg.svdvals(module.weight.double())
    rounding = max(module.weight.shape) * torch.finfo(sigma.dtype).eps
    return max(float(sigma[-1] - rounding * sigma[0]), 0.0)


def _batch_norm(module: nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) -> float:
    if depends_on_data(module) or module.running_var is None:
        return 0.0
    factors = 1 / torch.sqrt(module.running_var.double() + module.eps)
    gains = factors if module.weight is None else factors * module.weight.abs()
    return float(gains.min())


def _slope(module: nn.LeakyReLU) -> float:
    return max(min(1.0, module.negative_slope), 0.0)


def _slopes(module: nn.PReLU) -> float:
    return max(min(1.0, float(module.weight.min())), 0.0)


def _contraction(module: ContractiveResidual) -> float:
    return max(1 - module.lipschitz_bound(), 0.0)


BOUNDS: dict[type[nn.Module], Callable[[Any], float]] = {
    **dict.fromkeys((nn.Identity, nn.Flatten, nn.Unflatten, nn.PixelShuffle, nn.PixelUnshuffle), _one),
    ConcatenatingSkip: _one,
    ContractiveResidual: _contraction,
    nn.Linear: _dense,
    nn.BatchNorm1d: _batch_norm,
    nn.BatchNorm2d: _batch_norm,
    nn.BatchNorm3d: _batch_norm,
    nn.LeakyReLU: _slope,
    nn.PReLU: _slopes,
}
"""Bounds by kind of module."""
