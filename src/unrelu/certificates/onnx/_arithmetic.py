"""ONNX operators that add tensors, multiply by constants, or take means."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import reduce

import numpy as np

from unrelu.certificates._rows import Rows
from unrelu.certificates.onnx._model import Node
from unrelu.certificates.onnx._operators import (
    Operand,
    constant_operand,
    given_axes,
    integer_option,
    known_options,
    value_operand,
)
from unrelu.certificates.onnx._values import Value


def add(node: Node, operands: list[Operand | None]) -> Operand:
    """``Add``, ``Sub`` and ``Sum`` of tensors and constants."""
    known_options(node)
    given = [found for found in operands if found is not None]
    shape = np.broadcast_shapes(*(v.shape for v in given))
    values: list[Value] = []
    constants: list[np.ndarray] = []
    for k, found in enumerate(given):
        negative = node.operator == "Sub" and k > 0
        if isinstance(found, Value):
            values.append(_spread(found.negated() if negative else found, shape))
        else:
            spread = np.broadcast_to(found, shape).astype(np.float64).ravel()
            constants.append(-spread if negative else spread)
    if not values:
        raise node.refuse("only sums with a tensor that depends on the model's input are read here")
    return reduce(Value.plus, constants, reduce(Value.added, values))


def multiply(node: Node, operands: list[Operand | None]) -> Operand:
    """``Mul`` by a constant, and ``Div`` by one, which is a product with its reciprocal."""
    known_options(node)
    first, second = operands
    if node.operator == "Mul" and isinstance(first, np.ndarray):
        first, second = second, first
    if not isinstance(first, Value) or not isinstance(second, np.ndarray):
        raise node.refuse("only products with a constant are affine")
    shape = np.broadcast_shapes(first.shape, second.shape)
    factors = np.broadcast_to(second, shape).astype(np.float64).ravel()
    if node.operator == "Mul":
        return _spread(first, shape).scaled(factors)
    if not factors.all():
        raise node.refuse("a division by 0")
    found = _spread(first, shape).scaled(1 / factors)
    return replace(found, exact=found.exact and bool((np.abs(np.frexp(factors)[0]) == 0.5).all()))


def mean(node: Node, operands: list[Operand | None]) -> Operand:
    """``ReduceMean`` and ``ReduceSum`` over constant axes."""
    value = value_operand(node, operands)
    entries, shape = reduced(node, operands, value)
    count = entries.shape[1]
    factor = 1.0 if node.operator == "ReduceSum" else 1 / count
    rows = Rows(
        len(value.offset),
        np.arange(0, entries.size + 1, count),
        entries.ravel(),
        np.full(entries.size, factor),
    )
    found = value.mapped(rows, np.zeros(len(entries)), shape)
    return replace(found, exact=found.exact and (factor == 1 or not count & (count - 1)))


def reduced(node: Node, operands: list[Operand | None], value: Value) -> tuple[np.ndarray, tuple[int, ...]]:
    """Return the entries that a reduction over constant axes joins, ascending, and the shape that it leaves.

    Raises:
        ModelError: If an option is not understood.
    """
    known_options(node, "axes", "keepdims", "noop_with_empty_axes")
    rank = len(value.shape)
    axes = sorted({axis % rank for axis in given_axes(node, operands)})
    if not axes and integer_option(node, "noop_with_empty_axes", 0):
        raise node.refuse("noop_with_empty_axes is not read here")
    axes = axes or list(range(rank))
    order = np.moveaxis(np.arange(len(value.offset)).reshape(value.shape), axes, range(-len(axes), 0))
    rest = order.shape[: rank - len(axes)]
    keep = integer_option(node, "keepdims", 1)
    shape = tuple(1 if a in axes else s for a, s in enumerate(value.shape)) if keep else rest
    return np.sort(order.reshape(math.prod(rest), -1)), shape


def batch_norm(node: Node, operands: list[Operand | None]) -> list[Callable[[Value], Value]]:
    """``BatchNormalization`` by stored statistics: a product, and two sums where they change anything.

    Returns:
        The maps, to be applied one behind the other. Factors and first summands are rounded.
    """
    known_options(node, "epsilon", "momentum", "training_mode")
    if integer_option(node, "training_mode", 0) or len(node.outputs) > 1:
        raise node.refuse("statistics of the batch are not read here")
    shape, eps = value_operand(node, operands).shape, node.options.get("epsilon", 1e-5)
    spread = (-1, *(1,) * (len(shape) - 2))
    gain, bias, mean, variance = (
        np.broadcast_to(constant_operand(node, operands, k).reshape(spread), shape).ravel()
        for k in range(1, 5)
    )
    if not isinstance(eps, int | float) or not (variance + eps > 0).all():
        raise node.refuse("a variance is not positive")
    factors = 1 / np.sqrt(variance + eps) * gain
    stages: list[Callable[[Value], Value]] = [lambda v: replace(v.scaled(factors), exact=False)]
    if mean.any():
        stages.append(lambda v: replace(v.plus(-mean * factors), exact=False))
    return [*stages, lambda v: v.plus(bias)]


def _spread(value: Value, shape: tuple[int, ...]) -> Value:
    """Return a tensor, repeated to a larger shape where that is another."""
    if value.shape == shape:
        return value
    order = np.arange(len(value.offset)).reshape(value.shape)
    return value.chosen(np.broadcast_to(order, shape))


ARITHMETIC = {
    "Add": add,
    "Div": multiply,
    "Mul": multiply,
    "ReduceMean": mean,
    "ReduceSum": mean,
    "Sub": add,
    "Sum": add,
}
