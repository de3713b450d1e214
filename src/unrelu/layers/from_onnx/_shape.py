"""ONNX nodes that only move entries: reshape, transpose, slice, join."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from unrelu.layers import _operations as operations
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_onnx._file import check_size, type_of
from unrelu.layers.from_onnx._node import Converter, Operand, Operation

if TYPE_CHECKING:
    from collections.abc import Callable

CONVERTERS = Converters[Converter]()


@CONVERTERS.register("Identity")
def identity(op: Operation) -> Operand:
    """Pass on."""
    return op.move(op.operand(0), lambda t: t)


@CONVERTERS.register("Dropout")
def dropout(op: Operation) -> Operand:
    """Pass on: nothing is dropped at inference."""
    op.attribute("ratio")
    op.attribute("seed")
    if op.has(2) and bool(op.constant(2, "training_mode").any()):
        raise op.refuse("drops entries (training mode); export in evaluation mode")
    return op.move(op.operand(0), lambda t: t)


@CONVERTERS.register("Cast")
def cast(op: Operation) -> Operand:
    """Change the element type."""
    x = op.operand(0)
    op.attribute("saturate")  # of 8-bit floats, which are refused
    op.attribute("round_mode")
    name, dtype = type_of(op.attribute("to"))
    if dtype is None:
        raise op.refuse(f"the element type {name} is not supported")
    narrow = {"FLOAT16": torch.float16, "BFLOAT16": torch.bfloat16}.get(name)
    if isinstance(x, torch.Tensor):
        return x.to(narrow).to(dtype) if narrow else x.to(dtype)
    if narrow:
        return op.opaque([x], lambda t: t.to(narrow).double(), f"rounds to {name.lower()}")
    if not dtype.is_floating_point:
        raise op.refuse(f"turns a tensor that depends on the input into {name.lower()}")
    return op.move(x, lambda t: t)


@CONVERTERS.register("Flatten")
def flatten(op: Operation) -> Operand:
    """Join the axes in front of one, and those from it on."""
    x = op.operand(0)
    axis = op.attribute("axis", 1)
    if not -len(x.shape) <= axis <= len(x.shape):
        raise op.refuse(f"axis {axis} of a tensor with {len(x.shape)} axes")
    rows = math.prod(x.shape[:axis])
    return op.move(x, lambda t: t.reshape(rows, -1))


@CONVERTERS.register("Reshape")
def reshape(op: Operation) -> Operand:
    """Name the axes anew; 0 keeps a length and -1 is what is left."""
    x = op.operand(0)
    shape = op.integers(1, "shape") or []
    if not op.attribute("allowzero", 0):
        if any(length == 0 for length in shape[len(x.shape) :]):
            raise op.refuse(f"the shape {shape} keeps an axis that the input {tuple(x.shape)} lacks")
        shape = [length or x.shape[axis] for axis, length in enumerate(shape)]
    return op.move(x, lambda t: t.reshape(shape))


@CONVERTERS.register("Transpose")
def transpose(op: Operation) -> Operand:
    """Permute the axes, by default to the opposite order."""
    x = op.operand(0)
    order = op.attribute("perm") or list(range(len(x.shape)))[::-1]
    return op.move(x, lambda t: t.permute(order))


@CONVERTERS.register("Squeeze")
def squeeze(op: Operation) -> Operand:
    """Drop axes of length 1, by default all of them."""
    x = op.operand(0)
    axes = op.axes()
    rank = len(x.shape)
    chosen = [k for k in range(rank) if x.shape[k] == 1] if axes is None else [op.axis(k, rank) for k in axes]
    if any(x.shape[axis] != 1 for axis in chosen):
        raise op.refuse(f"expected axes of length 1, got {axes} of {tuple(x.shape)}")
    shape = [length for axis, length in enumerate(x.shape) if axis not in chosen]
    return op.move(x, lambda t: t.reshape(shape))


@CONVERTERS.register("Unsqueeze")
def unsqueeze(op: Operation) -> Operand:
    """Insert axes of length 1."""
    x = op.operand(0)
    axes = op.axes() or []
    rank = len(x.shape) + len(axes)
    new = {op.axis(axis, rank) for axis in axes}
    lengths = iter(x.shape)
    shape = [1 if axis in new else next(lengths) for axis in range(rank)]
    return op.move(x, lambda t: t.reshape(shape))


@CONVERTERS.register("Slice")
def slicing(op: Operation) -> Operand:
    """Take a range of positions along axes."""
    x = op.operand(0)
    if op.opset < 10:
        starts, ends, axes, steps = op.attribute("starts"), op.attribute("ends"), op.attribute("axes"), None
    else:
        names = ("starts", "ends", "axes", "steps")
        starts, ends, axes, steps = (op.integers(k, what) for k, what in enumerate(names, start=1))
    axes = axes if axes is not None else list(range(len(starts)))
    chosen = {}
    for start, end, axis, step in zip(starts, ends, axes, steps or [1] * len(starts), strict=True):
        axis = op.axis(axis, len(x.shape))
        chosen[axis] = torch.tensor(range(*slice(start, end, step).indices(x.shape[axis])), dtype=torch.long)
    return op.move(x, selecting(chosen))


def selecting(chosen: dict[int, torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function that takes positions along axes."""

    def select(t: torch.Tensor) -> torch.Tensor:
        for axis, positions in chosen.items():
            t = t.index_select(axis, positions)
        return t

    return select


