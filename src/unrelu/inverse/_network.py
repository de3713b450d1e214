"""Networks inverted layer by layer, from the output to the input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.domains import Orthant, Space
from unrelu.errors import ArgumentError
from unrelu.frames import frame_of
from unrelu.inverse._noise import Noise, Within
from unrelu.inverse._result import InverseResult, LayerInverse, NetworkInverse
from unrelu.layers import Network, ReLULayer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from unrelu.domains import Domain
    from unrelu.layers import Normalisation, Segment, Statistics

_ROUNDING = 8 * np.finfo(float).eps
_LOST = 1e-9  # relative size below which an activation that is not known for sure is taken for 0


@dataclass
class _Way:
    """Where the way back stands: activations, how far they may be off, and what the layers said."""

    activation: np.ndarray
    errors: Noise | None
    layers: list[LayerInverse]

    @property
    def radius(self) -> np.ndarray:
        """What the length of the errors cannot exceed; infinite where nothing is known."""
        everywhere = np.ones(self.activation.shape, dtype=bool)
        none = np.zeros(len(self.activation))
        return none if self.errors is None else self.errors.length_bound(self.activation, everywhere)

    def move(self, activation: np.ndarray, bound: np.ndarray) -> None:
        """Go on to activations whose errors have bounded lengths, or unknown ones."""
        size = np.linalg.norm(activation, axis=1)
        self.errors = Within(np.where(np.isfinite(bound), bound, _LOST * size))
        self.activation = activation

    def through(self, layer: ReLULayer, found: InverseResult, clip: bool) -> None:
        """Go on to a layer's inputs; ``clip`` where they are outputs of a ReLU."""
        loses = layer.m < layer.n
        self.layers.append(
            LayerInverse(layer.name, layer.n, layer.m, loses, found.unique, found.residual, found.condition)
        )
        self.move(found.x, found.error_bound)
        if clip:
            self.activation = np.maximum(self.activation, 0.0)


def invert_network(
    network: Network,
    y: Array,
    domain: Domain | None,
    invert_layer: Callable[..., InverseResult],
    noise: Noise | None,
    statistics: Mapping[str, Statistics] | None,
) -> NetworkInverse:
    """Invert a chain of ReLU layers and normalisations.

    Activations on the way are reconstructions: one that does not exceed the bound of its error is not taken
    for an active row of the layer before.

    Args:
        network: The network.
        y: Its outputs, shape ``(..., *output_shape)``.
        domain: Where its inputs live; inner layers then have non-negative ones.
        invert_layer: Inverts one layer, from outputs, a domain and ``noise``.
        noise: Errors of the network's outputs.
        statistics: What the normalisations divided by, by node name.

    Raises:
        ArgumentError: If the network is no chain, or outputs or statistics do not fit it.
    """
    parts = network.segments()
    tensor, batch, _ = flatten_samples(to_tensor(y, "y"), network.output_shape, "y")
    outputs = tensor.cpu().numpy()
    known = _checked(parts, statistics, len(outputs))
    if _ends_in_relu(parts) and (outputs < 0).any() and not (noise is not None and noise.negative):
        raise ArgumentError(f"y: expected outputs of a ReLU, got {int((outputs < 0).sum())} negative entries")
    way = _Way(outputs, noise, [])
    for k, part in reversed(list(enumerate(parts))):
        if part.normalisation is not None and part.rectified:
            _through_rectified(part, part.normalisation, known[part.node], way, invert_layer)
        else:
            if part.normalisation is not None:
                _undo(part.node, part.normalisation, known[part.node], way)
            _through_affine(part, way)
        for layer in reversed(part.layers):
            first = layer is part.layers[0]
            own = None if domain is None else Orthant() if not first else domain if k == 0 else Space()
            way.through(layer, invert_layer(layer, way.activation, own, noise=way.errors), clip=not first)
    return _result(network, y, outputs, batch, way)


