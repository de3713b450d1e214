"""The matrix of a network's linearisation up to one ReLU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.errors import ArgumentError
from unrelu.layers import OUTPUT, Linearisation
from unrelu.stability._network import as_network
from unrelu.stability._window import directions_along, window_entries

if TYPE_CHECKING:
    from unrelu.layers import Network, ReLULayer
    from unrelu.stability._window import Window


@dataclass(frozen=True)
class Linearised:
    """A linearisation before a ReLU.

    Attributes:
        matrix: Derivative of the pre-activation, shape ``(m, d)``.
        active: Which rows the ReLU keeps: the strictly positive entries, shape ``(m,)``.
    """

    matrix: Array
    active: Array


def linearise(
    network: Network | ReLULayer, x: Array, layer: str | None = None, *, window: Window | None = None
) -> Linearised:
    """Return the matrix whose singular values `spectrum` reports before a ReLU, and the rows kept behind it.

    Args:
        network: A network or a layer.
        x: One input, in its own shape or flat.
        layer: Name of the layer; the first one when ``None``.
        window: As in `spectrum`.

    Raises:
        ArgumentError: If the shape does not fit, an entry is not finite, or there is no such layer.
    """
    network = as_network(network)
    flat, batch, _ = flatten_samples(to_tensor(x, "x"), network.input_shape, "x")
    if len(flat) != 1:
        raise ArgumentError(f"x: expected one sample, got a batch of shape {batch}")
    linearisation = Linearisation(network, flat)
    names = [name for name in linearisation.shapes if name != OUTPUT]
    wanted = names[0] if layer is None else layer
    if wanted not in names:
        raise ArgumentError(f"layer: expected one of {', '.join(map(repr, names))}, got {layer!r}")
    entries = window_entries(window, network.input_shape).to(flat.device)
    with torch.no_grad():
        stages = linearisation.stages(directions_along(entries, flat.shape[1]))
        stage = next(stage for stage in stages if stage.name == wanted)
    return Linearised(like(stage.tangents[0].T, x), like(stage.active[0], x))
