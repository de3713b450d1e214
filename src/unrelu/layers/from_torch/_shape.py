"""How core-ATen operators that move, join or copy entries become part of a network."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import torch

from unrelu.layers import _operations as operations
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Skipped, Value
from unrelu.layers.from_torch._call import Call, Converter, flat, opaque, target_of

CONVERTERS = Converters[Converter]()


@CONVERTERS.register("<built-in function getitem>")
def _getitem(call: Call) -> Any:
    part = call.args[0][call.args[1]]
    return _noted(part, call) if isinstance(part, Value) else part


def _noted(value: Value, call: Call) -> Value:
    """Count a node that changes nothing among those folded in."""
    return replace(value, nodes=(*value.nodes, call.node))


@CONVERTERS.register("aten.cat.default")
def _cat(call: Call) -> Value:
    return operations.concatenate(call.build, call.args[0], call.argument(1, "dim", 0), call.node)


@CONVERTERS.register("aten.constant_pad_nd.default")
def _pad(call: Call) -> Value:
    x, pads = call.args[:2]
    fill = call.argument(2, "value", 0.0)
    if not math.isfinite(fill):
        return opaque(call, "pads with numbers that are not finite")
    moved = call.build.move(x, lambda t: torch.constant_pad_nd(t, pads), call.node)
    if not fill:
        return moved
    border = torch.constant_pad_nd(torch.zeros(x.shape, dtype=torch.float64), pads, fill)
    return call.build.shift(moved, border, call.node)


@CONVERTERS.register(
    "aten.alias.default",
    "aten.clone.default",
    "aten.expand.default",
    "aten.flip.default",
    "aten.gather.default",
    "aten.index.Tensor",
    "aten.index_select.default",
    "aten.permute.default",
    "aten.pixel_shuffle.default",
    "aten.pixel_unshuffle.default",
    "aten.reflection_pad1d.default",
    "aten.reflection_pad2d.default",
    "aten.repeat.default",
    "aten.reflection_pad3d.default",
    "aten.replication_pad1d.default",
    "aten.replication_pad2d.default",
    "aten.replication_pad3d.default",
    "aten.reshape.default",
    "aten.roll.default",
    "aten.select.int",
    "aten.slice.Tensor",
    "aten.squeeze.dims",
    "aten.squeeze.dim",
    "aten.squeeze.default",
    "aten.transpose.int",
    "aten.unsqueeze.default",
    "aten.upsample_nearest1d.vec",
    "aten.upsample_nearest2d.vec",
    "aten.upsample_nearest3d.vec",
    "aten.view.default",
    "aten._unsafe_view.default",
)
def _movement(call: Call) -> Value:
    x, *rest = call.args
    if not isinstance(x, Value) or any(isinstance(a, Value) for a in flat(rest)):
        return opaque(call, "its indices depend on the input")
    return call.build.move(x, call.function, call.node)


@CONVERTERS.register("aten.copy.default")
def _copy(call: Call) -> Value | torch.Tensor:
    """Return the second argument in the shape of the first."""
    x, source = call.args[:2]
    if isinstance(source, Value):
        return _noted(call.build.broadcast(source, tuple(x.shape), call.node), call)
    return source.expand(tuple(x.shape))


_SOURCE = {"slice_scatter": 1, "select_scatter": 1, "index_put": 2, "scatter": 3}  # which argument is written


@CONVERTERS.register(
    "aten.slice_scatter.default", "aten.select_scatter.default", "aten.index_put.default", "aten.scatter.src"
)
def _write(call: Call) -> Value:
    """Write entries of one tensor into places of another."""
    base, at = call.args[0], _SOURCE[call.node[1]]
    source = call.args[at]
    others = [a for k, a in enumerate(call.args) if k not in {0, at}]
    if any(isinstance(a, Value) for a in flat(others)) or call.argument(3, "accumulate") is True:
        return opaque(call, "writes where the input says, or adds to what is there")

    def written(into: torch.Tensor, what: torch.Tensor) -> torch.Tensor:
        args = [into, *call.args[1:at], what, *call.args[at + 1 :]]
        return target_of(call.fx_node)(*args, **call.kwargs)

    around, within = torch.zeros(tuple(base.shape)).double(), torch.zeros(tuple(source.shape)).double()
    parts = [(base, lambda t: written(t, within)), (source, lambda t: written(around, t))]
    return operations.join(call.build, parts, call.node)


@CONVERTERS.register("aten.where.self")
def _where(call: Call) -> Value:
    condition, chosen, other = call.args
    if isinstance(condition, Value):
        return opaque(call, "chooses by a condition on activations")
    zero = torch.zeros((), dtype=torch.float64)
    parts = [
        (chosen, lambda t: torch.where(condition, t, zero)),
        (other, lambda t: torch.where(condition, zero, t)),
    ]
    shape = tuple(call.fx_node.meta["val"].shape)
    return operations.join(call.build, [(x, _expanded(place, shape)) for x, place in parts], call.node)


def _expanded(place: operations.Movement, shape: tuple[int, ...]) -> operations.Movement:
    return lambda t: place(t.expand(shape))


@CONVERTERS.register("aten.split_with_sizes.default", "aten.split.Tensor", "aten.unbind.int")
def _split(call: Call) -> dict[int, Value]:
    def part(position: int) -> Value:
        return call.build.move(call.args[0], lambda t: call.function(t)[position], call.node)

    return {position: part(position) for position in call.positions}


@CONVERTERS.register("aten._to_copy.default", "aten.to.dtype")
def _cast(call: Call) -> Value:
    dtype = call.kwargs.get("dtype") or torch.float64
    # Numbers are float64 here: rounding to a narrower format is no part of the map.
    return _noted(call.args[0], call) if dtype.is_floating_point else opaque(call, f"casts to {dtype}")


@CONVERTERS.register("aten.full_like.default", "aten.zeros_like.default", "aten.ones_like.default")
def _constant_like(call: Call) -> torch.Tensor:
    return call.function(torch.zeros(call.args[0].shape, dtype=torch.float64)).double()


@CONVERTERS.register("aten._assert_tensor_metadata.default", "aten._assert_async.msg")
def _assertion(call: Call) -> None:
    call.build.skipped.append(Skipped(*call.node, "checks its input and computes nothing"))
