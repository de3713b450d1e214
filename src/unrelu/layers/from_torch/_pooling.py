"""How core-ATen operators that summarise become part of a network: averages over windows and axes."""

from __future__ import annotations

from typing import Any

import torch

from unrelu.layers import _operations as operations
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers._maxima import over_axes, over_windows
from unrelu.layers.from_torch._call import Call, Converter, convert_unknown, each_axis, opaque

CONVERTERS = Converters[Converter]()

_POOLING = "max pooling is piecewise linear, not affine"
_MAXIMUM = "takes maxima, which is piecewise linear, not affine"


@CONVERTERS.register("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default")
def _average_pool(call: Call) -> Value:
    x = call.args[0]
    dims = len(call.args[1])
    lift = len(x.shape) == dims + 1
    x = call.build.move(x, lambda t: t[None], call.node) if lift else x
    padding = call.argument(3, "padding", [0] * dims)
    out = operations.average_pool(
        call.build,
        x,
        call.function,
        call.node,
        kernel=call.args[1],
        stride=call.argument(2, "stride") or call.args[1],
        padding=tuple((p, p) for p in padding),
    )
    return call.build.move(out, lambda t: t[0], call.node) if lift else out


@CONVERTERS.register(
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
            x = operations.along_axis(call.build, x, axis, shares.T, call.node)
        return x
    kernel = [length // count for length, count in zip(spatial, size, strict=True)]
    lifted = call.build.move(x, lambda t: t.reshape(1, -1, *spatial), call.node)
    out = operations.average_pool(
        call.build,
        lifted,
        call.function,
        call.node,
        kernel=kernel,
        stride=kernel,
        padding=((0, 0),) * len(size),
    )
    return call.build.move(out, lambda t: t.reshape(*x.shape[: -len(size)], *size), call.node)


@CONVERTERS.register("aten.mean.dim", "aten.mean.default")
def _mean(call: Call) -> Value:
    axes, keepdim = call.argument(1, "dim") or [], call.argument(2, "keepdim", False)
    return operations.mean(call.build, call.args[0], axes, keepdim, call.node)


@CONVERTERS.register("aten.sum.dim_IntList", "aten.sum.default")
def _sum(call: Call) -> Value:
    axes, keepdim = call.argument(1, "dim") or [], call.argument(2, "keepdim", False)
    return operations.total(call.build, call.args[0], axes, keepdim, call.node)


@CONVERTERS.register("aten.amax.default")
def _largest(call: Call) -> Value:
    """Take the largest entries over axes."""
    return opaque(call, _MAXIMUM, known=over_axes(call.args[0].shape, call.argument(1, "dim") or []))


@CONVERTERS.register("aten.max.dim")
def _largest_with_position(call: Call) -> Any:
    if call.positions != [0]:
        return convert_unknown(call, _MAXIMUM)
    return {0: opaque(call, _MAXIMUM, 0, over_axes(call.args[0].shape, [call.args[1]]))}


@CONVERTERS.register("aten.max_pool2d_with_indices.default", "aten.max_pool3d_with_indices.default")
def _max_pool(call: Call) -> Any:
    """Take the largest entries of windows; which ones is known where there is no padding and no overlap."""
    x, kernel = call.args[:2]
    if not isinstance(x, Value) or call.positions != [0]:
        return convert_unknown(call, _POOLING)
    dims = 2 if "2d" in call.node[1] else 3
    sizes = each_axis(kernel, dims)
    stride = each_axis(call.argument(2, "stride") or kernel, dims)
    padding, dilation = call.argument(3, "padding", [0]), call.argument(4, "dilation", [1])
    plain = not any(padding) and set(dilation) == {1} and not call.argument(5, "ceil_mode", False)
    return {0: opaque(call, _POOLING, 0, over_windows(x.shape, sizes, stride) if plain else None)}
