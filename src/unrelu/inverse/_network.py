"""Networks inverted layer by layer, from the output to the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.domains import Orthant
from unrelu.errors import ArgumentError
from unrelu.frames import frame_of
from unrelu.inverse._noise import Noise, Within
from unrelu.inverse._result import InverseResult, LayerInverse, NetworkInverse
from unrelu.layers import Network, ReLULayer

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.domains import Domain

_LOST = 1e-9  # relative size below which an activation that is not known for sure is taken for 0


@dataclass
class _Way:
    """Where the way back stands: activations, how far they may be off, and what the layers said."""

    activation: np.ndarray
    radius: np.ndarray | None
    layers: list[LayerInverse]

    def note(self, layer: ReLULayer, found: InverseResult) -> None:
        loses = layer.m < layer.n
        self.layers.append(
            LayerInverse(layer.name, layer.n, layer.m, loses, found.unique, found.residual, found.condition)
        )
        size = np.linalg.norm(found.x, axis=1)
        self.radius = np.where(np.isfinite(found.error_bound), found.error_bound, _LOST * size)


def invert_network(
    network: Network,
    y: Array,
    domain: Domain | None,
    invert_layer: Callable[..., InverseResult],
    noise: Noise | None,
) -> NetworkInverse:
    """Invert a chain of ReLU layers.

    Activations on the way are reconstructions: one that does not exceed the bound of its error is not taken
    for an active row of the layer before.

    Args:
        network: The network.
        y: Its outputs, shape ``(..., *output_shape)``.
        domain: Where its inputs live; inner layers then have non-negative ones.
        invert_layer: Inverts one layer, from outputs, a domain and ``noise``.
        noise: Errors of the network's outputs.

    Raises:
        ArgumentError: If the network is no chain, or the outputs do not fit it.
    """
    chain = network.chain()
    tensor, batch, _ = flatten_samples(to_tensor(y, "y"), network.output_shape, "y")
    outputs = tensor.cpu().numpy()
    way = _Way(outputs, None, [])
    if chain.last is not None:
        offset = torch.zeros(chain.last.m, dtype=torch.float64) if chain.offset is None else chain.offset
        last = ReLULayer(chain.last, offset, name="output", node="output")
        way.note(last, found := _affine_inverse(last, outputs, noise))
        way.activation = np.maximum(found.x, 0.0)
    elif (outputs < 0).any() and not (noise is not None and noise.negative):
        raise ArgumentError(f"y: expected outputs of a ReLU, got {int((outputs < 0).sum())} negative entries")
    for layer in reversed(chain.layers):
        errors = noise if way.radius is None else Within(way.radius)
        inside = domain if layer is chain.layers[0] or domain is None else Orthant()
        found = invert_layer(layer, way.activation, inside, noise=errors)
        way.note(layer, found)
        way.activation = found.x if layer is chain.layers[0] else np.maximum(found.x, 0.0)
    return _result(network, y, outputs, batch, way)


def _affine_inverse(layer: ReLULayer, y: np.ndarray, noise: Noise | None) -> InverseResult:
    """Solve ``W x + b = y`` for all outputs at once: least squares of minimum norm."""
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    left, sigma, right = np.linalg.svd(weight, full_matrices=False)
    kept = sigma > max(weight.shape) * np.finfo(float).eps * sigma.max(initial=0)
    x = ((y - bias) @ left[:, kept] / sigma[kept]) @ right[kept]
    off = x @ weight.T + bias - y
    rounding = (
        4 * (layer.n + 4) * np.finfo(float).eps * (np.abs(x) @ np.abs(weight.T) + np.abs(bias) + np.abs(y))
    )
    all_rows = np.ones(y.shape, dtype=bool)
    allowed = np.zeros(len(y)) if noise is None else noise.length_bound(y, all_rows)
    smallest = float(sigma[kept].min(initial=np.inf))
    unique = np.full(len(y), frame_of(layer).spans(np.arange(layer.m)))
    size = np.linalg.norm(y, axis=1)
    bound = (np.linalg.norm(np.abs(off) + rounding, axis=1) + allowed) / smallest
    return InverseResult(
        x,
        unique,
        np.linalg.norm(off, axis=1) / np.where(size > 0, size, 1.0),
        np.full(len(y), float(sigma.max(initial=0)) / smallest if kept.any() else np.nan),
        np.where(unique, bound, np.inf),
        np.full(len(y), np.nan if noise is not None else 0.0),
        np.full(len(y), "svd"),
    )


def _result(
    network: Network, y: Array, outputs: np.ndarray, batch: tuple[int, ...], way: _Way
) -> NetworkInverse:
    again = np.asarray(network.forward(way.activation.reshape(-1, *network.input_shape))).reshape(
        outputs.shape
    )
    size = np.linalg.norm(outputs, axis=1)
    residual = np.linalg.norm(again - outputs, axis=1) / np.where(size > 0, size, 1.0)

    def given(values: np.ndarray) -> Array:
        return like(torch.from_numpy(np.asarray(values)).reshape(batch), y)

    layers = tuple(
        LayerInverse(r.name, r.n, r.m, r.loses, *map(given, (r.unique, r.residual, r.condition)))
        for r in way.layers
    )
    return NetworkInverse(
        like(torch.from_numpy(way.activation).reshape(*batch, *network.input_shape), y),
        given(np.logical_and.reduce([r.unique for r in way.layers])),
        given(residual),
        given(np.prod([r.condition for r in way.layers], axis=0)),
        layers,
        next((r.name for r in way.layers if r.loses), None),
    )
