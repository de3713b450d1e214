"""ONNX nodes that summarise: pooling over windows, reduction over axes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from unrelu.layers import _operations as operations
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers._maxima import over_axes, over_windows
from unrelu.layers.from_onnx._node import Converter, Operand, Operation
from unrelu.layers.from_onnx._windows import image_of, pooling_windows
from unrelu.layers.maps import Convolution, powers_of_two

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.layers._operations import Pads

    Reduction = Callable[[torch.Tensor, tuple[int, ...], bool], torch.Tensor]

CONVERTERS = Converters[Converter]()

_MAX_POOL = {1: functional.max_pool1d, 2: functional.max_pool2d, 3: functional.max_pool3d}


def _sides(padding: Pads) -> list[int]:
    """Return padding in the order of torch: last axis first."""
    return [side for pair in reversed(padding) for side in pair]


@CONVERTERS.register("MaxPool")
def max_pool(op: Operation) -> Operand:
    """Take the maximum of windows."""
    x = op.operand(0)
    spatial = image_of(op, tuple(x.shape))
    windows, beyond = pooling_windows(op, spatial)
    op.attribute("storage_order")  # of the positions, which are not computed
    pads = [(before, after + more) for (before, after), more in zip(windows.padding, beyond, strict=True)]

    def pool(t: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(t, _sides(tuple(pads)), value=-math.inf)
        return _MAX_POOL[len(spatial)](
            padded, windows.kernel, stride=windows.stride, dilation=windows.dilation
        )

    plain = not any(_sides(tuple(pads))) and set(windows.dilation) == {1}
    groups = over_windows(tuple(x.shape), windows.kernel, windows.stride) if plain else None
    return op.opaque([x], pool, "takes the maximum of windows: neither affine nor a ReLU", groups)


@CONVERTERS.register("AveragePool")
def average_pool(op: Operation) -> Operand:
    """Average windows."""
    x = op.value(0)
    spatial = image_of(op, x.shape)
    windows, beyond = pooling_windows(op, spatial)
    channels, padding = x.shape[1], windows.padding
    reach = tuple((before, after + more) for (before, after), more in zip(padding, beyond, strict=True))
    taps = torch.ones(channels, 1, *windows.kernel, dtype=torch.float64)
    window = Convolution(
        taps,
        (channels, *spatial),
        stride=windows.stride,
        padding=reach,
        dilation=windows.dilation,
        groups=channels,
    )
    # The divisor counts entries, and zeros of the padding if asked; what lies beyond never counts.
    region = torch.ones(1, 1, *spatial, dtype=torch.float64)
    region = functional.pad(region, _sides(padding), value=float(op.attribute("count_include_pad", 0)))
    counter = Convolution(
        taps[:1],
        tuple(region.shape[1:]),
        stride=windows.stride,
        padding=tuple((0, more) for more in beyond),
        dilation=windows.dilation,
    )
    divisor = counter.apply(region.reshape(1, -1)).reshape(counter.out_shape).clamp(min=1)
    sums = op.build.affine(x, window, (1, *window.out_shape), op.node)
    return op.build.scale(sums, 1 / divisor, op.node, exact=powers_of_two(divisor))


@CONVERTERS.register("GlobalAveragePool")
def global_average_pool(op: Operation) -> Operand:
    """Average every channel."""
    x = op.value(0)
    return operations.mean(op.build, x, range(2, len(x.shape)), True, op.node)


@CONVERTERS.register("GlobalMaxPool")
def global_max_pool(op: Operation) -> Operand:
    """Take the maximum of every channel."""
    x = op.operand(0)
    axes = tuple(range(2, len(x.shape)))
    reason = "takes the maximum of every channel: neither affine nor a ReLU"
    groups = over_axes(tuple(x.shape), axes)
    return op.opaque([x], lambda t: t.amax(dim=axes, keepdim=True), reason, groups)


def _product(t: torch.Tensor, axes: tuple[int, ...], keep: bool) -> torch.Tensor:
    for axis in sorted(axes, reverse=True):
        t = torch.prod(t, dim=axis, keepdim=keep, dtype=t.dtype)
    return t


_REDUCTIONS: dict[str, Reduction] = {
    "ReduceSum": lambda t, axes, keep: t.sum(dim=axes, keepdim=keep, dtype=t.dtype),
    "ReduceMean": lambda t, axes, keep: t.mean(dim=axes, keepdim=keep),
    "ReduceMax": lambda t, axes, keep: t.amax(dim=axes, keepdim=keep),
    "ReduceMin": lambda t, axes, keep: t.amin(dim=axes, keepdim=keep),
    "ReduceProd": _product,
    "ReduceL1": lambda t, axes, keep: t.abs().sum(dim=axes, keepdim=keep),
    "ReduceL2": lambda t, axes, keep: torch.linalg.vector_norm(t, dim=axes, keepdim=keep),
    "ReduceSumSquare": lambda t, axes, keep: t.square().sum(dim=axes, keepdim=keep),
    "ReduceLogSumExp": lambda t, axes, keep: t.logsumexp(dim=axes, keepdim=keep),
}
_AFFINE_REDUCTIONS = {"ReduceSum": operations.total, "ReduceMean": operations.mean}


@CONVERTERS.register(*_REDUCTIONS)
def reduction(op: Operation) -> Operand:
    """Reduce axes, all of them by default."""
    x = op.operand(0)
    keep = bool(op.attribute("keepdims", 1))
    axes = op.axes()
    nothing = bool(op.attribute("noop_with_empty_axes", 0)) and not axes
    if nothing and op.operator in {"ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp"}:
        raise op.refuse("the option 'noop_with_empty_axes' is not supported")
    if nothing or not x.shape:
        return op.move(x, lambda t: t)
    along = tuple(op.axis(axis, len(x.shape)) for axis in axes or range(len(x.shape)))
    if isinstance(x, Value) and op.operator in _AFFINE_REDUCTIONS:
        return _AFFINE_REDUCTIONS[op.operator](op.build, x, along, keep, op.node)
    function = _REDUCTIONS[op.operator]
    groups = over_axes(tuple(x.shape), along) if op.operator == "ReduceMax" else None
    reason = f"{op.operator} is neither affine nor a ReLU"
    return op.opaque([x], lambda t: function(t, along, keep), reason, groups)
