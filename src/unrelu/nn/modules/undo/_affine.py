"""Plain affine modules: least squares, on the active rows where a ReLU follows."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.inverse import invert
from unrelu.layers import ReLULayer
from unrelu.nn.modules._projection import GenericProjection
from unrelu.nn.modules.undo._step import Place, Step, Undone


def undo_linear(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Solve ``W x + b = y`` by least squares in float64.

    Raises:
        ArgumentError: If the columns of ``W`` are not numerically independent.
    """
    module = cast("nn.Linear", step.module)
    if step.rectified:
        return _undo_rows(ReLULayer(module.weight, module.bias), y)
    weight = module.weight.double()
    left, sigma, right = torch.linalg.svd(weight, full_matrices=False)
    rank = int((sigma > max(weight.shape) * torch.finfo(weight.dtype).eps * sigma.max()).sum())
    if rank < module.in_features:
        raise ArgumentError(
            f"{step}: expected a weight of rank {module.in_features}, got rank {rank}: it loses information"
        )
    moved = y.double() if module.bias is None else y.double() - module.bias.double()
    return Undone(((moved @ left / sigma) @ right).to(y.dtype))


def undo_convolution(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Solve for the images of a convolution that a ReLU follows."""
    return _undo_rows(ReLULayer.from_module(step.module, place.shape), y)


def _undo_rows(layer: ReLULayer, y: torch.Tensor) -> Undone:
    """Solve for the inputs of a layer from its active rows, with a proof for each that they suffice."""
    flat = y.detach().reshape(len(y), layer.m).double()
    # What later steps left of a zero is not taken for an active row.
    least = torch.finfo(y.dtype).eps ** 0.75 * flat.abs().amax(dim=1, keepdim=True)
    found = invert(layer, torch.where(flat > least, flat, 0.0))
    x = torch.as_tensor(found.x).reshape(len(y), *layer.in_shape)
    return Undone(x.to(y), torch.as_tensor(found.unique).to(y.device))


def undo_projection(step: Step, y: torch.Tensor, place: Place) -> Undone:
    """Return the least-norm answer, which is only where a search may begin."""
    return Undone(cast("GenericProjection", step.module).least_norm(y))
