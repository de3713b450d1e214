"""Division by a root mean square that an ONNX file spells out in single operations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from unrelu.certificates.links import NormRecord
from unrelu.certificates.onnx._tensors import Tensor
from unrelu.certificates.onnx._values import Value


def rms_norm(tensors: Sequence[Tensor], last: Tensor) -> tuple[int, NormRecord] | None:
    """Return what ``x * 1 / sqrt(mean of x^2 + eps)``, or ``x / sqrt(...)``, normalises.

    Args:
        tensors: Those that are read.
        last: The product or quotient.

    Returns:
        Number of the tensor ``x``, and how it is normalised; ``None`` where it is something else.
    """
    given = [value for value in last.operands if isinstance(value, Value)]
    if last.operator not in {"Div", "Mul"} or len(given) != 2:
        return None
    for x, factor in (given, given[::-1]) if last.operator == "Mul" else (given,):
        norm = _normalised(tensors, last, x, factor) if len(x.offset) == last.size else None
        if norm is not None:
            return norm
    return None


def _normalised(
    tensors: Sequence[Tensor], last: Tensor, x: Value, factor: Value
) -> tuple[int, NormRecord] | None:
    """Return the same for a product of two tensors in this order."""
    number, entries = _entries(tensors, last, x)
    below, groups = _entries(tensors, last, factor)
    if last.operator == "Mul":
        below = _behind(tensors, below, "Reciprocal")
    mean = _mean_of_squares(tensors, _behind(tensors, below, "Sqrt"), number)
    if mean is None or len(factor.offset) * mean[0] != last.size:
        return None
    count, eps = mean
    spread = np.broadcast_to(groups.reshape(factor.shape), x.shape).ravel()
    same = np.array_equal(spread, np.arange(last.size) // count)
    if not same or not np.array_equal(entries, np.arange(tensors[number].size)):
        return None
    return number, NormRecord(np.ones(last.size), np.zeros(last.size), count, eps, centred=False)


def _entries(tensors: Sequence[Tensor], tensor: Tensor, value: Value) -> tuple[int, np.ndarray]:
    """Return which tensor an operand is, and its entries in the operand's order."""
    starts = np.cumsum([0, *(tensors[number].size for number in tensor.reads)])
    k = int(np.searchsorted(starts, value.rows.columns[0], side="right")) - 1
    return tensor.reads[k], value.rows.columns - starts[k]


def _behind(tensors: Sequence[Tensor], number: int, operator: str) -> int:
    """Return what a function of entries is applied to, -1 where it is another function."""
    tensor = tensors[number] if number >= 0 else None
    return tensor.reads[0] if tensor is not None and tensor.operator == operator else -1


def _mean_of_squares(tensors: Sequence[Tensor], number: int, source: int) -> tuple[int, float] | None:
    """Return how many squares of a tensor one behind the other have a mean, and what is added to it."""
    if number < 0 or tensors[number].kind != "affine":
        return None
    value, reads = tensors[number].value, tensors[number].reads
    while len(reads) == 1 and tensors[reads[0]].kind == "affine":
        inner = tensors[reads[0]]
        value, reads = inner.value.mapped(value.rows, value.offset, value.shape), inner.reads
    if len(reads) != 1 or not _is_square(tensors[reads[0]], source):
        return None
    rows, count = value.rows, len(value.rows.values) // value.rows.m
    fits = rows.n == rows.m * count and np.array_equal(rows.starts, np.arange(0, rows.n + 1, count))
    mean = fits and np.array_equal(rows.columns, np.arange(rows.n)) and (rows.values == 1 / count).all()
    same = (value.offset == value.offset[0]).all() and value.offset[0] >= 0
    return (count, float(value.offset[0])) if mean and same else None


def _is_square(tensor: Tensor, source: int) -> bool:
    """Say whether a tensor holds the squares of the entries of another, in their order."""
    if tensor.reads != (source,) or tensor.operator not in {"Mul", "Pow"}:
        return False
    values = [v for v in tensor.operands if isinstance(v, Value)]
    plain = all(np.array_equal(v.rows.columns, np.arange(v.rows.n)) for v in values)
    if tensor.operator == "Mul":
        return plain and len(values) == 2
    power = tensor.operands[1]
    return plain and len(values) == 1 and isinstance(power, np.ndarray) and bool((power == 2).all())
