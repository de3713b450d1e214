"""How each core-ATen operator becomes part of a network. A new operator is one more entry here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

from unrelu.errors import ModelError
from unrelu.layers import _operations as ops
from unrelu.layers._graph import GraphBuilder, Value

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Call:
    """One call in the graph, its arguments replaced by constants and values.

    Attributes:
        build: The graph under construction.
        fx_node: The node itself.
        args: Positional arguments.
        kwargs: Keyword arguments.
        node: Name and operator for reports.
        owner: Path of the module that made the call.
    """

    build: GraphBuilder
    fx_node: fx.Node
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    node: tuple[str, str]
    owner: str | None

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """Return an argument by position or keyword."""
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, default)


CONVERTERS: dict[str, Callable[[Call], Any]] = {}


def _converter(*names: str) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    def register(function: Callable[[Call], Any]) -> Callable[[Call], Any]:
        for name in names:
            if name in CONVERTERS:
                raise ValueError(f"operator {name!r} is registered twice")
            CONVERTERS[name] = function
        return function

    return register


@_converter("aten.relu.default")
def _relu(call: Call) -> Value:
    return call.build.relu(call.args[0], *call.node)


@_converter("aten.clamp.default", "aten.clamp_min.default")
def _clamp(call: Call) -> Value:
    low, high = call.argument(1, "min"), call.argument(2, "max")
    if low == 0 and high is None:
        return call.build.relu(call.args[0], *call.node)
    return _opaque(call, "clamps to an interval, which is not a ReLU")


@_converter("aten.maximum.default")
def _maximum(call: Call) -> Value:
    symbolic = [a for a in call.args if isinstance(a, Value)]
    constant = [a for a in call.args if not isinstance(a, Value)]
    if len(symbolic) == 1 and not bool(torch.as_tensor(constant[0]).any()):
        return call.build.relu(symbolic[0], *call.node)
    return _opaque(call, "is piecewise linear in several activations")


@_converter("aten.convolution.default")
def _convolution(call: Call) -> Value:
    x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = call.args
    if isinstance(weight, Value):
        return _opaque(call, "its kernel depends on the input")
    squeeze = len(x.shape) == weight.dim() - 1
    x = call.build.move(x, lambda t: t[None], call.node) if squeeze else x
    options: dict[str, Any] = {
        "stride": stride,
        "padding": tuple((p, p) for p in padding),
        "dilation": dilation,
        "groups": groups,
        "owner": call.owner,
    }
    if transposed:
        return ops.transposed_convolution(
            call.build, x, weight, bias, call.node, output_padding=output_padding, **options
        )
    return ops.convolution(call.build, x, weight, bias, call.node, **options)


@_converter("aten._native_batch_norm_legit_no_training.default")
def _batch_norm(call: Call) -> dict[int, Value]:
    x, weight, bias, mean, variance, _, eps = call.args
    return {0: ops.batch_norm(call.build, x, weight, bias, mean, variance, eps, call.node)}


@_converter("<built-in function getitem>")
def _getitem(call: Call) -> Any:
    return call.args[0][call.args[1]]


@_converter("aten.addmm.default")
def _addmm(call: Call) -> Value:
    bias, x, weight = call.args
    if not isinstance(x, Value) or isinstance(weight, Value) or isinstance(bias, Value):
        return _opaque(call, "multiplies activations with one another")
    alpha, beta = call.kwargs.get("alpha", 1), call.kwargs.get("beta", 1)
    return ops.linear(call.build, x, alpha * weight.T, beta * bias, call.node, call.owner)


@_converter("aten.mm.default", "aten.bmm.default", "aten.matmul.default")
def _matmul(call: Call) -> Value:
    left, right = call.args
    if isinstance(left, Value) and isinstance(right, torch.Tensor) and _is_matrix(right):
        matrix = right.reshape(right.shape[-2:])
        return ops.linear(call.build, left, matrix.T, None, call.node, call.owner)
    if isinstance(right, Value) and isinstance(left, torch.Tensor) and _is_matrix(left):
        columns = call.build.move(right, lambda t: t.transpose(-1, -2), call.node)
        product = ops.linear(call.build, columns, left.reshape(left.shape[-2:]), None, call.node, call.owner)
        return call.build.move(product, lambda t: t.transpose(-1, -2), call.node)
    return _opaque(call, "multiplies activations with one another")


def _is_matrix(tensor: torch.Tensor) -> bool:
    return tensor.dim() >= 2 and tensor.numel() == tensor.shape[-1] * tensor.shape[-2]


@_converter("aten.add.Tensor", "aten.sub.Tensor", "aten.add.Scalar", "aten.sub.Scalar", "aten.rsub.Scalar")
def _add(call: Call) -> Value:
    sign = -1 if "sub" in call.node[1] else 1
    factors = [1, sign * call.argument(2, "alpha", 1)]
    if "rsub" in call.node[1]:
        factors = [-call.argument(2, "alpha", 1), 1]
    terms = list(zip(call.args[:2], factors, strict=True))
    symbolic = [_times(call, value, factor) for value, factor in terms if isinstance(value, Value)]
    total = symbolic[0] if len(symbolic) == 1 else call.build.add(symbolic, call.node)
    for value, factor in terms:
        if not isinstance(value, Value):
            total = call.build.shift(total, factor * _constant(value), call.node)
    return total


def _times(call: Call, value: Value, factor: float) -> Value:
    return value if factor == 1 else call.build.scale(value, _constant(factor), call.node)


@_converter("aten.mul.Tensor", "aten.mul.Scalar")
def _mul(call: Call) -> Value:
    left, right = call.args[:2]
    if isinstance(left, Value) and isinstance(right, Value):
        return _opaque(call, "multiplies activations with one another")
    value, factor = (left, right) if isinstance(left, Value) else (right, left)
    return call.build.scale(value, _constant(factor), call.node)


@_converter("aten.div.Tensor", "aten.div.Scalar")
def _div(call: Call) -> Value:
    left, right = call.args[:2]
    if isinstance(right, Value):
        return _opaque(call, "divides by an activation")
    return call.build.scale(left, 1 / _constant(right), call.node)


@_converter("aten.neg.default")
def _neg(call: Call) -> Value:
    return call.build.scale(call.args[0], _constant(-1), call.node)


@_converter("aten.avg_pool1d.default", "aten.avg_pool2d.default", "aten.avg_pool3d.default")
def _average_pool(call: Call) -> Value:
    x = call.args[0]
    dims = len(call.args[1])
    lift = len(x.shape) == dims + 1
    x = call.build.move(x, lambda t: t[None], call.node) if lift else x
    padding = call.argument(3, "padding", [0] * dims)
    out = ops.average_pool(
        call.build,
        x,
        lambda t: call.fx_node.target(t, *call.args[1:], **call.kwargs),
        call.node,
        kernel=call.args[1],
        stride=call.argument(2, "stride") or call.args[1],
        padding=tuple((p, p) for p in padding),
    )
    return call.build.move(out, lambda t: t[0], call.node) if lift else out


@_converter(
    "aten._adaptive_avg_pool2d.default",
    "aten._adaptive_avg_pool3d.default",
    "aten.adaptive_avg_pool1d.default",
)
def _adaptive_average_pool(call: Call) -> Value:
    x, size = call.args
    spatial = x.shape[-len(size) :]
    if any(length % count for length, count in zip(spatial, size, strict=True)):
        return _opaque(call, f"averages windows of different sizes ({tuple(spatial)} to {tuple(size)})")
    kernel = [length // count for length, count in zip(spatial, size, strict=True)]
    lifted = call.build.move(x, lambda t: t.reshape(1, -1, *spatial), call.node)
    out = ops.average_pool(
        call.build,
        lifted,
        lambda t: call.fx_node.target(t, size),
        call.node,
        kernel=kernel,
        stride=kernel,
        padding=((0, 0),) * len(size),
    )
    return call.build.move(out, lambda t: t.reshape(*x.shape[: -len(size)], *size), call.node)


@_converter("aten.mean.dim", "aten.mean.default")
def _mean(call: Call) -> Value:
    axes, keepdim = call.argument(1, "dim") or [], call.argument(2, "keepdim", False)
    return ops.mean(call.build, call.args[0], axes, keepdim, call.node)


@_converter("aten.sum.dim_IntList", "aten.sum.default")
def _sum(call: Call) -> Value:
    axes, keepdim = call.argument(1, "dim") or [], call.argument(2, "keepdim", False)
    return ops.total(call.build, call.args[0], axes, keepdim, call.node)


@_converter("aten.cat.default")
def _cat(call: Call) -> Value:
    return ops.concatenate(call.build, call.args[0], call.argument(1, "dim", 0), call.node)


@_converter("aten.constant_pad_nd.default")
def _pad(call: Call) -> Value:
    x, pads = call.args[:2]
    moved = call.build.move(x, lambda t: torch.constant_pad_nd(t, pads), call.node)
    fill = call.argument(2, "value", 0.0)
    if not fill:
        return moved
    border = torch.constant_pad_nd(torch.zeros(x.shape, dtype=torch.float64), pads, fill)
    return call.build.shift(moved, border, call.node)


@_converter(
    "aten.alias.default",
    "aten.clone.default",
    "aten.expand.default",
    "aten.flip.default",
    "aten.index_select.default",
    "aten.permute.default",
    "aten.pixel_shuffle.default",
    "aten.pixel_unshuffle.default",
    "aten.reflection_pad1d.default",
    "aten.reflection_pad2d.default",
    "aten.repeat.default",
    "aten.replication_pad2d.default",
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
    "aten.view.default",
    "aten._unsafe_view.default",
)
def _movement(call: Call) -> Value:
    kwargs = {k: v for k, v in call.kwargs.items() if k != "memory_format"}
    return call.build.move(
        call.args[0], lambda t: call.fx_node.target(t, *call.args[1:], **kwargs), call.node
    )


@_converter("aten.split_with_sizes.default", "aten.split.Tensor", "aten.unbind.int")
def _split(call: Call) -> dict[int, Value]:
    def part(position: int) -> Value:
        return call.build.move(
            call.args[0], lambda t: call.fx_node.target(t, *call.args[1:], **call.kwargs)[position], call.node
        )

    return {position: part(position) for position in _positions(call)}


@_converter("aten._to_copy.default", "aten.to.dtype")
def _cast(call: Call) -> Value:
    dtype = call.kwargs.get("dtype", torch.float64)
    if dtype not in (torch.float32, torch.float64):
        raise ModelError(f"node {call.node[0]!r} ({call.node[1]}): casts an activation to {dtype}")
    return call.args[0]


def convert_unknown(call: Call) -> Any:
    """Keep an operator as it is: it is evaluated by torch, and listed as not analysed."""
    reason = _REASONS.get(call.node[1], "is not affine, or not known to be")
    if not isinstance(call.fx_node.meta.get("val"), tuple | list):
        return _opaque(call, reason)
    return {position: _opaque(call, reason, position) for position in _positions(call)}


_REASONS = {
    "max_pool2d_with_indices": "max pooling is piecewise linear, not affine",
    "max_pool3d_with_indices": "max pooling is piecewise linear, not affine",
    "native_layer_norm": "divides by a statistic of the activation",
    "native_group_norm": "divides by a statistic of the activation",
    "_softmax": "softmax is not affine",
    "_log_softmax": "softmax is not affine",
}


def _positions(call: Call) -> list[int]:
    """Return which parts of a tuple are read."""
    return sorted({user.args[1] for user in call.fx_node.users})


def _opaque(call: Call, reason: str, position: int | None = None) -> Value:
    """Evaluate the operator itself on the values among its arguments."""
    values: list[Value] = []

    def slot(argument: Any) -> Any:
        if isinstance(argument, Value):
            values.append(argument)
            return _Slot(len(values) - 1)
        if isinstance(argument, list | tuple):
            return type(argument)(slot(a) for a in argument)
        return argument

    args = slot(tuple(call.args))
    kwargs = {key: slot(value) for key, value in call.kwargs.items()}

    def evaluate(*tensors: torch.Tensor) -> torch.Tensor:
        out = call.fx_node.target(*_fill(args, tensors), **{k: _fill(v, tensors) for k, v in kwargs.items()})
        return out if position is None else out[position]

    return call.build.opaque(values, evaluate, call.node, reason)


@dataclass(frozen=True)
class _Slot:
    """The place of a value among an operator's arguments."""

    position: int


def _fill(argument: Any, tensors: tuple[torch.Tensor, ...]) -> Any:
    if isinstance(argument, _Slot):
        return tensors[argument.position]
    if isinstance(argument, list | tuple):
        return type(argument)(_fill(a, tensors) for a in argument)
    return argument


def _constant(number: Any) -> torch.Tensor:
    return torch.as_tensor(number, dtype=torch.float64)
