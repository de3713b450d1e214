"""ONNX operators that take parts of tensors, join them, or change their sign."""

from __future__ import annotations

from functools import reduce

import numpy as np

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


def neg(node: Node, operands: list[Operand | None]) -> Operand:
    """``Neg``."""
    known_options(node)
    return value_operand(node, operands).negated()


def gather(node: Node, operands: list[Operand | None]) -> Operand:
    """``Gather`` of constant positions along an axis."""
    known_options(node, "axis")
    value, index = value_operand(node, operands), constant_operand(node, operands, 1)
    if index.ndim > 1 or index.dtype.kind != "i":
        raise node.refuse("positions that are no list of integers are not read here")
    order = _order(value)
    return value.chosen(order.take(index, axis=_axis(node, value)))


def slice_(node: Node, operands: list[Operand | None]) -> Operand:
    """``Slice`` with constant bounds: options in early opsets, inputs in later ones."""
    known_options(node, "axes", "ends", "starts")
    value = value_operand(node, operands)
    starts, ends, axes, steps = (
        _bounds(node, operands, k, name) for k, name in enumerate(("starts", "ends", "axes", "steps"), 1)
    )
    axes = axes or list(range(len(starts)))
    steps = steps or [1] * len(starts)
    parts = [slice(None)] * len(value.shape)
    for axis, *bounds in zip(axes, starts, ends, steps, strict=True):
        if bounds[2] < 1:
            raise node.refuse("steps backwards are not read here")
        parts[axis] = slice(*bounds)
    return value.chosen(_order(value)[tuple(parts)])


def _bounds(node: Node, operands: list[Operand | None], k: int, name: str) -> list[int]:
    """Return one of the lists that say what a slice is, empty where it is not given."""
    if len(operands) == 1:
        return integer_list(node, name, [])
    if len(operands) <= k or operands[k] is None:
        return []
    return [int(v) for v in constant_operand(node, operands, k).ravel()]


def concat(node: Node, operands: list[Operand | None]) -> Operand:
    """``Concat`` of tensors that depend on the model's input."""
    known_options(node, "axis")
    values = [value_operand(node, operands, k) for k in range(len(operands))]
    whole = reduce(Value.above, values)
    orders, start = [], 0
    for value in values:
        orders.append(start + _order(value))
        start += orders[-1].size
    return whole.chosen(np.concatenate(orders, axis=_axis(node, values[0])))


def _order(value: Value) -> np.ndarray:
    return np.arange(len(value.offset)).reshape(value.shape)


def _axis(node: Node, value: Value) -> int:
    axis = integer_option(node, "axis", 0)
    if not -len(value.shape) <= axis < len(value.shape):
        raise node.refuse(f"a tensor of shape {value.shape} has no axis {axis}")
    return axis


PARTS = {"Concat": concat, "Gather": gather, "Neg": neg, "Slice": slice_}
