"""ONNX operators that are affine, or move entries; each reads the options it knows and refuses the rest."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product

import numpy as np

from unrelu.certificates._rows import Rows
from unrelu.certificates.onnx._model import MOST_ENTRIES, Node
from unrelu.certificates.onnx._values import Value

Operand = Value | np.ndarray
Operator = Callable[[Node, list[Operand | None]], Operand]


def known_options(node: Node, *names: str) -> None:
    """Refuse options that are not understood.

    Raises:
        ModelError: Naming the first.
    """
    for name in node.options:
        if name not in names:
            raise node.refuse(f"option {name!r} is not read here")


def value_operand(node: Node, operands: list[Operand | None], k: int = 0) -> Value:
    """Return an input that depends on the model's input.

    Raises:
        ModelError: If it is a constant, or is not there.
    """
    found = operands[k] if k < len(operands) else None
    if not isinstance(found, Value):
        raise node.refuse(f"input {k} must depend on the model's input here")
    return found


def constant_operand(node: Node, operands: list[Operand | None], k: int) -> np.ndarray:
    """Return an input that is a constant.

    Raises:
        ModelError: If it is none.
    """
    found = operands[k] if k < len(operands) else None
    if not isinstance(found, np.ndarray):
        raise node.refuse(f"input {k} must be a constant here")
    return found


def integer_list(node: Node, name: str, default: list[int]) -> list[int]:
    """Return an option that is a list of integers."""
    found = node.options.get(name, default)
    return [int(v) for v in found] if isinstance(found, list) else default


def integer_option(node: Node, name: str, default: int) -> int:
    """Return an option that is an integer."""
    found = node.options.get(name, default)
    return found if isinstance(found, int) else default


def given_axes(node: Node, operands: list[Operand | None]) -> list[int]:
    """Return axes that are given as option or as second input, none where they are not given."""
    if len(operands) > 1 and operands[1] is not None:
        return [int(v) for v in constant_operand(node, operands, 1).ravel()]
    return integer_list(node, "axes", [])


def matmul(node: Node, operands: list[Operand | None]) -> Operand:
    """``MatMul`` by a constant matrix from the right."""
    known_options(node)
    return _product(node, value_operand(node, operands), constant_operand(node, operands, 1), None)


def gemm(node: Node, operands: list[Operand | None]) -> Operand:
    """``Gemm`` with factors of 1."""
    known_options(node, "alpha", "beta", "transA", "transB")
    if node.options.get("alpha", 1.0) != 1.0 or node.options.get("beta", 1.0) != 1.0:
        raise node.refuse("factors other than 1 are not read here")
    if integer_option(node, "transA", 0):
        raise node.refuse("a transposed input is not read here")
    matrix = constant_operand(node, operands, 1)
    bias = constant_operand(node, operands, 2) if len(operands) > 2 and operands[2] is not None else None
    matrix = matrix.T if integer_option(node, "transB", 0) else matrix
    return _product(node, value_operand(node, operands), matrix, bias)


def _product(node: Node, value: Value, matrix: np.ndarray, bias: np.ndarray | None) -> Value:
    _refuse_affine(node, value)
    if matrix.ndim != 2 or not value.shape or value.shape[-1] != len(matrix):
        raise node.refuse(f"a tensor of shape {value.shape} times a matrix of shape {matrix.shape}")
    k, p = matrix.shape
    count = math.prod(value.shape[:-1])
    if count * matrix.size > MOST_ENTRIES:
        raise node.refuse("the matrix is too large")
    inner = Rows.of(matrix.T)
    blocks = np.arange(count)
    starts = np.concatenate([[0], np.cumsum(np.tile(np.diff(inner.starts), count))])
    columns = (inner.columns[None] + k * blocks[:, None]).ravel()
    rows = Rows(k * count, starts, columns, np.tile(inner.values, count))
    shift = np.zeros(p) if bias is None else np.broadcast_to(bias, (p,))
    return value.mapped(rows, np.tile(shift, count), (*value.shape[:-1], p))


def convolution(node: Node, operands: list[Operand | None]) -> Operand:
    """``Conv`` with strides, pads, dilations and groups."""
    known_options(node, "auto_pad", "dilations", "group", "kernel_shape", "pads", "strides")
    value, kernel = value_operand(node, operands), constant_operand(node, operands, 1)
    _refuse_affine(node, value)
    axes = kernel.ndim - 2
    if node.options.get("auto_pad", "NOTSET") not in {"NOTSET", "VALID"}:
        raise node.refuse(f"auto_pad {node.options['auto_pad']!r} is not read here")
    groups = integer_option(node, "group", 1)
    fits = len(value.shape) == axes + 2 and value.shape[0] == 1 and value.shape[1] == kernel.shape[1] * groups
    if axes < 1 or not fits or len(kernel) % groups:
        raise node.refuse(f"an input of shape {value.shape} and a kernel of shape {kernel.shape}")
    if integer_list(node, "kernel_shape", list(kernel.shape[2:])) != list(kernel.shape[2:]):
        raise node.refuse("kernel_shape is not that of the kernel")
    strides = integer_list(node, "strides", [1] * axes)
    dilations = integer_list(node, "dilations", [1] * axes)
    pads = integer_list(node, "pads", [0] * (2 * axes))
    out = tuple(
        (size + pads[a] + pads[axes + a] - dilations[a] * (kernel.shape[2 + a] - 1) - 1) // strides[a] + 1
        for a, size in enumerate(value.shape[2:])
    )
    if min(out) < 1:
        raise node.refuse(f"nothing is left of an input of shape {value.shape}")
    if math.prod(out) * kernel.size > MOST_ENTRIES:
        raise node.refuse("the matrix is too large")
    rows = _windows(kernel, value.shape[1:], out, (strides, dilations, pads), groups)
    given = len(operands) > 2 and operands[2] is not None
    bias = constant_operand(node, operands, 2) if given else np.zeros(len(kernel))
    return value.mapped(rows, np.repeat(bias, math.prod(out)), (1, len(kernel), *out))


def _windows(
    kernel: np.ndarray,
    shape: tuple[int, ...],
    out: tuple[int, ...],
    options: tuple[list[int], list[int], list[int]],
    groups: int,
) -> Rows:
    """Return the rows of a convolution, one for each output channel and place."""
    strides, dilations, pads = options
    size, places = math.prod(shape), math.prod(out)
    places_of = np.indices(out).reshape(len(out), -1)
    taken, width = [], len(kernel) // groups
    for tap in product(*(range(k) for k in kernel.shape[2:])):
        at = [
            place * s + t * d - p
            for place, s, t, d, p in zip(places_of, strides, tap, dilations, pads, strict=False)
        ]
        inside = np.all([(a >= 0) & (a < limit) for a, limit in zip(at, shape[1:], strict=True)], axis=0)
        spot = np.flatnonzero(inside)
        flat = np.ravel_multi_index([a[spot] for a in at], shape[1:])
        for o, i in product(range(len(kernel)), range(kernel.shape[1])):
            weight = kernel[(o, i, *tap)]
            if weight:
                channel = o // width * kernel.shape[1] + i
                column = channel * math.prod(shape[1:]) + flat
                taken.append((o * places + spot, column, np.full(len(spot), weight)))
    if not taken:
        taken = [(np.zeros(0, int), np.zeros(0, int), np.zeros(0))]
    numbers, columns, values = (np.concatenate(part) for part in zip(*taken, strict=True))
    order = np.lexsort((columns, numbers))
    starts = np.searchsorted(numbers[order], np.arange(len(kernel) * places + 1))
    return Rows(size, starts, columns[order], values[order])


def _refuse_affine(node: Node, value: Value) -> None:
    if not value.plain:
        raise node.refuse("two linear maps without a ReLU between them are not read here")


def flatten(node: Node, operands: list[Operand | None]) -> Operand:
    """``Flatten``."""
    known_options(node, "axis")
    value = value_operand(node, operands)
    axis = integer_option(node, "axis", 1)
    axis += len(value.shape) if axis < 0 else 0
    return value.reshaped((math.prod(value.shape[:axis]), math.prod(value.shape[axis:])))


def reshape(node: Node, operands: list[Operand | None]) -> Operand:
    """``Reshape`` to a constant shape."""
    known_options(node, "allowzero")
    value = value_operand(node, operands)
    target = [int(v) for v in constant_operand(node, operands, 1).ravel()]
    if integer_option(node, "allowzero", 0) and 0 in target:
        raise node.refuse("allowzero is not read here")
    sizes = [value.shape[k] if size == 0 else size for k, size in enumerate(target) if k < len(value.shape)]
    sizes += target[len(value.shape) :]
    return value.reshaped(_resolved(node, value, sizes))


def _resolved(node: Node, value: Value, sizes: list[int]) -> tuple[int, ...]:
    total, known = math.prod(value.shape), math.prod(size for size in sizes if size != -1)
    if sizes.count(-1) == 1 and known and total % known == 0:
        sizes = [total // known if size == -1 else size for size in sizes]
    if min(sizes, default=1) < 0 or math.prod(sizes) != total:
        raise node.refuse(f"a tensor of shape {value.shape} has no shape {sizes}")
    return tuple(sizes)


def transpose(node: Node, operands: list[Operand | None]) -> Operand:
    """``Transpose``."""
    known_options(node, "perm")
    value = value_operand(node, operands)
    axes = tuple(integer_list(node, "perm", list(range(len(value.shape)))[::-1]))
    if sorted(axes) != list(range(len(value.shape))):
        raise node.refuse(f"a tensor of shape {value.shape} cannot be permuted by {axes}")
    return value.transposed(axes)


def squeeze(node: Node, operands: list[Operand | None]) -> Operand:
    """``Squeeze`` and ``Unsqueeze``, axes as option or as input."""
    known_options(node, "axes")
    value = value_operand(node, operands)
    axes = given_axes(node, operands)
    if node.operator == "Squeeze":
        rank = len(value.shape)
        dropped = {a % rank for a in axes} if axes else {a for a in range(rank) if value.shape[a] == 1}
        if any(value.shape[a] != 1 for a in dropped):
            raise node.refuse(f"axes {axes} of a tensor of shape {value.shape} are not of length 1")
        return value.reshaped(tuple(s for a, s in enumerate(value.shape) if a not in dropped))
    rank = len(value.shape) + len(axes)
    added = {a % rank for a in axes}
    rest = iter(value.shape)
    return value.reshaped(tuple(1 if a in added else next(rest) for a in range(rank)))


def identity(node: Node, operands: list[Operand | None]) -> Operand:
    """``Identity``."""
    known_options(node)
    found = operands[0] if operands else None
    if found is None:
        raise node.refuse("it has no input")
    return found


def constant(node: Node, operands: list[Operand | None]) -> Operand:
    """``Constant`` tensors."""
    found = node.options.get("value")
    if not isinstance(found, np.ndarray) or len(node.options) != 1:
        raise node.refuse("constants other than tensors are not read here")
    return found


OPERATORS: dict[str, Operator] = {
    "Constant": constant,
    "Conv": convolution,
    "Flatten": flatten,
    "Gemm": gemm,
    "Identity": identity,
    "MatMul": matmul,
    "Reshape": reshape,
    "Squeeze": squeeze,
    "Transpose": transpose,
    "Unsqueeze": squeeze,
}
