"""The shapes that an ONNX file itself gives to its input and output."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unrelu.errors import ModelError
from unrelu.layers._messages import first_line
from unrelu.layers.from_onnx._file import onnx_package

if TYPE_CHECKING:
    import os


def declared_shapes(path: str | os.PathLike[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of a file's one input and one output, axes of open length set to 1.

    Args:
        path: The file; weights beside it are not read.

    Raises:
        MissingExtraError: If the ``onnx`` package is not installed.
        ModelError: If the file is no ONNX model, or has another number of inputs or outputs.
    """
    onnx = onnx_package()
    try:
        graph = onnx.load(Path(path), format="protobuf", load_external_data=False).graph
    except Exception as error:  # protobuf, onnx and the operating system each raise errors of their own
        raise ModelError(f"{path}: not a readable ONNX model ({first_line(error)})") from error
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in constants]
    if len(inputs) != 1 or len(graph.output) != 1:
        counts = f"{len(inputs)} and {len(graph.output)}"
        raise ModelError(f"{path}: expected one input and one output, got {counts}")
    first, last = (
        tuple(max(dim.dim_value, 1) for dim in entry.type.tensor_type.shape.dim)
        for entry in (inputs[0], graph.output[0])
    )
    return first, last
