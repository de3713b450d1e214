"""The tensors of an ONNX file as a graph: each an affine map, or a function, of those that its node reads."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from unrelu.certificates._rows import Rows
from unrelu.certificates.onnx._applied import applied, guarded, is_affine
from unrelu.certificates.onnx._arithmetic import batch_norm
from unrelu.certificates.onnx._functions import FUNCTIONS, Function, opaque
from unrelu.certificates.onnx._model import Node, read_model
from unrelu.certificates.onnx._operators import Operand, value_operand
from unrelu.certificates.onnx._rms import rms_norm
from unrelu.certificates.onnx._tensors import Tensor
from unrelu.certificates.onnx._values import Value
from unrelu.errors import ModelError


@dataclass(frozen=True)
class _View:
    """A tensor in a shape."""

    number: int
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """The tensors of a model; those that only reshape another are no tensors of their own.

    Attributes:
        tensors: The input first, and each behind those that it reads.
        output: Number of the model's output.
    """

    tensors: list[Tensor]
    output: int


def read_graph(path: str | os.PathLike[str]) -> Graph:
    """Read the tensors of a model.

    Raises:
        ModelError: If the file is damaged, or a node is not understood; the message names it.
    """
    model = read_model(path)
    source = Value.activation(model.shape)
    graph = Graph([Tensor(model.input_name, "input", (), source, len(source.offset))], 0)
    known: dict[str, np.ndarray | _View] = {**model.constants, model.input_name: _View(0, model.shape)}
    for node in model.nodes:
        missing = [name for name in node.inputs if name and name not in known]
        if missing:
            raise node.refuse(f"input {missing[0]!r} is not there")
        known[node.outputs[0]] = _computed(graph, node, [known[n] if n else None for n in node.inputs])
    output = known.get(model.output_name)
    if not isinstance(output, _View):
        raise ModelError(f"{os.fspath(path)}: the output {model.output_name!r} does not depend on the input")
    return Graph(graph.tensors, output.number)


def _computed(graph: Graph, node: Node, inputs: list[np.ndarray | _View | None]) -> np.ndarray | _View:
    """Add what a node computes to the graph."""
    reads = tuple(dict.fromkeys(view.number for view in inputs if isinstance(view, _View)))
    operands = _operands(graph, reads, inputs)
    if node.operator != "BatchNormalization":
        found = _function(node, operands) if reads else applied(node, operands)
        return found if isinstance(found, np.ndarray) else _added(graph, node, reads, found, operands)
    value = value_operand(node, operands)
    view = _View(reads[0], value.shape)
    for stage in guarded(batch_norm, node, operands):
        view = _added(graph, node, (view.number,), stage(_entries(view, 0, len(value.offset))))
    return view


def _added(
    graph: Graph,
    node: Node,
    reads: tuple[int, ...],
    found: Value | Function,
    operands: Sequence[Operand | None] = (),
) -> _View:
    """Add a function of tensors to the graph, unless it is one of them in another shape."""
    if isinstance(found, Value):
        if len(reads) == 1 and _is_identity(found):
            return _View(reads[0], found.shape)
        found = Function("affine", found, found.shape)
    size, special = math.prod(found.shape), (found.groups, found.norm, found.function)
    made = Tensor(node.name, found.kind, reads, found.value, size, *special)
    graph.tensors.append(_recognised(graph, node, made, operands) if found.kind == "opaque" else made)
    return _View(len(graph.tensors) - 1, found.shape)


def _recognised(graph: Graph, node: Node, made: Tensor, operands: Sequence[Operand | None]) -> Tensor:
    """Return an opaque function as the normalisation that it may be."""
    made = replace(made, operator=node.operator, operands=tuple(operands))
    found = rms_norm(graph.tensors, made)
    if found is None:
        return made
    number, norm = found
    source = _entries(_View(number, (made.size,)), 0, made.size)
    return Tensor(node.name, "normalised", (number,), source, made.size, norm=norm)


def _operands(
    graph: Graph, reads: tuple[int, ...], inputs: list[np.ndarray | _View | None]
) -> list[Operand | None]:
    """Return inputs as functions of the tensors that are read, one behind the other."""
    sizes = [graph.tensors[number].size for number in reads]
    starts, n = dict(zip(reads, accumulate(sizes, initial=0), strict=False)), sum(sizes)
    return [_entries(one, starts[one.number], n) if isinstance(one, _View) else one for one in inputs]


def _entries(view: _View, start: int, n: int) -> Value:
    count = math.prod(view.shape)
    rows = Rows(n, np.arange(count + 1), start + np.arange(count), np.ones(count))
    return Value(view.shape, rows, np.zeros(count))


def _function(node: Node, operands: list[Operand | None]) -> Operand | Function:
    """Return what a node computes of tensors that depend on the model's input.

    Raises:
        ModelError: If the operator, an option or an input is not understood.
    """
    if node.operator in FUNCTIONS or not is_affine(node, operands):
        return guarded(FUNCTIONS.get(node.operator, opaque), node, operands)
    return applied(node, operands)


def _is_identity(value: Value) -> bool:
    rows = value.rows
    if rows.m != rows.n or len(rows.values) != rows.n or value.offset.any():
        return False
    return bool((rows.numbers == rows.columns).all() and (rows.values == 1).all())