@CONVERTERS.register("Split")
def split(op: Operation) -> list[Operand]:
    """Cut a tensor into pieces along an axis."""
    x = op.operand(0)
    axis = op.axis(op.attribute("axis", 0), len(x.shape))
    sizes = op.attribute("split") or op.integers(1, "split")
    if not sizes:
        count = op.attribute("num_outputs") or op.outputs
        if count != op.outputs:
            raise op.refuse(f"expected {count} results, got {op.outputs}")
        size = -(-x.shape[axis] // count)
        sizes = [size] * (count - 1) + [x.shape[axis] - size * (count - 1)]
    if sum(sizes) != x.shape[axis] or min(sizes) < 0:
        raise op.refuse(f"cuts an axis of length {x.shape[axis]} into {sizes}")
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    return [op.move(x, _narrowing(axis, start, size)) for start, size in zip(starts, sizes, strict=True)]


def _narrowing(axis: int, start: int, size: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function that takes a range of positions along an axis."""
    return lambda t: t.narrow(axis, start, size)


@CONVERTERS.register("Gather")
def gather(op: Operation) -> Operand:
    """Take constant positions along an axis."""
    x = op.operand(0)
    axis = op.axis(op.attribute("axis", 0), len(x.shape))
    positions = op.constant(1, "indices")
    length = x.shape[axis]
    if positions.is_floating_point() or bool(((positions < -length) | (positions >= length)).any()):
        raise op.refuse(f"expected indices of an axis of length {length}")
    flat = positions.reshape(-1).long() % max(length, 1)
    shape = (*x.shape[:axis], *positions.shape, *x.shape[axis + 1 :])
    check_size(shape, f"node {op.name!r}")
    return op.move(x, lambda t: t.index_select(axis, flat).reshape(shape))


@CONVERTERS.register("Concat")
def concat(op: Operation) -> Operand:
    """Join tensors along an axis."""
    parts = op.operands()
    axis = op.axis(op.attribute("axis"), len(parts[0].shape))
    others = {tuple(part.shape[:axis]) + tuple(part.shape[axis + 1 :]) for part in parts}
    if len(others) > 1:
        raise op.refuse(f"joins tensors of different shapes {[tuple(part.shape) for part in parts]}")
    total = sum(part.shape[axis] for part in parts)
    check_size((*parts[0].shape[:axis], total, *parts[0].shape[axis + 1 :]), f"node {op.name!r}")
    if not any(isinstance(part, Value) for part in parts):
        return torch.cat([part for part in parts if isinstance(part, torch.Tensor)], dim=axis)
    return operations.concatenate(op.build, parts, axis, op.node)


@CONVERTERS.register("Expand")
def expand(op: Operation) -> Operand:
    """Repeat axes of length 1; both shapes are broadcast against each other."""
    x = op.operand(0)
    shape = tuple(torch.broadcast_shapes(tuple(x.shape), tuple(op.integers(1, "shape") or ())))
    check_size(shape, f"node {op.name!r}")
    return op.move(x, lambda t: t.expand(shape))


@CONVERTERS.register("Tile")
def tile(op: Operation) -> Operand:
    """Repeat a tensor along its axes."""
    x = op.operand(0)
    repeats = op.integers(1, "repeats") or []
    if len(repeats) != len(x.shape):
        raise op.refuse(f"expected {len(x.shape)} repeats, got {repeats}")
    check_size((a * b for a, b in zip(x.shape, repeats, strict=True)), f"node {op.name!r}")
    return op.move(x, lambda t: t.repeat(repeats))


@CONVERTERS.register("DepthToSpace")
def depth_to_space(op: Operation) -> Operand:
    """Move blocks of channels into the image."""
    x = op.operand(0)
    size, mode = op.attribute("blocksize"), op.attribute("mode", "DCR")
    batch, channels, height, width = x.shape
    depth = channels // size**2
    if mode == "DCR":
        split_shape, order = (batch, size, size, depth, height, width), (0, 3, 4, 1, 5, 2)
    else:
        split_shape, order = (batch, depth, size, size, height, width), (0, 1, 4, 2, 5, 3)
    shape = (batch, depth, height * size, width * size)
    return op.move(x, lambda t: t.reshape(split_shape).permute(order).reshape(shape))


@CONVERTERS.register("SpaceToDepth")
def space_to_depth(op: Operation) -> Operand:
    """Move blocks of the image into channels."""
    x = op.operand(0)
    size = op.attribute("blocksize")
    batch, channels, height, width = x.shape
    split_shape = (batch, channels, height // size, size, width // size, size)
    shape = (batch, channels * size**2, height // size, width // size)
    return op.move(x, lambda t: t.reshape(split_shape).permute(0, 3, 5, 1, 2, 4).reshape(shape))
