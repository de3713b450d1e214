"""Small networks of any operations."""

import numpy as np
import torch
from hypothesis import strategies as st

from unrelu.layers import Network
from unrelu.layers._graph import GraphBuilder
from unrelu.layers.maps import Dense

KINDS = ("dense", "scale", "shift", "add", "relu", "turn", "opaque")
OPERATIONS = st.lists(
    st.tuples(st.sampled_from(KINDS[:-1]), st.integers(0, 9), st.integers(0, 9)), min_size=3, max_size=12
)


def built(operations, digits: int = 16) -> Network:
    """A network on three numbers: each operation acts on one or two of the tensors before it."""
    rng = np.random.default_rng(len(operations))

    def numbers(*shape):
        return torch.from_numpy(np.round(rng.standard_normal(shape), digits))

    build = GraphBuilder()
    source = build.input((1, 3))
    tensors = [source]
    for count, (kind, first, second) in enumerate([("relu", 0, 0), *operations]):
        node = (f"{kind}{count}", kind)
        x, y = tensors[-1 - first % min(2, len(tensors))], tensors[-1 - second % len(tensors)]
        if kind == "dense":
            x = build.affine(x, Dense(numbers(3, 3)), (1, 3), node, offset=numbers(3))
        elif kind == "scale":
            x = build.scale(x, numbers(1, 3), node)
        elif kind == "shift":
            x = build.shift(x, numbers(3), node)
        elif kind == "add":
            x = build.add([x, y], node)
        elif kind == "relu":
            x = build.relu(x, *node)
        elif kind == "turn":
            x = build.move(x, lambda t: t.flip(1), node)
        else:
            x = build.opaque([x, y], lambda a, b: a * b, node, "multiplies")
        tensors.append(x)
    return Network(build, source, tensors[-1], "any")
