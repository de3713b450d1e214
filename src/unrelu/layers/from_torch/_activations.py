"""How core-ATen operators that are ReLUs, or may be, become part of a network."""

from __future__ import annotations

import math

import torch

from unrelu.certificates import EntryFunction
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_torch._call import Call, Converter, opaque

CONVERTERS = Converters[Converter]()

_NEITHER = "is neither affine nor a ReLU"
_ELU = ("alpha", "scale", "input_scale")


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


_FUNCTIONS = {"asinh": "arcsinh", "atan": "arctan", "sigmoid": "sigmoid", "tanh": "tanh"}


@CONVERTERS.register(*(f"aten.{name}.default" for name in _FUNCTIONS))
def _function_of_entries(call: Call) -> Value:
    return opaque(call, _NEITHER, known=EntryFunction(_FUNCTIONS[call.node[1]]))


@CONVERTERS.register("aten.leaky_relu.default")
def _leaky_relu(call: Call) -> Value:
    slope = call.argument(1, "negative_slope", 0.01)
    return opaque(call, _NEITHER, known=EntryFunction("leaky_relu", float(slope)))


@CONVERTERS.register("aten.elu.default")
def _elu(call: Call) -> Value:
    """Replace negative entries by ``alpha scale (exp(input_scale x) - 1)``, and scale the others."""
    alpha, scale, inner = (float(call.argument(k, name, 1)) for k, name in enumerate(_ELU, start=1))
    return opaque(call, _NEITHER, known=EntryFunction("elu", alpha) if scale == inner == 1 else None)


@CONVERTERS.register("aten.celu.default")
def _celu(call: Call) -> Value:
    return opaque(call, _NEITHER, known=EntryFunction("celu", float(call.argument(1, "alpha", 1))))


@CONVERTERS.register("aten.maximum.default")
def _maximum(call: Call) -> Value:
    symbolic = [a for a in call.args if isinstance(a, Value)]
    constant = [a for a in call.args if not isinstance(a, Value)]
    if len(symbolic) == 1 and not bool(constant[0].any()):
        shape = torch.broadcast_shapes(symbolic[0].shape, constant[0].shape)
        return call.build.relu(call.build.broadcast(symbolic[0], shape, call.node), *call.node)
    return opaque(call, "is piecewise linear in several activations")
