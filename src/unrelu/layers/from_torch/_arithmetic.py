"""How core-ATen operators that add, multiply or divide entry by entry become part of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_torch._call import Call, Converter, opaque
from unrelu.layers.maps import powers_of_two, products_are_exact

if TYPE_CHECKING:
    from collections.abc import Iterable

CONVERTERS = Converters[Converter]()

_INFINITE = "meets numbers that are not finite"


@CONVERTERS.register(
    "aten.add.Tensor", "aten.sub.Tensor", "aten.add.Scalar", "aten.sub.Scalar", "aten.rsub.Scalar"
)
def _add(call: Call) -> Value:
    sign = -1 if "sub" in call.node[1] else 1
    factors = [1, sign * call.argument(2, "alpha", 1)]
    if "rsub" in call.node[1]:
        factors = [-call.argument(2, "alpha", 1), 1]
    terms = list(zip(call.args[:2], factors, strict=True))
    if not _are_finite(call.args[:2]):
        return opaque(call, _INFINITE)
    symbolic = [times(call, value, factor) for value, factor in terms if isinstance(value, Value)]
    total = symbolic[0] if len(symbolic) == 1 else call.build.add(symbolic, call.node)
    for value, factor in terms:
        if not isinstance(value, Value):
            constant, weight = _constant(value), _constant(factor)
            exact = products_are_exact(weight, constant)
            total = call.build.shift(total, weight * constant, call.node, exact=exact)
    return total


@CONVERTERS.register("aten.mul.Tensor", "aten.mul.Scalar")
def _mul(call: Call) -> Value:
    left, right = call.args[:2]
    if isinstance(left, Value) and isinstance(right, Value):
        return opaque(call, "multiplies activations with one another")
    value, factor = (left, right) if isinstance(left, Value) else (right, left)
    if not _are_finite([factor]):
        return opaque(call, _INFINITE)
    return call.build.scale(value, _constant(factor), call.node)


@CONVERTERS.register("aten.div.Tensor", "aten.div.Scalar")
def _div(call: Call) -> Value:
    left, right = call.args[:2]
    if isinstance(right, Value):
        return opaque(call, "divides by an activation")
    factor = 1 / _constant(right)
    if not _are_finite([factor]):
        return opaque(call, _INFINITE)
    return call.build.scale(left, factor, call.node, exact=powers_of_two(_constant(right)))


@CONVERTERS.register("aten.neg.default")
def _neg(call: Call) -> Value:
    return call.build.scale(call.args[0], _constant(-1), call.node)


def times(call: Call, value: Value, factor: float) -> Value:
    """Return a tensor times a number."""
    return value if factor == 1 else call.build.scale(value, _constant(factor), call.node)


def _are_finite(operands: Iterable[Any]) -> bool:
    return all(bool(_constant(a).isfinite().all()) for a in operands if not isinstance(a, Value))


def _constant(number: Any) -> torch.Tensor:
    return torch.as_tensor(number, dtype=torch.float64)
