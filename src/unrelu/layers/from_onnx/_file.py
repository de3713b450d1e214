"""ONNX files as data: loaded, checked and reduced to what an importer walks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unrelu.errors import MissingExtraError, ModelError
from unrelu.layers._messages import first_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import ModuleType

FLOATS = ("FLOAT", "DOUBLE", "FLOAT16", "BFLOAT16")
_INTEGERS = {
    "INT8": torch.int8,
    "INT16": torch.int16,
    "INT32": torch.int32,
    "INT64": torch.int64,
    "UINT8": torch.uint8,
    "BOOL": torch.bool,
}
_OLDEST_OPSET = 7  # before it, operands were broadcast by an attribute
MAX_ENTRIES = 2**28  # 2 GiB of float64: a file that asks for more is not followed


@dataclass(frozen=True)
class FileNode:
    """A node as the file has it, under a name of its own.

    Attributes:
        name: Unique name.
        proto: The node in the file.
    """

    name: str
    proto: Any

    @property
    def inputs(self) -> tuple[str, ...]:
        """Names of the tensors it reads, empty for an omitted one."""
        return tuple(self.proto.input)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the tensors it writes, empty for an omitted one."""
        return tuple(self.proto.output)


@dataclass(frozen=True)
class FileGraph:
    """A checked graph with one input.

    Attributes:
        opset: Version of the operators' definitions.
        input_name: Name of the one input that is not an initializer.
        input_shape: Its shape at batch size 1.
        outputs: Names of the outputs.
        nodes: Nodes in an order in which every tensor is written before it is read.
        initializers: Stored tensors by name.
    """

    opset: int
    input_name: str
    input_shape: tuple[int, ...]
    outputs: tuple[str, ...]
    nodes: tuple[FileNode, ...]
    initializers: Mapping[str, Any]


def read_graph(path: Path) -> FileGraph:
    """Load and check a file.

    Raises:
        MissingExtraError: If the ``onnx`` package is not installed.
        ModelError: If the file is no valid ONNX model, or its graph has not exactly one input.
    """
    model = _load(path)
    graph = model.graph
    if graph.sparse_initializer:
        names = ", ".join(repr(tensor.values.name) for tensor in graph.sparse_initializer)
        raise ModelError(f"sparse initializers are not supported: {names}")
    initializers = {tensor.name: tensor for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in initializers]
    if len(inputs) != 1:
        names = ", ".join(repr(entry.name) for entry in inputs) or "none"
        raise ModelError(f"expected exactly one input that is not an initializer, got {names}")
    if not graph.output:
        raise ModelError("the graph has no output")
    return FileGraph(
        opset=_opset(model),
        input_name=inputs[0].name,
        input_shape=_input_shape(inputs[0]),
        outputs=tuple(entry.name for entry in graph.output),
        nodes=named_nodes(graph.node, {"input", inputs[0].name}),
        initializers=initializers,
    )


def onnx_package() -> ModuleType:
    """Return the ``onnx`` package, which only files in that format need."""
    try:
        import onnx
    except ImportError as error:
        raise MissingExtraError("ONNX models need the onnx package: pip install 'unrelu[onnx]'") from error
    return onnx


def _load(path: Path) -> Any:
    onnx = onnx_package()

    # protobuf, onnx and numpy each raise errors of their own, RuntimeError among them.
    try:
        model = onnx.load(path, format="protobuf")
    except Exception as error:
        raise ModelError(f"not a readable ONNX model ({first_line(error)})") from error
    # By path, because a model in memory is limited to 2 GiB.
    try:
        onnx.checker.check_model(str(path))
    except Exception as error:
        raise ModelError(f"not a valid ONNX model ({first_line(error)})") from error
    return model


def _opset(model: Any) -> int:
    opset = max((entry.version for entry in model.opset_import if is_standard(entry.domain)), default=0)
    if opset < _OLDEST_OPSET:
        raise ModelError(f"expected operators of opset {_OLDEST_OPSET} or later, got opset {opset}")
    return opset


def is_standard(domain: str) -> bool:
    """Whether operators of a domain are those of the ONNX standard."""
    return domain in {"", "ai.onnx"}


