"""Rows to be appended to a layer: negatives of rows that it has, and new ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.layers._relu_layer import ReLULayer
from unrelu.layers.maps import Compose, Convolution, Dense, Diagonal, Reindex, compose, stacked

if TYPE_CHECKING:
    from unrelu.layers.maps import LinearMap


@dataclass(frozen=True, eq=False)
class NewRows:
    """What follows the rows ``W x + b`` of a layer: ``-(W_S x + b_S)``, ``E x + c`` and ``-(E_P x + c_P)``.

    For a convolution all of these are whole channels.

    Attributes:
        partners: ``S``: numbers of rows, or of channels, whose negatives are appended; ascending, int64.
        weight: ``E``: new rows, shape ``(k, n)``, or kernels, shape ``(k, channels, *taps)``, with strides,
            padding and dilation of the layer's. Float64, but every number is one of float32.
        bias: ``c``, shape ``(k,)``.
        pairs: How many of the first new rows are appended in both signs: ``P`` holds those.
    """

    partners: np.ndarray
    weight: np.ndarray
    bias: np.ndarray
    pairs: int

    @property
    def count(self) -> int:
        """How many rows, or channels, are appended."""
        return len(self.partners) + len(self.weight) + self.pairs

    @property
    def of_channels(self) -> bool:
        """Whether they are channels of a convolution."""
        return self.weight.ndim > 2


def convolution_of(linear: LinearMap) -> tuple[Convolution, Reindex | None] | None:
    """Return a convolution and the movement of its inputs in front of it; ``None`` for any other map.

    Where the movement chooses the first channels of an image, as behind a layer that was completed, it is
    taken into the kernels, as channels of zeros.
    """
    if isinstance(linear, Convolution):
        return linear, None
    if not (isinstance(linear, Compose) and isinstance(linear.inner, Reindex)):
        return None
    conv, movement = linear.outer, linear.inner
    if not isinstance(conv, Convolution):
        return None
    if movement.n == movement.m == len(torch.unique(movement.index)):
        return conv, movement
    first = torch.arange(movement.m, device=movement.index.device)
    images = movement.in_shape[1:] == conv.in_shape[1:]
    if not images or conv.groups > 1 or not torch.equal(movement.index, first):
        return None
    zeros = movement.in_shape[0] - conv.in_shape[0]
    kernel = torch.nn.functional.pad(conv.weight, (0, 0) * (conv.weight.dim() - 2) + (0, zeros))
    return conv.with_weight(kernel, in_shape=movement.in_shape), None


def appended(layer: ReLULayer, new: NewRows) -> ReLULayer:
    """Return a layer with rows appended."""
    linear, bias = layer.linear, layer.bias
    known = convolution_of(linear) if new.of_channels else None
    if known is not None:
        linear = _behind(*known)
    rows = _row_numbers(layer, new)
    parts, offsets = [linear], [bias]
    if len(rows):
        parts.append(_negative(_chosen(linear, rows)))
        offsets.append(-bias[rows])
    for count, sign in ((len(new.weight), 1), (new.pairs, -1)):
        if count:
            part = _new_map(layer, new.weight[:count])
            parts.append(part if sign > 0 else _negative(part))
            places = part.m // count
            offsets.append(sign * torch.from_numpy(new.bias[:count]).to(bias).repeat_interleave(places))
    names = {"name": layer.name, "node": layer.node, "source": layer.source}
    completed = ReLULayer(stacked(parts), **names, rounded=layer.rounded)
    completed.bias = torch.cat(offsets)
    return completed


def _row_numbers(layer: ReLULayer, new: NewRows) -> torch.Tensor:
    partners = torch.from_numpy(new.partners).to(layer.bias.device)
    if not new.of_channels:
        return partners
    places = layer.m // layer.out_shape[0]
    return (partners[:, None] * places + torch.arange(places, device=partners.device)).reshape(-1)


def _chosen(linear: LinearMap, rows: torch.Tensor) -> LinearMap:
    whole = len(linear.out_shape) > 1 and len(rows) % (linear.m // linear.out_shape[0]) == 0
    channels = len(rows) * linear.out_shape[0] // linear.m
    shape = (channels, *linear.out_shape[1:]) if whole else (len(rows),)
    return compose(Reindex(rows, linear.out_shape, shape), linear)


def _negative(linear: LinearMap) -> LinearMap:
    ones = torch.ones(linear.m, dtype=linear.dtype, device=linear.device)
    return compose(Diagonal(-ones, linear.out_shape), linear)


def _new_map(layer: ReLULayer, weight: np.ndarray) -> LinearMap:
    """Return new rows, or channels, as a map of the layer's inputs."""
    numbers = torch.from_numpy(weight).to(dtype=layer.linear.dtype, device=layer.bias.device)
    known = convolution_of(layer.linear) if weight.ndim > 2 else None
    if known is None:
        return Dense(numbers, layer.in_shape)
    conv, movement = known
    return _behind(conv.with_weight(numbers, groups=1, exact=True), movement)


def _behind(conv: Convolution, movement: Reindex | None) -> LinearMap:
    return conv if movement is None else compose(conv, movement)
