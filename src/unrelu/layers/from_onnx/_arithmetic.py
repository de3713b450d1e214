"""ONNX nodes that add, multiply or choose entry by entry."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import torch

from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_onnx._node import Converter, Operand, Operation
from unrelu.layers.maps import powers_of_two

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

CONVERTERS = Converters[Converter]()


def add(op: Operation, operands: Sequence[Operand]) -> Operand:
    """Return the sum of tensors, constants among them."""
    values = [operand for operand in operands if isinstance(operand, Value)]
    constants = [operand for operand in operands if isinstance(operand, torch.Tensor)]
    op.check_broadcast(operands)
    if not values:
        return reduce(torch.add, constants)
    # Constants first: what follows a sum of several activations is a node of its own.
    for constant in constants:
        values[0] = op.build.shift(values[0], op.floating(constant, "summand"), op.node)
    return values[0] if len(values) == 1 else op.build.add(values, op.node)


def scaled(op: Operation, operand: Operand, factor: float) -> Operand:
    """Return a tensor times a number."""
    if factor == 1:
        return operand
    if isinstance(operand, torch.Tensor):
        return operand * (factor if operand.is_floating_point() else int(factor))
    return op.build.scale(operand, torch.tensor(factor, dtype=torch.float64), op.node)


@CONVERTERS.register("Add", "Sum")
def addition(op: Operation) -> Operand:
    """Add tensors."""
    operands = op.operands()
    return add(op, operands) if len(operands) > 1 else op.move(operands[0], lambda t: t)


@CONVERTERS.register("Sub")
def subtraction(op: Operation) -> Operand:
    """Subtract the second tensor from the first."""
    return add(op, [op.operand(0), scaled(op, op.operand(1), -1)])


@CONVERTERS.register("Neg")
def negation(op: Operation) -> Operand:
    """Change the sign."""
    return scaled(op, op.operand(0), -1)


@CONVERTERS.register("Mul")
def multiplication(op: Operation) -> Operand:
    """Multiply entry by entry."""
    a, b = op.operand(0), op.operand(1)
    op.check_broadcast([a, b])
    if isinstance(a, Value) and isinstance(b, torch.Tensor):
        return op.build.scale(a, op.floating(b, "factor"), op.node)
    if isinstance(b, Value) and isinstance(a, torch.Tensor):
        return op.build.scale(b, op.floating(a, "factor"), op.node)
    return op.opaque([a, b], torch.mul, "multiplies two tensors that both depend on the input")


@CONVERTERS.register("Div")
def division(op: Operation) -> Operand:
    """Divide entry by entry."""
    a, b = op.operand(0), op.operand(1)
    op.check_broadcast([a, b])
    if isinstance(b, Value):
        return op.opaque([a, b], torch.div, "divides by a tensor that depends on the input")
    if isinstance(a, torch.Tensor):
        if not b.is_floating_point() and bool((b == 0).any()):
            raise op.refuse("divides by zero")
        return torch.div(a, b) if a.is_floating_point() else torch.div(a, b, rounding_mode="trunc")
    factor = 1 / op.floating(b, "divisor").double()
    if not bool(torch.isfinite(factor).all()):
        raise op.refuse("divides by zero")
    return op.build.scale(a, factor, op.node, exact=powers_of_two(b))


@CONVERTERS.register("Pow")
def power(op: Operation) -> Operand:
    """Raise to a power entry by entry."""
    op.check_broadcast(op.operands())
    return op.opaque(op.operands(), torch.pow, "a power is neither affine nor a ReLU")


@CONVERTERS.register("Max")
def maximum(op: Operation) -> Operand:
    """Return the largest entries; against the constant 0, that is a ReLU."""
    operands = op.operands()
    op.check_broadcast(operands)
    values = [operand for operand in operands if isinstance(operand, Value)]
    constants = [operand for operand in operands if isinstance(operand, torch.Tensor)]
    if len(values) == 1 and constants and not any(bool(constant.any()) for constant in constants):
        shape = torch.broadcast_shapes(values[0].shape, *(constant.shape for constant in constants))
        return op.relu(op.build.broadcast(values[0], shape, op.node))
    return _extreme(op, operands, torch.maximum)


@CONVERTERS.register("Min")
def minimum(op: Operation) -> Operand:
    """Return the smallest entries."""
    operands = op.operands()
    op.check_broadcast(operands)
    return _extreme(op, operands, torch.minimum)


def _extreme(
    op: Operation, operands: list[Operand], function: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
) -> Operand:
    if len(operands) == 1:
        return op.move(operands[0], lambda t: t)
    reason = f"{op.operator} of these operands is neither affine nor a ReLU"
    return op.opaque(operands, lambda *tensors: reduce(function, tensors), reason)


@CONVERTERS.register("Where")
def choice(op: Operation) -> Operand:
    """Take entries from one of two tensors, by a constant pattern."""
    pattern = op.constant(0, "condition").bool()
    a, b = op.operand(1), op.operand(2)
    op.check_broadcast([pattern, a, b])
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return torch.where(pattern, a, b)
    shape = torch.broadcast_shapes(pattern.shape, a.shape, b.shape)
    return add(op, [_masked(op, a, pattern.expand(shape)), _masked(op, b, ~pattern.expand(shape))])


def _masked(op: Operation, operand: Operand, mask: torch.Tensor) -> Operand:
    if isinstance(operand, torch.Tensor):
        return op.floating(operand, "choice") * mask
    return op.build.scale(operand, mask.double(), op.node)
