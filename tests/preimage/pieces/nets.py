"""Small chains of layers, built without a model to trace; random and singular ones."""

from itertools import pairwise

import numpy as np
import torch

from unrelu.layers import Dense, Network
from unrelu.layers._graph import GraphBuilder


def network(layers, final_relu: bool) -> Network:
    """A chain of layers ``(W, b)``."""
    build = GraphBuilder()
    value = source = build.input((1, layers[0][0].shape[1]))
    for k, (weight, bias) in enumerate(layers):
        linear, offset = Dense(torch.from_numpy(weight)), torch.from_numpy(bias)
        node = (f"fc{k}", "linear")
        value = build.affine(value, linear, (1, len(bias)), node, offset=offset, owner=f"fc{k}")
        if k < len(layers) - 1 or final_relu:
            value = build.relu(value, f"relu{k}", "relu")
    return Network(build, source, value, "chain")


def random_layers(rng: np.random.Generator, kind: str, widths) -> list[tuple[np.ndarray, np.ndarray]]:
    """Layers of the given widths."""
    layers = [
        (rng.integers(-2, 3, (m, n)).astype(float), rng.integers(-1, 2, m).astype(float))
        for n, m in pairwise(widths)
    ]
    return [SPOILED[kind](rng, weight, bias) for weight, bias in layers]


def _gaussian(rng, weight, bias):
    return rng.standard_normal(weight.shape), 0.5 * rng.standard_normal(bias.shape)


def _repeated(rng, weight, bias):
    index = rng.integers(0, len(bias), len(bias))
    return weight[index] * rng.choice([1.0, -1, 2, 3], len(bias))[:, None], bias[index]


def _zero_rows(rng, weight, bias):
    return weight * rng.integers(0, 2, len(bias))[:, None], bias


def _dead(rng, weight, bias):
    return weight, bias - 20.0 * rng.integers(0, 2, len(bias))


def _low_rank(rng, weight, bias):
    m, n = weight.shape
    return (rng.integers(-2, 3, (m, 1)) @ rng.integers(-2, 3, (1, n))).astype(float), bias


def _homogeneous(rng, weight, bias):
    return weight, 0 * bias


def _scaled(rng, weight, bias):
    scale = 2.0 ** rng.integers(-300, 300, len(bias))
    return weight * scale[:, None], bias * scale


SPOILED = {
    "integers": lambda rng, weight, bias: (weight, bias),
    "gaussian": _gaussian,
    "repeated": _repeated,
    "zero rows": _zero_rows,
    "dead": _dead,
    "low rank": _low_rank,
    "homogeneous": _homogeneous,
    "scaled": _scaled,
}
