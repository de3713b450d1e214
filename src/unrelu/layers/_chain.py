"""A network that is a chain of ReLU layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.layers._relu_layer import ReLULayer

if TYPE_CHECKING:
    from unrelu.certificates import LayerRecord
    from unrelu.layers.maps import LinearMap


@dataclass(frozen=True)
class Chain:
    """``x -> W_L relu(... relu(W_1 x + b_1)) + b_L``, in float64 on the CPU.

    Attributes:
        layers: The ReLU layers.
        last: The map behind the last ReLU, ``None`` where the output is that of the ReLU.
        offset: ``b_L``.
        rounded: Whether ``b_L`` was rounded when maps were folded.
    """

    layers: tuple[ReLULayer, ...]
    last: LinearMap | None
    offset: torch.Tensor | None
    rounded: bool = False

    @property
    def n(self) -> int:
        """Number of inputs."""
        return self.layers[0].n

    @property
    def entries(self) -> int:
        """Of all pre-activations as functions of the input."""
        return sum(layer.m for layer in self.layers) * self.n

    def records(self) -> tuple[LayerRecord, ...]:
        """Return the numbers of all maps, in order, as certificates hold them."""
        layers = tuple(layer.record() for layer in self.layers)
        last = self.last_record()
        return layers if last is None else (*layers, last)

    def last_record(self) -> LayerRecord | None:
        """Return the numbers of the map behind the last ReLU."""
        if self.last is None:
            return None
        layer = ReLULayer(self.last, self.offset, name="output", node="output", rounded=self.rounded)
        return layer.record()

    def preactivations(self, x: np.ndarray) -> list[np.ndarray]:
        """Return the pre-activations of every layer at an input."""
        activation = torch.from_numpy(x)[None]
        out = []
        for layer in self.layers:
            z = layer.preactivation(activation)
            out.append(z[0].numpy())
            activation = z.clamp(min=0)
        return out

    def output(self, x: np.ndarray) -> np.ndarray:
        """Return the output at an input."""
        hidden = np.maximum(self.preactivations(x)[-1], 0)
        if self.last is None:
            return hidden
        out = self.last.apply(torch.from_numpy(hidden)[None])[0]
        return (out if self.offset is None else out + self.offset).numpy()
