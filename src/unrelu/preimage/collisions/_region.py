"""The linear region of a chain of ReLU layers around an input: all pre-activations as affine functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.layers import ReLULayer
from unrelu.preimage.collisions._program import make_program

if TYPE_CHECKING:
    from unrelu.certificates import LayerRecord
    from unrelu.domains import Domain
    from unrelu.layers import LinearMap
    from unrelu.preimage.collisions._program import Program

ENTRIES = 40_000_000  # of all pre-activations as functions of the input: 320 MB


@dataclass(frozen=True)
class Chain:
    """``x -> W_L relu(... relu(W_1 x + b_1)) + b_L``, in float64 on the CPU.

    Attributes:
        layers: The ReLU layers.
        last: The map behind the last ReLU, ``None`` where the output is that of the ReLU.
        offset: ``b_L``.
    """

    layers: tuple[ReLULayer, ...]
    last: LinearMap | None
    offset: torch.Tensor | None

    @property
    def n(self) -> int:
        """Number of inputs."""
        return self.layers[0].n

    @property
    def entries(self) -> int:
        """Of all pre-activations as functions of the input."""
        return sum(layer.m for layer in self.layers) * self.n

    def affine_record(self) -> LayerRecord | None:
        """Return the numbers of the map behind the last ReLU."""
        if self.last is None:
            return None
        return ReLULayer(self.last, self.offset, name="output", node="output").record()

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


@dataclass(frozen=True)
class Region:
    """The inputs where given neurons are active.

    Attributes:
        active: One boolean array a layer.
        rows: Gradients of the pre-activations in it, one matrix ``(m, n)`` a layer.
        output: Gradient of the output, shape ``(outputs, n)``.
    """

    active: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]
    output: np.ndarray


def region_of(chain: Chain, active: tuple[np.ndarray, ...]) -> Region:
    """Compose the maps for a pattern of active neurons."""
    rows: list[np.ndarray] = []
    inner: torch.Tensor | None = None
    for layer, on in zip(chain.layers, active, strict=True):
        own = layer.dense() if inner is None else layer.linear.apply(inner.T).T
        rows.append(own.numpy())
        inner = own * torch.from_numpy(on)[:, None]
    output = torch.from_numpy(rows[-1] * active[-1][:, None])
    if chain.last is not None:
        output = chain.last.apply(output.T).T
    return Region(active, tuple(rows), output.numpy())


def region_program(chain: Chain, region: Region, x: np.ndarray, domain: Domain, size: float) -> Program:
    """Return the steps from ``x``, on which the region borders at least, that keep it and the output."""
    values = chain.preactivations(x)
    signs = [np.where(on, -1.0, 1.0) for on in region.active]
    below = [sign[:, None] * rows for sign, rows in zip(signs, region.rows, strict=True)]
    slack = [np.maximum(-sign * z, 0) for sign, z in zip(signs, values, strict=True)]
    return make_program(x, region.output, (np.concatenate(below), np.concatenate(slack)), domain, size)
