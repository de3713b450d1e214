"""ONNX nodes that pad an image or change its size."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from unrelu.layers import _operations as operations
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_onnx._file import check_size
from unrelu.layers.from_onnx._node import Converter, Operand, Operation
from unrelu.layers.from_onnx._shape import selecting

if TYPE_CHECKING:
    from collections.abc import Callable

    Coordinate = Callable[[torch.Tensor, float, int, int], torch.Tensor]

CONVERTERS = Converters[Converter]()

# Where a position of the result lies in the input, from its number, the scale and both lengths.
_COORDINATES: dict[str, Coordinate] = {
    "half_pixel": lambda k, scale, _old, _new: (k + 0.5) / scale - 0.5,
    "pytorch_half_pixel": lambda k, scale, _old, new: (k + 0.5) / scale - 0.5 if new > 1 else 0 * k,
    "half_pixel_symmetric": lambda k, scale, old, new: (
        old / 2 * (1 - new / (scale * old)) + (k + 0.5) / scale - 0.5
    ),
    "asymmetric": lambda k, scale, _old, _new: k / scale,
    "align_corners": lambda k, _scale, old, new: k * ((old - 1) / (new - 1)) if new > 1 else 0 * k,
}
_ROUNDING: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "round_prefer_floor": lambda x: torch.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: torch.floor(x + 0.5),
    "floor": torch.floor,
    "ceil": torch.ceil,
}


@CONVERTERS.register("Pad")
def pad(op: Operation) -> Operand:
    """Pad with a constant or with entries of the tensor; negative padding cuts off."""
    x = op.operand(0)
    pads, value = _pads(op, len(x.shape))
    mode = op.attribute("mode", "constant")
    check_size((length + sum(pair) for length, pair in zip(x.shape, pads, strict=True)), f"node {op.name!r}")
    if mode == "constant":
        return _constant_pad(op, x, [side for pair in reversed(pads) for side in pair], value)
    if mode not in {"reflect", "edge", "wrap"}:
        raise op.refuse(f"the mode {mode!r} is not supported")
    chosen = {}
    for axis, (before, after) in enumerate(pads):
        length = x.shape[axis]
        if mode == "reflect" and max(before, after) >= length:
            raise op.refuse(f"reflects {(before, after)} entries of an axis of length {length}")
        places = torch.arange(-before, length + after)
        if mode == "reflect":
            places = length - 1 - (length - 1 - places.abs()).abs()
        chosen[axis] = places.clamp(0, length - 1) if mode == "edge" else places % length
    return op.move(x, selecting(chosen))


def _pads(op: Operation, rank: int) -> tuple[list[tuple[int, int]], float]:
    """Return padding before and after every axis, and the value to pad with."""
    if op.opset < 11:
        pads, value, axes = op.attribute("pads"), op.attribute("value", 0.0), None
    else:
        pads, axes = op.integers(1, "pads") or [], op.integers(3, "axes")
        value = float(op.constant(2, "value").item()) if op.has(2) else 0.0
    axes = list(range(rank)) if axes is None else [op.axis(axis, rank) for axis in axes]
    if len(pads) != 2 * len(axes):
        raise op.refuse(f"pads: expected {2 * len(axes)} numbers, got {pads}")
    pairs = [(0, 0)] * rank
    for k, axis in enumerate(axes):
        pairs[axis] = (pads[k], pads[k + len(axes)])
    return pairs, value


def _constant_pad(op: Operation, x: Operand, sides: list[int], value: float) -> Operand:
    if isinstance(x, torch.Tensor):
        return functional.pad(x, sides, value=value)
    moved = op.build.move(x, lambda t: functional.pad(t, sides), op.node)
    if value == 0:
        return moved
    frame = functional.pad(torch.zeros(x.shape, dtype=torch.float64), sides, value=value)
    return op.build.shift(moved, frame, op.node)


@CONVERTERS.register("Upsample")
def upsample(op: Operation) -> Operand:
    """Enlarge an image: the operator before ``Resize``."""
    x = op.operand(0)
    scales = op.attribute("scales") or op.weight(1, "scales").tolist()
    sizes = [math.floor(length * scale) for length, scale in zip(x.shape, scales, strict=True)]
    return _resized(op, x, list(enumerate(scales)), sizes, _COORDINATES["asymmetric"], "floor")


@CONVERTERS.register("Resize")
def resize(op: Operation) -> Operand:
    """Change the size of an image, to the nearest entry or linearly between entries."""
    x = op.operand(0)
    if op.attribute("antialias", 0) or op.attribute("exclude_outside", 0):
        raise op.refuse("the options 'antialias' and 'exclude_outside' are not supported")
    for name in ("cubic_coeff_a", "extrapolation_value"):  # of modes that are refused
        op.attribute(name)
    scales, sizes = _resize_sizes(op, tuple(x.shape))
    shrinks = any(scale < 1 for _, scale in scales)
    if op.opset < 11 and shrinks and op.attribute("mode", "nearest") == "nearest":
        raise op.refuse("before opset 11, what the nearest entry is in a smaller image was left open")
    rule = op.attribute("coordinate_transformation_mode", "half_pixel" if op.opset > 10 else "asymmetric")
    rounding = op.attribute("nearest_mode", "round_prefer_floor" if op.opset > 10 else "floor")
    if rule not in _COORDINATES or rounding not in _ROUNDING:
        raise op.refuse(f"the coordinates {rule!r} with {rounding!r} are not supported")
    return _resized(op, x, scales, sizes, _COORDINATES[rule], rounding)


def _resize_sizes(op: Operation, shape: tuple[int, ...]) -> tuple[list[tuple[int, float]], list[int]]:
    """Return the axes to resize with their scales, and the resulting shape."""
    if op.attribute("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise op.refuse("the option 'keep_aspect_ratio_policy' is not supported")
    axes = [op.axis(axis, len(shape)) for axis in op.attribute("axes") or range(len(shape))]
    place = 1 if op.opset < 11 else 2
    result = list(shape)
    if op.has(place) and op.weight(place, "scales").numel():
        scales = [float(scale) for scale in op.weight(place, "scales")]
        for axis, scale in zip(axes, scales, strict=True):
            result[axis] = math.floor(shape[axis] * scale)
        return list(zip(axes, scales, strict=True)), result
    sizes = op.integers(3, "sizes") or []
    for axis, size in zip(axes, sizes, strict=True):
        result[axis] = size
    return [(axis, result[axis] / shape[axis]) for axis in axes], result


def _resized(
    op: Operation,
    x: Operand,
    scales: list[tuple[int, float]],
    shape: list[int],
    coordinate: Coordinate,
    rounding: str,
) -> Operand:
    mode = op.attribute("mode", "nearest")
    if mode not in {"nearest", "linear"}:
        raise op.refuse(f"the mode {mode!r} is not supported")
    if min(shape) < 1:
        raise op.refuse(f"the result would have shape {shape}")
    check_size(shape, f"node {op.name!r}")
    for axis, scale in scales:
        old, new = x.shape[axis], shape[axis]
        if scale == 1 and old == new:
            continue
        where = coordinate(torch.arange(new, dtype=torch.float64), scale, old, new)
        if mode == "nearest":
            places = _ROUNDING[rounding](where).clamp(0, old - 1).long()
            x = op.move(x, selecting({axis: places}))
        else:
            x = _interpolated(op, op.lift(x), axis, where.clamp(0, old - 1))
    return op.move(x, lambda t: t)


def _interpolated(op: Operation, x: Value, axis: int, where: torch.Tensor) -> Value:
    """Return the entries at real positions along an axis, linear between neighbours."""
    length = x.shape[axis]
    below = where.floor().long()
    above = (below + 1).clamp(max=length - 1)
    share = where - below
    weight = torch.zeros(len(where), length, dtype=torch.float64)
    weight.scatter_add_(1, below[:, None], (1 - share)[:, None])
    weight.scatter_add_(1, above[:, None], share[:, None])
    last = op.build.move(x, lambda t: t.movedim(axis, -1), op.node)
    out = operations.linear(op.build, last, weight, None, op.node)
    return op.build.move(out, lambda t: t.movedim(-1, axis), op.node)
