"""How core-ATen operators that are ReLUs, or may be, become part of a network."""

from __future__ import annotations

import math

import torch

from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_torch._call import Call, Converter, opaque

CONVERTERS = Converters[Converter]()


@CONVERTERS.register("aten.relu.default")
def _relu(call: Call) -> Value:
    return call.build.relu(call.args[0], *call.node)


@CONVERTERS.register("aten.clamp.default", "aten.clamp_min.default")
def _clamp(call: Call) -> Value:
    low, high = call.argument(1, "min"), call.argument(2, "max")
    if low == 0 and high in {None, math.inf}:
        return call.build.relu(call.args[0], *call.node)
    return opaque(call, "clamps to an interval, which is not a ReLU")


@CONVERTERS.register("aten.threshold.default")
def _threshold(call: Call) -> Value:
    x, threshold, value = call.args
    if threshold == value == 0:
        return call.build.relu(x, *call.node)
    return opaque(call, "jumps at a threshold, which is not a ReLU")


@CONVERTERS.register("aten.maximum.default")
def _maximum(call: Call) -> Value:
    symbolic = [a for a in call.args if isinstance(a, Value)]
    constant = [a for a in call.args if not isinstance(a, Value)]
    if len(symbolic) == 1 and not bool(constant[0].any()):
        shape = torch.broadcast_shapes(symbolic[0].shape, constant[0].shape)
        return call.build.relu(call.build.broadcast(symbolic[0], shape, call.node), *call.node)
    return opaque(call, "is piecewise linear in several activations")
