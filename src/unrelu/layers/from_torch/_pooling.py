"""How core-ATen operators that summarise become part of a network: averages over windows and axes."""

from __future__ import annotations

import torch

from unrelu.layers import _operations as operations
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_torch._call import Call, Converter

CONVERTERS = Converters[Converter]()


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
