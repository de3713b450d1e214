"""What is needed of an ONNX file: nodes, constants, the input and the output."""

from __future__ import annotations

import math
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from unrelu.certificates.onnx._wire import Field, blobs, integers, message, signed, single, text
from unrelu.errors import ModelError

MOST_ENTRIES = 1 << 27  # of a tensor, or of a matrix without its zeros
# number in TensorProto.DataType -> dtype of raw data, field that holds the numbers otherwise
_TYPES = {1: ("<f4", 4), 6: ("<i4", 5), 7: ("<i8", 7), 11: ("<f8", 10)}


@dataclass(frozen=True)
class Node:
    """One operation.

    Attributes:
        name: Its name, or its type and a number where it has none.
        operator: Its type.
        inputs: Names of tensors, empty for omitted ones.
        outputs: Names of tensors.
        options: Attributes: integers, numbers, strings, lists of integers and tensors.
    """

    name: str
    operator: str
    inputs: list[str]
    outputs: list[str]
    options: dict[str, int | float | str | list[int] | np.ndarray] = field(default_factory=dict)

    def refuse(self, reason: str) -> ModelError:
        """Return the error that names the node."""
        return ModelError(f"node {self.name!r} ({self.operator}): {reason}")


@dataclass(frozen=True)
class Model:
    """A graph.

    Attributes:
        nodes: In order of evaluation.
        constants: By name.
        input_name: Of the one input.
        shape: Its shape; a batch axis without a number counts as 1.
        output_name: Of the one output.
    """

    nodes: list[Node]
    constants: dict[str, np.ndarray]
    input_name: str
    shape: tuple[int, ...]
    output_name: str


def read_model(path: str | os.PathLike[str]) -> Model:
    """Read a file.

    Raises:
        ModelError: If it is damaged, or holds what is not understood here.
    """
    name = os.fspath(path)
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise ModelError(f"{name}: cannot be read: {error.strerror}") from None
    parts = message(content, name)
    if len(blobs(parts.get(7))) != 1:
        raise ModelError(f"{name}: not an ONNX model: it has no graph")
    graph = message(blobs(parts[7])[0], name)
    if graph.get(15) or parts.get(25):
        raise ModelError(f"{name}: sparse constants and model-local functions are not read here")
    constants = dict(_tensor(each, name) for each in blobs(graph.get(5)))
    inputs = dict(_input(each, name) for each in blobs(graph.get(11)))
    inputs = {key: shape for key, shape in inputs.items() if key not in constants}
    outputs = [text(message(each, name).get(1)) for each in blobs(graph.get(12))]
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelError(f"{name}: expected one input and one output, got {len(inputs)} and {len(outputs)}")
    ((input_name, shape),) = inputs.items()
    nodes = _nodes(blobs(graph.get(1)), input_name, name)
    return Model(nodes, constants, input_name, shape, outputs[0])


def _input(content: bytes, where: str) -> tuple[str, tuple[int, ...]]:
    parts = message(content, where)
    name = text(parts.get(1))
    inner = parts
    for number in (2, 1, 2):  # type, tensor type, shape
        inner = message(b"".join(blobs(inner.get(number))), where)
    sizes = [message(each, where).get(1) for each in blobs(inner.get(1))]
    shape = [signed(size[-1]) if size else 0 for size in sizes]
    if shape and shape[0] < 1:
        shape[0] = 1
    if math.prod(shape) > MOST_ENTRIES:
        raise ModelError(f"{where}: input {name!r}: {shape} is too large")
    if any(size < 1 for size in shape):
        raise ModelError(f"{where}: input {name!r}: only the batch axis may be left open, got {shape}")
    return name, tuple(shape)


def _tensor(content: bytes, where: str) -> tuple[str, np.ndarray]:
    parts = message(content, where)
    name, dims = text(parts.get(8)), integers(parts.get(1, []), where)
    kind = signed(parts.get(2, [0])[-1])
    if kind not in _TYPES or parts.get(13) or parts.get(14, [0])[-1] or parts.get(3):
        raise ModelError(f"{where}: constant {name!r}: external data or data type {kind} is not read here")
    dtype, place = _TYPES[kind]
    values: np.ndarray
    if 9 in parts:
        values = _from_bytes(b"".join(blobs(parts[9])), dtype)
    elif kind in {1, 11}:
        values = _from_bytes(b"".join(blobs(parts.get(place))), dtype)
    else:
        values = np.array(integers(parts.get(place, []), where), dtype=np.int64)
    if any(size < 0 for size in dims) or len(values) != math.prod(dims):
        raise ModelError(f"{where}: constant {name!r}: {len(values)} numbers do not make a shape of {dims}")
    if not np.isfinite(values).all():
        raise ModelError(f"{where}: constant {name!r}: expected finite numbers")
    wide = values.astype(np.float64 if kind in {1, 11} else np.int64)
    return name, wide.reshape(dims)


def _from_bytes(content: bytes, dtype: str) -> np.ndarray:
    size = np.dtype(dtype).itemsize
    return np.frombuffer(content[: len(content) // size * size], dtype)


def _nodes(contents: list[bytes], input_name: str, where: str) -> list[Node]:
    """Return the nodes, each with a name of its own."""
    parts = [message(each, where) for each in contents]
    taken, names = {input_name}, []
    for each in parts:
        names.append(_free(text(each.get(3)), taken))
        taken.add(names[-1])
    counts: Counter[str] = Counter()
    for k, each in enumerate(parts):
        operator = text(each.get(4)).lower()
        if not names[k]:
            names[k] = _free(f"{operator}_{counts[operator]}", taken)
            taken.add(names[k])
        counts[operator] += 1
    return [_node(each, name, where) for each, name in zip(parts, names, strict=True)]


def _free(name: str, taken: set[str]) -> str:
    candidates = (name, *(f"{name}_{k}" for k in range(1, len(taken) + 1)))
    return next(candidate for candidate in candidates if not name or candidate not in taken)


def _node(parts: dict[int, list[Field]], name: str, where: str) -> Node:
    inputs, outputs = ([text([v]) for v in parts.get(number, [])] for number in (1, 2))
    node = Node(name, text(parts.get(4)), inputs, outputs)
    if text(parts.get(7)) not in {"", "ai.onnx"}:
        raise node.refuse(f"operators of domain {text(parts.get(7))!r} are not read here")
    if not outputs:
        raise node.refuse("it has no output")
    for each in blobs(parts.get(5)):
        key, value = _option(message(each, where), node, where)
        node.options[key] = value
    return node


def _option(
    parts: dict[int, list[Field]], node: Node, where: str
) -> tuple[str, int | float | str | list[int] | np.ndarray]:
    name = text(parts.get(1))
    kind = signed(parts.get(20, [0])[-1])
    if kind == 1:
        return name, single(parts.get(2, [b"\0\0\0\0"])[-1])
    if kind == 2:
        return name, signed(parts.get(3, [0])[-1])
    if kind == 3:
        return name, text(parts.get(4))
    if kind == 4 and blobs(parts.get(5)):
        return name, _tensor(blobs(parts[5])[0], where)[1]
    if kind == 7:
        return name, integers(parts.get(8, []), where)
    raise node.refuse(f"attribute {name!r} of type {kind} is not read here")
