"""How invertible ReLU layers are on data, in the two measures of Eckert et al. 2024, Section 4.1."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from unrelu.arrays import to_tensor
from unrelu.datasets import Dataset
from unrelu.errors import ArgumentError
from unrelu.frames import analyse_points
from unrelu.layers import Network, ReLULayer, trace

if TYPE_CHECKING:
    from unrelu.arrays import Array

_CHUNK_BYTES = 64 << 20


@dataclass(frozen=True)
class LayerInvertibility:
    """One layer on data.

    Attributes:
        name: Name of the layer.
        n: Dimension of its input.
        m: Number of its rows.
        samples: Points measured.
        singleton_share: Share of points that are the only ones with their output: at least ``n`` strictly
            active rows or, if ``certified``, a proof that the active rows span.
        certified: Whether points were proved rather than counted.
        bias_share: Share of biases with ``alpha_i <= alpha*_i``, α = -bias, which need not change to make
            the layer invertible; ``None`` where it was not asked for, or no bias will do for want of rows
            (m < n).
    """

    name: str
    n: int
    m: int
    samples: int
    singleton_share: float
    certified: bool
    bias_share: float | None


@dataclass(frozen=True)
class Invertibility(Mapping[str, LayerInvertibility]):
    """The layers of a network on data: a mapping from layer names, in the order of evaluation.

    Attributes:
        layers: One entry a layer.
        step: When in training it was measured, if it was in training.
    """

    layers: tuple[LayerInvertibility, ...]
    step: int | None = None

    def __getitem__(self, name: str) -> LayerInvertibility:
        """Return the figures of a layer by name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"no layer {name!r}; the layers are {', '.join(repr(x.name) for x in self.layers)}")

    def __iter__(self) -> Iterator[str]:
        """Iterate over layer names."""
        return (layer.name for layer in self.layers)

    def __len__(self) -> int:
        """Return the number of layers."""
        return len(self.layers)


def measure_invertibility(
    network: Network | ReLULayer | nn.Module,
    data: Dataset | Array,
    alpha_star: Mapping[str, Array] | None = None,
    *,
    biases: bool = True,
    certify: bool = False,
    noise_std: float = 0.0,
    n_samples: int | None = None,
    seed: int = 0,
    step: int | None = None,
) -> Invertibility:
    """Measure on data how invertible every ReLU layer of a network is.

    Two measures that need not agree: the share of points with a singleton preimage, and the share of biases
    below the maximal bias ``alpha*`` of the data (Eckert et al. 2024, Figure 2). A torch module is traced;
    its mode, gradients and the random state are left as they are.

    Args:
        network: A traced network, one layer, or a torch module.
        data: Samples of shape ``(N, *input_shape)``.
        alpha_star: Maximal bias for some or all layers, by name; the others are estimated (MCBE) from the
            inputs that reach them.
        biases: Whether the biases are measured at all. It takes most of the time, and the memory of all
            inputs of all layers.
        certify: Prove points, and the samples of the estimate, by the rank of their active rows; otherwise
            rows are counted, which is right in general position.
        noise_std: Standard deviation of the noise that the estimate adds to a layer's inputs.
        n_samples: Samples of the estimate; see `unrelu.bias.estimate_bias`.
        seed: Of the estimate.
        step: Stored with the result.

    Returns:
        The figures of every layer.

    Raises:
        ArgumentError: If there are no samples, they do not fit, or ``alpha_star`` does not.
        ModelError: If the module cannot be traced.

    Example:
        >>> import numpy as np, unrelu
        >>> layer = unrelu.ReLULayer(np.array([[1.0], [-1.0], [2.0]]), np.array([0.0, 0.0, -1.0]))
        >>> found = measure_invertibility(layer, np.array([[1.0], [0.0], [-2.0], [3.0]]), biases=False)
        >>> found["relu"].singleton_share
        0.75
    """
    inputs = _samples(data)
    if isinstance(network, nn.Module):
        network = trace(network, inputs[:1])
    network = Network.of_layer(network) if isinstance(network, ReLULayer) else network
    given = _known(alpha_star, network)
    missing = {name for name, layer in network.items() if biases and name not in given and layer.m >= layer.n}
    singleton, reached = _walk(network, inputs, certify, missing)
    options = {"noise_std": noise_std, "n_samples": n_samples, "seed": seed}
    options["assume_general_position"] = None if certify else True
    layers = []
    for name, layer in network.items():
        if name in reached:
            given[name] = _maximal_bias(layer, torch.cat(reached.pop(name)), options)
        share = _share_below(layer, given[name]) if biases and name in given else None
        found = float(np.mean(singleton[name]))
        layers.append(LayerInvertibility(name, layer.n, layer.m, len(inputs), found, certify, share))
    return Invertibility(tuple(layers), step)


def _samples(data: Dataset | Array) -> Array:
    inputs = data.inputs if isinstance(data, Dataset) else data
    inputs = inputs if isinstance(inputs, torch.Tensor) else np.asarray(inputs)
    if inputs.ndim < 2 or not len(inputs):
        raise ArgumentError(f"data: expected samples of shape (N, ...), got shape {tuple(inputs.shape)}")
    return inputs


def _known(alpha_star: Mapping[str, Array] | None, network: Network) -> dict[str, torch.Tensor]:
    """Return what was given, checked: by layer names, infinite entries allowed."""
    known = {}
    for name, alpha in (alpha_star or {}).items():
        if name not in network:
            raise ArgumentError(
                f"alpha_star: no layer {name!r}; the layers are {', '.join(map(repr, network))}"
            )
        known[name] = torch.as_tensor(alpha, dtype=torch.float64).cpu()
        if known[name].shape != (network[name].m,):
            raise ArgumentError(
                f"alpha_star[{name!r}]: expected shape ({network[name].m},), got {tuple(known[name].shape)}"
            )
    return known


def _walk(
    network: Network, inputs: Array, certify: bool, wanted: set[str]
) -> tuple[dict[str, list[bool]], dict[str, list[torch.Tensor]]]:
    """Return for every layer which points are singletons, and for ``wanted`` layers the inputs reached."""
    singleton: dict[str, list[bool]] = defaultdict(list)
    reached: dict[str, list[torch.Tensor]] = defaultdict(list)
    widest = max(layer.m + layer.n for layer in network.values())
    size = max(1, _CHUNK_BYTES // (8 * widest))
    with torch.no_grad():
        for start in range(0, len(inputs), size):
            batch = to_tensor(inputs[start : start + size], "data")
            for layer, x in network.walk(batch):
                singleton[layer.name] += _singletons(layer, x, certify)
                if layer.name in wanted:
                    reached[layer.name].append(x)
    return singleton, reached


def _singletons(layer: ReLULayer, x: torch.Tensor, certify: bool) -> list[bool]:
    if certify:
        return list(analyse_points(layer, x).singleton == 1)
    # A row of zeros says nothing of the input, however active it is.
    active = (layer.preactivation(x) > 0) & (layer.row_norms() > 0)
    return (active.sum(dim=1) >= layer.n).tolist()


def _maximal_bias(layer: ReLULayer, inputs: torch.Tensor, options: dict[str, Any]) -> torch.Tensor:
    from unrelu.bias import estimate_bias

    return torch.as_tensor(estimate_bias(layer, inputs, **options).alpha, dtype=torch.float64).cpu()


def _share_below(layer: ReLULayer, alpha_star: torch.Tensor) -> float:
    return float((-layer.bias.cpu() <= alpha_star).double().mean())