def _input_shape(entry: Any) -> tuple[int, ...]:
    """Return an input's shape with an unknown first axis, the batch, set to 1."""
    if not entry.type.HasField("tensor_type"):
        raise ModelError(f"input {entry.name!r}: expected a tensor")
    tensor = entry.type.tensor_type
    kind, _ = type_of(tensor.elem_type)
    if kind not in FLOATS:
        raise ModelError(f"input {entry.name!r}: expected floating-point numbers, got {kind}")
    if not tensor.HasField("shape"):
        raise ModelError(f"input {entry.name!r}: the model does not say its shape")
    lengths = [dim.dim_value for dim in tensor.shape.dim]
    for axis, length in enumerate(lengths[1:], start=1):
        if length < 1:
            symbol = tensor.shape.dim[axis].dim_param or "unknown"
            raise ModelError(f"input {entry.name!r}: the length of axis {axis} is not fixed ({symbol})")
    shape = tuple(length if length > 0 else 1 for length in lengths)
    check_size(shape, f"input {entry.name!r}")
    return shape


def check_size(shape: Iterable[int], what: str) -> None:
    """Refuse a tensor that would not fit into memory before it is made.

    Raises:
        ModelError: If it has more than `MAX_ENTRIES` entries.
    """
    size = 1
    for length in shape:
        size *= int(length)
    if size > MAX_ENTRIES:
        raise ModelError(f"{what}: expected at most {MAX_ENTRIES} entries, got {size}")


def named_nodes(nodes: Iterable[Any], taken: set[str]) -> tuple[FileNode, ...]:
    """Give every node a name of its own; names in the file come first."""
    nodes = list(nodes)
    taken = set(taken)
    names: list[str] = []
    for node in nodes:
        names.append(free_name(node.name, taken) if node.name else "")
        taken.add(names[-1])
    counts: dict[str, int] = {}
    for position, node in enumerate(nodes):
        operator = node.op_type.lower()
        number = counts.get(operator, 0)
        counts[operator] = number + 1
        if not names[position]:
            names[position] = free_name(f"{operator}_{number}", taken)
            taken.add(names[position])
    return tuple(FileNode(name, node) for name, node in zip(names, nodes, strict=True))


def free_name(name: str, taken: set[str]) -> str:
    """Return ``name``, or the first of ``name_1``, ``name_2``, ... that is not taken."""
    number, candidate = 0, name
    while candidate in taken:
        number += 1
        candidate = f"{name}_{number}"
    return candidate


def tensor_of(proto: Any) -> torch.Tensor:
    """Return a stored tensor: floats as an exact copy in float64, integers and booleans in their own type.

    Raises:
        ModelError: If it has another type, or its data does not fit its shape.
    """
    onnx = onnx_package()

    kind, _ = type_of(proto.data_type)
    if kind not in FLOATS and kind not in _INTEGERS:
        raise ModelError(f"the tensor {proto.name!r} has the unsupported type {kind}")
    check_size(proto.dims, f"the tensor {proto.name!r}")
    try:
        array = np.asarray(onnx.numpy_helper.to_array(proto))
    except Exception as error:
        raise ModelError(f"the tensor {proto.name!r} cannot be read ({first_line(error)})") from error
    with np.errstate(invalid="ignore"):  # of NaN, which is refused where it is read
        array = np.array(array, dtype=np.float64 if kind in FLOATS else array.dtype, order="C")
    return torch.from_numpy(array)


def attributes_of(proto: Any) -> dict[str, Any]:
    """Return a node's attributes as numbers, strings, lists and tensors.

    Raises:
        ModelError: If one of them holds a graph: control flow.
    """
    onnx = onnx_package()

    attributes: dict[str, Any] = {}
    for entry in proto.attribute:
        value = onnx.helper.get_attribute_value(entry)
        if isinstance(value, onnx.TensorProto):
            value = tensor_of(value)
        elif isinstance(value, bytes):
            value = value.decode("utf-8", errors="replace")
        elif not isinstance(value, int | float) and entry.type not in {
            onnx.AttributeProto.INTS,
            onnx.AttributeProto.FLOATS,
        }:
            kind = onnx.AttributeProto.AttributeType.Name(entry.type).lower()
            raise ModelError(f"the attribute {entry.name!r} of kind {kind} is not supported")
        attributes[entry.name] = list(value) if isinstance(value, list | tuple) else value
    return attributes


def type_of(number: int) -> tuple[str, torch.dtype | None]:
    """Return an element type's name, and the dtype that holds its numbers here, ``None`` if none does."""
    names = {value: name for name, value in onnx_package().TensorProto.DataType.items()}
    name = names.get(number, str(number))
    return name, torch.float64 if name in FLOATS else _INTEGERS.get(name)
