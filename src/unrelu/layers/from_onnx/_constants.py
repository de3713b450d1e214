"""ONNX nodes that make constants: stored numbers, shapes, and arithmetic on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from unrelu.layers._converters import Converters
from unrelu.layers.from_onnx._file import check_size
from unrelu.layers.from_onnx._node import Converter, Operand, Operation

if TYPE_CHECKING:
    from collections.abc import Callable

CONVERTERS = Converters[Converter]()

_ON_CONSTANTS: dict[str, Callable[..., torch.Tensor]] = {
    "And": torch.logical_and,
    "Equal": torch.eq,
    "Greater": torch.gt,
    "GreaterOrEqual": torch.ge,
    "Less": torch.lt,
    "LessOrEqual": torch.le,
    "Not": torch.logical_not,
    "Or": torch.logical_or,
    "Xor": torch.logical_xor,
}


@CONVERTERS.register(*_ON_CONSTANTS)
def comparison(op: Operation) -> Operand:
    """Compare constants."""
    operands = [op.constant(k, f"operand of {op.operator}") for k in range(len(op.inputs))]
    return _ON_CONSTANTS[op.operator](*operands)


@CONVERTERS.register("Mod")
def modulo(op: Operation) -> Operand:
    """Return the remainder of constants, with the divisor's sign or (``fmod``) the dividend's."""
    function = torch.fmod if op.attribute("fmod", 0) else torch.remainder
    return function(op.constant(0, "dividend"), op.constant(1, "divisor"))


@CONVERTERS.register("Constant")
def constant(op: Operation) -> Operand:
    """Return a stored tensor."""
    for name, dtype in (("value_float", torch.float64), ("value_floats", torch.float64)):
        if name in op.attributes:
            return torch.tensor(op.attribute(name), dtype=dtype)
    for name in ("value_int", "value_ints"):
        if name in op.attributes:
            return torch.tensor(op.attribute(name), dtype=torch.long)
    value = op.attribute("value")
    if not isinstance(value, torch.Tensor):
        raise op.refuse("expected a tensor or numbers")
    return value


@CONVERTERS.register("ConstantOfShape")
def constant_of_shape(op: Operation) -> Operand:
    """Return a tensor filled with one number."""
    shape = op.integers(0, "shape") or []
    check_size(shape, f"node {op.name!r}")
    value = op.attribute("value", torch.zeros(1, dtype=torch.float64))
    return value.reshape(()).repeat(shape)


@CONVERTERS.register("Shape")
def shape_of(op: Operation) -> Operand:
    """Return the shape of a tensor, from one axis to another."""
    shape = op.operand(0).shape
    return torch.tensor(shape[op.attribute("start", 0) : op.attribute("end")], dtype=torch.long)


@CONVERTERS.register("Size")
def size_of(op: Operation) -> Operand:
    """Return the number of entries of a tensor."""
    return torch.tensor(op.operand(0).shape, dtype=torch.long).prod()


@CONVERTERS.register("Range")
def range_of(op: Operation) -> Operand:
    """Return evenly spaced numbers."""
    start, limit, delta = (op.constant(k, what) for k, what in enumerate(("start", "limit", "delta")))
    if not delta.item():
        raise op.refuse("the step is 0")
    check_size([max(int((limit - start) / delta), 0)], f"node {op.name!r}")
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)
