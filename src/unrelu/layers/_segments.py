"""Networks cut at normalisations that divide by statistics of the activation (Puthawala et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    from unrelu.layers._graph import Normalisation, Value
    from unrelu.layers._network import Network
    from unrelu.layers._relu_layer import ReLULayer
    from unrelu.layers.maps import LinearMap


@dataclass(frozen=True)
class Segment:
    """A chain of ReLU layers, an affine map behind them, and the normalisation that follows; in float64.

    Attributes:
        layers: The layers, maybe none.
        last: The linear part of the affine map, maybe the identity.
        node: Name of the normalisation; empty at the end of the network.
        normalisation: What it does; ``None`` at the end.
    """

    layers: tuple[ReLULayer, ...]
    last: LinearMap
    node: str
    normalisation: Normalisation | None


def segments(net: Network) -> tuple[Segment, ...]:
    """Return the parts between normalisations, in order.

    Raises:
        ArgumentError: If the network is not a chain of layers and normalisations, naming the first node that
            does or reads something else.
    """
    known = {layer.node: layer.to(device="cpu", dtype=torch.float64) for layer in net.values()}
    parts: list[Segment] = []
    layers: list[ReLULayer] = []
    source = net.input_name
    for step in net.steps:
        value = step.inputs[0]
        if step.normalisation is not None:
            parts.append(
                Segment(tuple(layers), _linear(value, source, step.name), step.name, step.normalisation)
            )
            layers = []
        elif step.name in known:
            _linear(value, source, step.name)
            layers.append(known[step.name])
        else:
            raise ArgumentError(
                f"network: expected a chain of ReLU layers and normalisations, but {step.name!r} is "
                f"{step.operator}"
            )
        source = step.name
    return (*parts, Segment(tuple(layers), _linear(net.output, source, "output"), "", None))


def _linear(value: Value, source: str, reader: str) -> LinearMap:
    """Return the map from an activation to a tensor that reads no other.

    Raises:
        ArgumentError: If it does.
    """
    if value.sources != (source,):
        read = ", ".join(map(repr, value.sources))
        raise ArgumentError(
            f"network: expected a chain of ReLU layers and normalisations, but {reader!r} reads {read} and "
            f"not {source!r} alone"
        )
    return value.terms[0][1].to(device="cpu", dtype=torch.float64)
