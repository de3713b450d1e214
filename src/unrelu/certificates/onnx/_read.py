"""The layers of a chain in an ONNX file, read without the onnx package and without torch."""

from __future__ import annotations

import os

from unrelu.certificates._layer_record import RecordChain
from unrelu.certificates.onnx._applied import applied
from unrelu.certificates.onnx._model import Node, read_model
from unrelu.certificates.onnx._operators import Operand, known_options
from unrelu.certificates.onnx._values import Value
from unrelu.errors import ModelError


def read_onnx(path: str | os.PathLike[str]) -> RecordChain:
    """Read the layers of a chain of affine maps and ReLUs: an independent reading of the model.

    Args:
        path: The file. Constants are inside it; the operators are MatMul, Gemm, Conv, sums,
            products with constants, means, Relu, and those that move, take and join entries.

    Returns:
        Layers in order, by the name of their ReLU node; an affine map behind the last ReLU by the name of the
        model's output. Their numbers are the model's own, in float64; a bias into which constants had to be
        folded is rounded once, and the record is then not ``exact`` unless nothing was lost.

    Raises:
        ModelError: If the file is damaged, or a node is not understood; the message names it.
    """
    model = read_model(path)
    tensors: dict[str, Operand] = {**model.constants, model.input_name: Value.activation(model.shape)}
    layers = RecordChain()
    current = model.input_name
    for node in model.nodes:
        missing = [name for name in node.inputs if name and name not in tensors]
        if missing:
            raise node.refuse(f"input {missing[0]!r} comes from another branch, or is not there")
        operands = [tensors[name] if name else None for name in node.inputs]
        if node.operator == "Relu":
            value, found = _relu(node, operands)
            layers[node.name] = value.record(node.name)
            # What came before a ReLU must not be used behind it: the chain has no branches.
            tensors = {k: v for k, v in tensors.items() if not isinstance(v, Value)}
        else:
            found = applied(node, operands)
        tensors[node.outputs[0]] = found
        current = node.outputs[0]
    last = tensors.get(model.output_name)
    if not isinstance(last, Value) or current != model.output_name:
        raise ModelError(f"{os.fspath(path)}: the output {model.output_name!r} is not that of the last node")
    if not last.plain or last.offset.any():
        layers[model.output_name] = last.record(model.output_name)
        layers.affine_end = True
    return layers


def _relu(node: Node, operands: list[Operand | None]) -> tuple[Value, Operand]:
    known_options(node)
    value = operands[0] if operands else None
    if not isinstance(value, Value):
        raise node.refuse("it must act on a tensor that depends on the model's input")
    return value, Value.activation(value.shape)
