"""Networks cut at normalisations that divide by statistics of the activation (Puthawala et al. 2022)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from unrelu.errors import ArgumentError
from unrelu.layers.maps import Reindex

if TYPE_CHECKING:
    from unrelu.layers._graph import Value
    from unrelu.layers._network import Network
    from unrelu.layers._normalisation import Normalisation
    from unrelu.layers._relu_layer import ReLULayer
    from unrelu.layers.maps import LinearMap


@dataclass(frozen=True)
class Segment:
    """A chain of ReLU layers, an affine map behind them, and the normalisation that follows; in float64.

    Attributes:
        layers: The layers, maybe none.
        last: The linear part of the affine map, maybe the identity.
        offset: Its constant part, flattened.
        node: Name of the normalisation; empty at the end of the network.
        normalisation: What it does; ``None`` at the end.
        rectified: Whether a ReLU acts on what the normalisation puts out, entry by entry; it is no layer.
    """

    layers: tuple[ReLULayer, ...]
    last: LinearMap
    offset: torch.Tensor
    node: str
    normalisation: Normalisation | None
    rectified: bool = False

    @property
    def ends_in_relu(self) -> bool:
        """Whether nothing lies between the last ReLU and the end."""
        return bool(self.layers) and self._ends_plainly

    @property
    def is_empty(self) -> bool:
        """Whether it does nothing: neither a layer nor an affine map."""
        return not self.layers and self._ends_plainly

    @property
    def _ends_plainly(self) -> bool:
        return _is_identity(self.last) and not bool(self.offset.any())


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
            affine = _linear(value, source, step.name), _offset(value)
            parts.append(Segment(tuple(layers), *affine, step.name, step.normalisation))
            layers = []
        elif step.name in known:
            _linear(value, source, step.name)
            layers.append(known[step.name])
        elif step.function is None and parts and parts[-1].node == source and _is_itself(value):
            parts[-1] = replace(parts[-1], rectified=True)
        else:
            raise ArgumentError(
                f"network: expected a chain of ReLU layers and normalisations, but {step.name!r} is "
                f"{step.operator}"
            )
        source = step.name
    affine = _linear(net.output, source, "output"), _offset(net.output)
    return (*parts, Segment(tuple(layers), *affine, "", None))


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


def _is_itself(value: Value) -> bool:
    """Tell whether a tensor is an activation as it stands."""
    return len(value.terms) == 1 and _is_identity(value.terms[0][1]) and not bool(value.offset.any())


def _is_identity(linear: LinearMap) -> bool:
    return isinstance(linear, Reindex) and linear.is_identity


def _offset(value: Value) -> torch.Tensor:
    return value.offset.detach().double().cpu()