def _checked(
    parts: tuple[Segment, ...], statistics: Mapping[str, Statistics] | None, samples: int
) -> dict[str, Statistics]:
    """Return the statistics of every normalisation, once they are known to fit."""
    nodes = {part.node: part.normalisation for part in parts if part.normalisation is not None}
    given = {} if statistics is None else dict(statistics)
    if set(given) != set(nodes):
        expected = ", ".join(map(repr, nodes)) or "none: the network has no normalisation"
        got = ", ".join(map(repr, given)) or "none"
        raise ArgumentError(f"statistics: expected those of {expected}, got {got}; see Network.statistics")
    return {node: norm.check(node, given[node], samples) for node, norm in nodes.items()}


def _ends_in_relu(parts: tuple[Segment, ...]) -> bool:
    return parts[-1].ends_in_relu or (len(parts) > 1 and parts[-1].is_empty and parts[-2].rectified)


def _growth(normalisation: Normalisation, statistics: Statistics) -> np.ndarray:
    """Return by how much undoing a normalisation stretches each entry; NaN where its gain is 0."""
    scale = statistics.scale.repeat_interleave(normalisation.count, dim=1)
    gain = normalisation.gain.abs()
    return torch.where(gain > 0, scale / gain, torch.nan).cpu().numpy()


def _undone(
    normalisation: Normalisation, statistics: Statistics, way: _Way, mask: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return what a normalisation read, and a bound of the length of its error in ``mask``."""
    growth = np.where(mask, _growth(normalisation, statistics), 0.0)
    found = normalisation.undo(torch.from_numpy(way.activation), statistics).numpy()
    sizes = np.where(mask, np.abs(found) + np.abs(growth * way.activation), 0.0)
    spread = statistics.mean.abs().repeat_interleave(normalisation.count, dim=1).numpy()
    rounding = _ROUNDING * np.linalg.norm(sizes + np.where(mask, spread, 0.0), axis=1)
    largest = growth.max(axis=1, initial=0.0)
    return found, np.where(largest > 0, largest, 1.0) * way.radius + rounding


def _undo(node: str, normalisation: Normalisation, statistics: Statistics, way: _Way) -> None:
    """Go back through a normalisation; nothing tells the size of entries whose gain is 0."""
    growth = _growth(normalisation, statistics)
    kept = np.isfinite(growth)
    loses, size, samples = not bool(kept.all()), growth.shape[1], len(growth)
    found, bound = _undone(normalisation, statistics, way, kept)
    condition = (
        np.nanmax(growth, axis=1) / np.nanmin(growth, axis=1) if kept.any() else np.full(samples, np.nan)
    )
    same, zero = np.full(samples, not loses), np.zeros(samples)
    way.layers.append(LayerInverse(node, size, size, loses, same, zero, condition))
    way.move(found, bound)


def _through_rectified(
    part: Segment,
    normalisation: Normalisation,
    statistics: Statistics,
    way: _Way,
    invert_layer: Callable[..., InverseResult],
) -> None:
    """Go back through an affine map, a normalisation and a ReLU: what is active tells what was normalised.

    The rows are those of the affine map, shifted up so that all known values are outputs of a ReLU. Rows that
    are not active say nothing here, since their inequalities depend on the statistics.
    """
    positive = way.activation > 0 if way.errors is None else way.errors.trusted(way.activation)
    mask = positive & (normalisation.gain != 0).numpy()
    values, bound = _undone(normalisation, statistics, way, mask)
    shift = 2 * float(np.abs(values[mask]).max(initial=0.5))
    layer = ReLULayer(part.last, part.offset + shift, name=part.node, node=part.node)
    way.errors = Within(bound)
    found = invert_layer(layer, np.where(mask, values + shift, 0.0), None, noise=way.errors)
    way.through(layer, found, clip=bool(part.layers))


def _through_affine(part: Segment, way: _Way) -> None:
    """Go back through what lies between the last ReLU of a part and its end."""
    if part.ends_in_relu or part.is_empty:
        if part.layers and way.layers:
            way.activation = np.maximum(way.activation, 0.0)
        return
    name = f"before {part.node}" if part.node else "output"
    layer = ReLULayer(part.last, part.offset, name=name, node=part.node or "output")
    way.through(layer, _affine_inverse(layer, way.activation, way.errors), clip=bool(part.layers))


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
