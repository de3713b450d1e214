"""How core-ATen operators that compute become part of a network; a new one is one more entry here."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from unrelu.layers import _operations as ops
from unrelu.layers._graph import Value
from unrelu.layers._torch_registry import Call, converter, opaque

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@converter("aten.relu.default")
def _relu(call: Call) -> Value:
    return call.build.relu(call.args[0], *call.node)


@converter("aten.clamp.default", "aten.clamp_min.default")
def _clamp(call: Call) -> Value:
    low, high = call.argument(1, "min"), call.argument(2, "max")
    if low == 0 and high in {None, math.inf}:
        return call.build.relu(call.args[0], *call.node)
    return opaque(call, "clamps to an interval, which is not a ReLU")


@converter("aten.threshold.default")
def _threshold(call: Call) -> Value:
    x, threshold, value = call.args
    if threshold == value == 0:
        return call.build.relu(x, *call.node)
    return opaque(call, "jumps at a threshold, which is not a ReLU")


@converter("aten.maximum.default")
def _maximum(call: Call) -> Value:
    symbolic = [a for a in call.args if isinstance(a, Value)]
    constant = [a for a in call.args if not isinstance(a, Value)]
    if len(symbolic) == 1 and not bool(constant[0].any()):
        shape = torch.broadcast_shapes(symbolic[0].shape, constant[0].shape)
        return call.build.relu(call.build.broadcast(symbolic[0], shape, call.node), *call.node)
    return opaque(call, "is piecewise linear in several activations")


@converter("aten.convolution.default")
def _convolution(call: Call) -> Value:
    x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = call.args
    if isinstance(weight, Value):
        return opaque(call, "its kernel depends on the input")
    lift = len(x.shape) == weight.dim() - 1
    x = call.build.move(x, lambda t: t[None], call.node) if lift else x
    dims = weight.dim() - 2
    options: dict[str, Any] = {
        "stride": _each_axis(stride, dims),
        "padding": tuple((p, p) for p in _each_axis(padding, dims)),
        "dilation": _each_axis(dilation, dims),
        "groups": groups,
        "owner": call.owner,
    }
    if transposed:
        out = ops.transposed_convolution(
            call.build,
            x,
            weight,
            bias,
            call.node,
            output_padding=_each_axis(output_padding, dims),
            **options,
        )
    else:
        out = ops.convolution(call.build, x, weight, bias, call.node, **options)
    return call.build.move(out, lambda t: t[0], call.node) if lift else out


def _each_axis(sizes: Sequence[int], dims: int) -> list[int]:
    """Repeat a single number for every spatial axis."""
    return list(sizes) * dims if len(sizes) == 1 else list(sizes)


@converter("aten._native_batch_norm_legit_no_training.default")
def _batch_norm(call: Call) -> dict[int, Value]:
    x, weight, bias, mean, variance, _, eps = call.args
    return {0: ops.batch_norm(call.build, x, weight, bias, mean, variance, eps, call.node)}


@converter("aten.addmm.default")
def _addmm(call: Call) -> Value:
    bias, left, right = call.args
    product = _product(call, left, right)
    if product is None or isinstance(bias, Value):
        return opaque(call, _NO_MATRIX)
    product = _times(call, product, call.kwargs.get("alpha", 1))
    return call.build.shift(product, call.kwargs.get("beta", 1) * bias, call.node)


@converter("aten.mm.default", "aten.bmm.default", "aten.matmul.default")
def _matmul(call: Call) -> Value:
    product = _product(call, *call.args)
    return opaque(call, _NO_MATRIX) if product is None else product


_NO_MATRIX = "is not an activation times one constant matrix"


def _product(call: Call, left: Value | torch.Tensor, right: Value | torch.Tensor) -> Value | None:
    """Return the product of an activation and one constant matrix."""
    if isinstance(left, Value) and isinstance(right, torch.Tensor) and _is_matrix(right):
        matrix = right.reshape(right.shape[-2:])
        return ops.linear(call.build, left, matrix.T, None, call.node, call.owner)
    if isinstance(right, Value) and isinstance(left, torch.Tensor) and _is_matrix(left):
        columns = call.build.move(right, lambda t: t.transpose(-1, -2), call.node)
        product = ops.linear(call.build, columns, left.reshape(left.shape[-2:]), None, call.node, call.owner)
        return call.build.move(product, lambda t: t.transpose(-1, -2), call.node)
    return None


def _is_matrix(tensor: torch.Tensor) -> bool:
    return tensor.dim() >= 2 and tensor.numel() == tensor.shape[-1] * tensor.shape[-2]


@converter("aten.add.Tensor", "aten.sub.Tensor", "aten.add.Scalar", "aten.sub.Scalar", "aten.rsub.Scalar")
def _add(call: Call) -> Value:
    sign = -1 if "sub" in call.node[1] else 1
    factors = [1, sign * call.argument(2, "alpha", 1)]
    if "rsub" in call.node[1]:
        factors = [-call.argument(2, "alpha", 1), 1]
    terms = list(zip(call.args[:2], factors, strict=True))
    if not _are_finite(call.args[:2]):
        return opaque(call, _INFINITE)
    symbolic = [_times(call, value, factor) for value, factor in terms if isinstance(value, Value)]
    total = symbolic[0] if len(symbolic) == 1 else call.build.add(symbolic, call.node)
    for value, factor in terms:
        if not isinstance(value, Value):
            total = call.build.shift(total, factor * _constant(value), call.node)
    return total


def _times(call: Call, value: Value, factor: float) -> Value:
    return value if factor == 1 else call.build.scale(value, _constant(factor), call.node)


@converter("aten.mul.Tensor", "aten.mul.Scalar")
def _mul(call: Call) -> Value:
    left, right = call.args[:2]
    if isinstance(left, Value) and isinstance(right, Value):
        return opaque(call, "multiplies activations with one another")
    value, factor = (left, right) if isinstance(left, Value) else (right, left)
    if not _are_finite([factor]):
        return opaque(call, _INFINITE)
    return call.build.scale(value, _constant(factor), call.node)


@converter("aten.div.Tensor", "aten.div.Scalar")
def _div(call: Call) -> Value:
    left, right = call.args[:2]
    if isinstance(right, Value):
        return opaque(call, "divides by an activation")
    factor = 1 / _constant(right)
    if not _are_finite([factor]):
        return opaque(call, _INFINITE)
    return call.build.scale(left, factor, call.node)


_INFINITE = "meets numbers that are not finite"


def _are_finite(operands: Iterable[Any]) -> bool:
    return all(bool(_constant(a).isfinite().all()) for a in operands if not isinstance(a, Value))


@converter("aten.neg.default")
def _neg(call: Call) -> Value:
    return call.build.scale(call.args[0], _constant(-1), call.node)


@converter("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default")
def _average_pool(call: Call) -> Value:
    x = call.args[0]
    dims = len(call.args[1])
    lift = len(x.shape) == dims + 1
    x = call.build.move(x, lambda t: t[None], call.node) if lift else x
    padding = call.argument(3, "padding", [0] * dims)
    out = ops.average_pool(
        call.build,
        x,
        call.function,
        call.node,
        kernel=call.args[1],
        stride=call.argument(2, "stride") or call.args[1],
        padding=tuple((p, p) for p in padding),
    )
    return call.build.move(out, lambda t: t[0], call.node) if lift else out


@converter(
    "aten._adaptive_avg_pool2d.default",
    "aten._adaptive_avg_pool3d.default",
    "aten.adaptive_avg_pool1d.default",
)
def _adaptive_average_pool(call: Call) -> Value:
    x, size = call.args
    spatial = x.shape[-len(size) :]
    if any(length % count for length, count in zip(spatial, size, strict=True)):
        for axis, (length, count) in enumerate(zip(spatial, size, strict=True), start=-len(size)):
            shares = torch.adaptive_avg_pool1d(torch.eye(length, dtype=torch.float64), count)
            x = ops.along_axis(call.build, x, axis, shares.T, call.node)
        return x
    kernel = [length // count for length, count in zip(spatial, size, strict=True)]
    lifted = call.build.move(x, lambda t: t.reshape(1, -1, *spatial), call.node)
    out = ops.average_pool(
        call.build,
        lifted,
        call.function,
        call.node,
        kernel=kernel,
        stride=kernel,
        padding=((0, 0),) * len(size),
    )
    return call.build.move(out, lambda t: t.reshape(*x.shape[: -len(size)], *size), call.node)


@converter("aten.mean.dim", "aten.mean.default")
def _mean(call: Call) -> Value:
    axes, keepdim = call.argument(1, "dim") or [], call.argument(2, "keepdim", False)
    return ops.mean(call.build, call.args[0], axes, keepdim, call.node)


@converter("aten.sum.dim_IntList", "aten.sum.default")
def _sum(call: Call) -> Value:
    axes, keepdim = call.argument(1, "dim") or [], call.argument(2, "keepdim", False)
    return ops.total(call.build, call.args[0], axes, keepdim, call.node)


def _constant(number: Any) -> torch.Tensor:
    return torch.as_tensor(number, dtype=torch.float64)
