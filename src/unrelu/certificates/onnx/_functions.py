"""ONNX operators that are no affine maps: ReLUs, maxima, normalisations, and others of any kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unrelu.certificates.links import EntryFunction, NormRecord
from unrelu.certificates.onnx._arithmetic import reduced
from unrelu.certificates.onnx._model import Node
from unrelu.certificates.onnx._operators import (
    Operand,
    constant_operand,
    integer_list,
    integer_option,
    known_options,
    value_operand,
)
from unrelu.certificates.onnx._values import Value

_LARGEST = float(np.finfo(np.float32).max)  # how early opsets write that there is no bound
# What they compute does not matter, only that the result has the shape of the inputs, spread to one.
_SHAPED = {
    *("Abs", "Acos", "Acosh", "Asin", "Atanh", "Ceil", "Clip", "Cos", "Cosh", "Div", "Erf", "Exp", "Floor"),
    *("Gelu", "HardSigmoid", "HardSwish", "Log", "Max", "Min", "Mish", "Mul", "PRelu", "Pow", "Reciprocal"),
    *("Round", "Selu", "Sign", "Sin", "Sinh", "Sqrt", "Tan", "ThresholdedRelu"),
}


@dataclass(frozen=True, eq=False)
class Function:
    """What an operator computes of an affine map of its inputs.

    Attributes:
        kind: As of a `LinkStep`.
        value: The affine map; of an opaque function the inputs, one behind the other.
        shape: Shape of the result, batch axis of 1 included.
        groups: Of maxima.
        norm: Of a normalisation.
        function: Of a function of entries.
    """

    kind: str
    value: Value
    shape: tuple[int, ...]
    groups: np.ndarray | None = None
    norm: NormRecord | None = None
    function: EntryFunction | None = None


def relu(node: Node, operands: list[Operand | None]) -> Function:
    """``Relu``."""
    known_options(node)
    value = value_operand(node, operands)
    return Function("relu", value, value.shape)


def clip(node: Node, operands: list[Operand | None]) -> Function:
    """``Clip``: a ReLU from 0 on upwards, opaque otherwise."""
    known_options(node, "max", "min")
    low, high = (_bound(node, operands, *place) for place in ((1, "min"), (2, "max")))
    if low == 0 and (high is None or high >= _LARGEST):
        value = value_operand(node, operands)
        return Function("relu", value, value.shape)
    return opaque(node, operands)


def _bound(node: Node, operands: list[Operand | None], k: int, name: str) -> float | None:
    """Return a bound that is one number, given as input or, in early opsets, as option."""
    if len(operands) > k and operands[k] is not None:
        return float(constant_operand(node, operands, k).reshape(()))
    found = node.options.get(name)
    return float(found) if isinstance(found, int | float) else None


def reduce_max(node: Node, operands: list[Operand | None]) -> Function:
    """``ReduceMax`` over constant axes."""
    value = value_operand(node, operands)
    groups, shape = reduced(node, operands, value)
    return Function("maximum", value, shape, groups)


def max_pool(node: Node, operands: list[Operand | None]) -> Function:
    """``MaxPool`` without padding; windows may overlap."""
    known_options(
        node, "auto_pad", "ceil_mode", "dilations", "kernel_shape", "pads", "storage_order", "strides"
    )
    value, kernel = value_operand(node, operands), integer_list(node, "kernel_shape", [])
    axes = len(kernel)
    strides = integer_list(node, "strides", [1] * axes)
    plain = (
        node.options.get("auto_pad", "NOTSET") in {"NOTSET", "VALID"}
        and not any(integer_list(node, "pads", []))
        and not integer_option(node, "ceil_mode", 0)
        and set(integer_list(node, "dilations", [])) <= {1}
    )
    if not plain or not axes or len(value.shape) != axes + 2 or len(strides) != axes or len(node.outputs) > 1:
        raise node.refuse("only windows without padding and dilation are read here")
    order = np.arange(len(value.offset)).reshape(value.shape)
    every = np.lib.stride_tricks.sliding_window_view(order, kernel, tuple(range(2, 2 + axes)))
    windows = every[(slice(None), slice(None), *(slice(None, None, step) for step in strides))]
    shape = windows.shape[: axes + 2]
    return Function("maximum", value, shape, windows.reshape(math.prod(shape), -1))


def layer_norm(node: Node, operands: list[Operand | None]) -> Function:
    """``LayerNormalization`` and ``RMSNormalization`` with one result."""
    known_options(node, "axis", "epsilon", "stash_type")
    value = value_operand(node, operands)
    rank = len(value.shape)
    count = math.prod(value.shape[integer_option(node, "axis", -1) % rank :])
    gain = constant_operand(node, operands, 1)
    offset = constant_operand(node, operands, 2) if len(operands) > 2 else np.zeros(1)
    return _normalised(node, value, gain, offset, count)


def instance_norm(node: Node, operands: list[Operand | None]) -> Function:
    """``InstanceNormalization``."""
    known_options(node, "epsilon")
    value = value_operand(node, operands)
    spread = (-1, *(1,) * (len(value.shape) - 2))
    gain, offset = (constant_operand(node, operands, k).reshape(spread) for k in (1, 2))
    return _normalised(node, value, gain, offset, math.prod(value.shape[2:]))


def _normalised(node: Node, value: Value, gain: np.ndarray, offset: np.ndarray, count: int) -> Function:
    if len(node.outputs) > 1:
        raise node.refuse("only the first output is read here")
    eps = node.options.get("epsilon", 1e-5)
    eps = float(eps) if isinstance(eps, int | float) else math.nan
    gain, offset = (np.broadcast_to(v, value.shape).astype(np.float64).ravel() for v in (gain, offset))
    norm = NormRecord(gain, offset, count, eps, centred=node.operator != "RMSNormalization")
    return Function("normalised", value, value.shape, norm=norm)


def entrywise(node: Node, operands: list[Operand | None]) -> Function:
    """Functions of entries of which more is known than their shape."""
    name, default = _ENTRYWISE[node.operator]
    known_options(node, *([] if default is None else ["alpha"]))
    value = value_operand(node, operands)
    found = node.options.get("alpha", default)
    parameter = float(found) if isinstance(found, int | float) else None
    return Function("entrywise", value, value.shape, function=EntryFunction(name, parameter))


def opaque(node: Node, operands: list[Operand | None]) -> Function:
    """A function of its inputs about which nothing is known but the shape of its result."""
    if node.operator not in _SHAPED or len(node.outputs) > 1:
        raise node.refuse("the operator is not read here")
    given = [found for found in operands if found is not None]
    shape = np.broadcast_shapes(*(found.shape for found in given))
    values = [found for found in given if isinstance(found, Value)]
    return Function("opaque", values[0], shape)


# operator -> the function, and its parameter where none is given
_ENTRYWISE: dict[str, tuple[str, float | None]] = {
    "Asinh": ("arcsinh", None),
    "Atan": ("arctan", None),
    "Celu": ("celu", 1.0),
    "Elu": ("elu", 1.0),
    "LeakyRelu": ("leaky_relu", 0.01),
    "Sigmoid": ("sigmoid", None),
    "Softplus": ("softplus", None),
    "Softsign": ("softsign", None),
    "Tanh": ("tanh", None),
}

FUNCTIONS: dict[str, Callable[[Node, list[Operand | None]], Function]] = {
    "Clip": clip,
    "InstanceNormalization": instance_norm,
    "LayerNormalization": layer_norm,
    "MaxPool": max_pool,
    "RMSNormalization": layer_norm,
    "ReduceMax": reduce_max,
    "Relu": relu,
    **dict.fromkeys(_ENTRYWISE, entrywise),
}
