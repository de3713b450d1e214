"""How core-ATen operators that carry weights become part of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from unrelu.layers import _operations as operations
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_torch._arithmetic import times
from unrelu.layers.from_torch._call import Call, Converter, opaque

if TYPE_CHECKING:
    from collections.abc import Sequence

CONVERTERS = Converters[Converter]()

_NO_MATRIX = "is not an activation times one constant matrix"


@CONVERTERS.register("aten.convolution.default")
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
        out = operations.transposed_convolution(
            call.build,
            x,
            weight,
            bias,
            call.node,
            output_padding=_each_axis(output_padding, dims),
            **options,
        )
    else:
        out = operations.convolution(call.build, x, weight, bias, call.node, **options)
    return call.build.move(out, lambda t: t[0], call.node) if lift else out


def _each_axis(sizes: Sequence[int], dims: int) -> list[int]:
    """Repeat a single number for every spatial axis."""
    return list(sizes) * dims if len(sizes) == 1 else list(sizes)


@CONVERTERS.register("aten._native_batch_norm_legit_no_training.default")
def _batch_norm(call: Call) -> dict[int, Value]:
    x, weight, bias, mean, variance, _, eps = call.args
    return {0: operations.batch_norm(call.build, x, weight, bias, mean, variance, eps, call.node)}


@CONVERTERS.register("aten.addmm.default")
def _addmm(call: Call) -> Value:
    bias, left, right = call.args
    product = _product(call, left, right)
    if product is None or isinstance(bias, Value):
        return opaque(call, _NO_MATRIX)
    product = times(call, product, call.kwargs.get("alpha", 1))
    return call.build.shift(product, call.kwargs.get("beta", 1) * bias, call.node)


@CONVERTERS.register("aten.mm.default", "aten.bmm.default", "aten.matmul.default")
def _matmul(call: Call) -> Value:
    product = _product(call, *call.args)
    return opaque(call, _NO_MATRIX) if product is None else product


def _product(call: Call, left: Value | torch.Tensor, right: Value | torch.Tensor) -> Value | None:
    """Return the product of an activation and one constant matrix."""
    if isinstance(left, Value) and isinstance(right, torch.Tensor) and _is_matrix(right):
        matrix = right.reshape(right.shape[-2:])
        return operations.linear(call.build, left, matrix.T, None, call.node, call.owner)
    if isinstance(right, Value) and isinstance(left, torch.Tensor) and _is_matrix(left):
        columns = call.build.move(right, lambda t: t.transpose(-1, -2), call.node)
        product = operations.linear(
            call.build, columns, left.reshape(left.shape[-2:]), None, call.node, call.owner
        )
        return call.build.move(product, lambda t: t.transpose(-1, -2), call.node)
    return None


def _is_matrix(tensor: torch.Tensor) -> bool:
    return tensor.dim() >= 2 and tensor.numel() == tensor.shape[-1] * tensor.shape[-2]
