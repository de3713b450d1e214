"""How core-ATen operators that carry weights become part of a network."""

from __future__ import annotations

from typing import Any

import torch

from unrelu.layers import _operations as operations
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_torch._arithmetic import times
from unrelu.layers.from_torch._call import Call, Converter, each_axis, opaque
from unrelu.layers.maps import products_are_exact

CONVERTERS = Converters[Converter]()

_NO_MATRIX = "is not an activation times constant matrices"


@CONVERTERS.register("aten.convolution.default")
def _convolution(call: Call) -> Value:
    x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = call.args
    if isinstance(weight, Value):
        return opaque(call, "its kernel depends on the input")
    lift = len(x.shape) == weight.dim() - 1
    x = call.build.move(x, lambda t: t[None], call.node) if lift else x
    dims = weight.dim() - 2
    options: dict[str, Any] = {
        "stride": each_axis(stride, dims),
        "padding": tuple((p, p) for p in each_axis(padding, dims)),
        "dilation": each_axis(dilation, dims),
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
            output_padding=each_axis(output_padding, dims),
            **options,
        )
    else:
        out = operations.convolution(call.build, x, weight, bias, call.node, **options)
    return call.build.move(out, lambda t: t[0], call.node) if lift else out


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
    beta = torch.as_tensor(call.kwargs.get("beta", 1), dtype=torch.float64)
    exact = products_are_exact(beta, bias)
    return call.build.shift(product, beta * bias, call.node, exact=exact)


@CONVERTERS.register("aten.mm.default", "aten.bmm.default", "aten.matmul.default")
def _matmul(call: Call) -> Value:
    product = _product(call, *call.args)
    return opaque(call, _NO_MATRIX) if product is None else product


def _product(call: Call, left: Value | torch.Tensor, right: Value | torch.Tensor) -> Value | None:
    """Return the product of an activation and constant matrices."""
    if isinstance(left, Value) and isinstance(right, torch.Tensor):
        return _times(call, left, right)
    if isinstance(right, Value) and isinstance(left, torch.Tensor):
        columns = call.build.move(right, _turned, call.node)
        product = _times(call, columns, left.transpose(-1, -2))
        return None if product is None else call.build.move(product, _turned, call.node)
    return None


def _turned(t: torch.Tensor) -> torch.Tensor:
    return t.transpose(-1, -2)


def _times(call: Call, x: Value, weight: torch.Tensor) -> Value | None:
    """Return ``x @ weight`` for one matrix, or one for every entry of the axes in front."""
    if weight.dim() < 2:
        return None
    matrices = weight.reshape(-1, *weight.shape[-2:])
    if len(matrices) != 1 and x.shape[:-2] != weight.shape[:-2]:
        return None
    if bool((matrices == matrices[:1]).all()):
        return operations.linear(call.build, x, matrices[0].T, None, call.node, call.owner)
    return operations.stacked_product(call.build, x, weight, call.node, call.owner)
