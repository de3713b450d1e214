"""A place of a network where fewer numbers are left than it has inputs.

No continuous function from an open set of R^n to R^k with k < n is injective (Brouwer 1912).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from unrelu.layers import Network
    from unrelu.layers._graph import Step

# Operators of torch graphs, and of ONNX, that are continuous functions of all that they read.
_CONTINUOUS = frozenset(
    [
        "_log_softmax",
        "_softmax",
        "clamp",
        "elu",
        "gelu",
        "hardtanh",
        "leaky_relu",
        "max_pool2d_with_indices",
        "max_pool3d_with_indices",
        "mul",
        "sigmoid",
        "tanh",
        "Clip",
        "Elu",
        "Gelu",
        "GlobalMaxPool",
        "LeakyRelu",
        "LogSoftmax",
        "MaxPool",
        "Mul",
        "Sigmoid",
        "Softmax",
        "Tanh",
    ]
)


def narrow_place(net: Network) -> str:
    """Return in a sentence where a network has fewer numbers than inputs; nothing if nowhere.

    Args:
        net: The network; only places in front of which everything is known to be continuous count.
    """
    n = math.prod(net.input_shape)
    last_use = net.last_uses()
    sizes = {net.input_name: n}
    for position, step in enumerate(net.steps):
        sizes[step.name] = math.prod(step.shape)
        known = step.function is None or step.is_sum or step.groups is not None
        if not known and step.normalisation is None and not _is_continuous(step):
            return ""
        left = [name for name in sizes if last_use.get(name, -1) > position]
        if sum(sizes[name] for name in left) < n:
            count = sum(sizes[name] for name in left)
            return f"behind {step.name!r} only {count} numbers are left of {n} inputs"
    count = math.prod(net.output_shape)
    return f"{count} outputs cannot tell {n} inputs apart" if count < n else ""


def _is_continuous(step: Step) -> bool:
    """Whether the operator is on the list, and what is read of it are no whole numbers, such as indices."""
    if step.function is None or step.operator not in _CONTINUOUS:
        return False
    result = step.function(*(torch.zeros(1, *value.shape, dtype=torch.float64) for value in step.inputs))
    return result.is_floating_point()
