"""From an ONNX file to a `Network`: a walk over its nodes at batch size 1."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from unrelu.errors import MissingExtraError, ModelError
from unrelu.layers._converters import Converters
from unrelu.layers._graph import GraphBuilder, Skipped, Value
from unrelu.layers._messages import first_line
from unrelu.layers._network import Network
from unrelu.layers.from_onnx import (
    _activations,
    _affine,
    _arithmetic,
    _constants,
    _pooling,
    _resize,
    _shape,
)
from unrelu.layers.from_onnx._file import (
    FileGraph,
    FileNode,
    attributes_of,
    free_name,
    is_standard,
    read_graph,
    tensor_of,
)
from unrelu.layers.from_onnx._node import Converter, Operand, Operation
from unrelu.layers.from_onnx._patterns import Patterns
from unrelu.layers.from_onnx._precision import Precision

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

CONVERTERS = Converters[Converter](
    _activations.CONVERTERS,
    _affine.CONVERTERS,
    _arithmetic.CONVERTERS,
    _constants.CONVERTERS,
    _pooling.CONVERTERS,
    _resize.CONVERTERS,
    _shape.CONVERTERS,
)


def network_from_onnx(path: Path) -> Network:
    """Read a network; every node ends up in a layer, in ``skipped``, or in a constant.

    Args:
        path: The file. External data must lie in its folder.

    Raises:
        MissingExtraError: If the ``onnx`` package is not installed.
        ModelError: If the file is no valid model, or a node is unknown or has an unsupported option; the
            message names file and node.
    """
    try:
        walk = _Walk(read_graph(path))
        source, output = walk.run()
    except MissingExtraError:
        raise
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    return Network(walk.build, source, output, origin=path.name)


class _Walk:
    """One pass over the nodes, in order."""

    def __init__(self, graph: FileGraph) -> None:
        self.graph = graph
        self.build = GraphBuilder()
        self.tensors: dict[str, Operand] = {}
        self.owners: dict[str, str] = {}
        self.folded: set[str] = set()
        self._precision = Precision(graph.initializers)
        self._patterns = Patterns(graph.nodes)

    def run(self) -> tuple[Value, Value]:
        """Convert what the first output needs, and account for the rest.

        Returns:
            The network's input and its output.
        """
        graph = self.graph
        source = self.build.input(graph.input_shape)
        self.tensors[graph.input_name] = source
        needed = self._needed(graph.outputs[0])
        for node in graph.nodes:
            if node.name in needed:
                self._convert(node)
        output = self._fetch(graph.outputs[0], f"output {graph.outputs[0]!r}")
        if isinstance(output, torch.Tensor):
            raise ModelError(f"output {graph.outputs[0]!r} does not depend on the input")
        self._drop_unread(output)
        self._skip_unneeded(needed)
        self._skip_shape_only(output, needed)
        self._skip_initializers()
        return source, output

    def _needed(self, output: str) -> set[str]:
        """Return the names of the nodes that a tensor depends on."""
        wanted, needed = {output}, set()
        for node in reversed(self.graph.nodes):
            if wanted.intersection(node.outputs):
                needed.add(node.name)
                wanted.update(name for name in node.inputs if name)
        return needed

    def _drop_unread(self, output: Value) -> None:
        """Forget activations that became part of a function of several nodes, and that nothing else reads."""
        wanted = set(output.sources)
        for step in reversed(self.build.steps):
            if step.name in wanted:
                wanted.update(name for value in step.inputs for name in value.sources)
        self.build.steps = [step for step in self.build.steps if step.name in wanted]

    def _fetch(self, name: str, reader: str) -> Operand:
        """Return a tensor by name, reading an initializer when it is first asked for."""
        if name not in self.tensors:
            if name not in self.graph.initializers:
                raise ModelError(f"{reader}: no supported node writes the tensor {name!r}")
            self.tensors[name] = tensor_of(self.graph.initializers[name])
            if name.endswith(".weight"):
                self.owners[name] = name.removesuffix(".weight")
        return self.tensors[name]

    def _convert(self, node: FileNode) -> None:
        proto = node.proto
        if not is_standard(proto.domain):
            raise ModelError(
                f"node {node.name!r} has the operator {proto.op_type!r} of the domain {proto.domain!r}, "
                "which is not part of ONNX"
            )
        converter = _converter_of(proto.op_type, node.name)
        reader = f"node {node.name!r} ({proto.op_type})"
        try:
            op = self._operation(node, reader)
            pattern = self._patterns.rms_norm(node, self.tensors)
            result = converter(op) if pattern is None else _activations.normalised(op, *pattern)
            op.check_attributes()
            self._store(node, [result] if isinstance(result, Operand) else result)
        except ModelError as error:
            prefix = "" if str(error).startswith("node ") else f"{reader}: "
            raise ModelError(f"{prefix}{error}") from error
        except (ValueError, TypeError, LookupError, ArithmeticError, RuntimeError) as error:
            # What torch and Python say about shapes and options that do not fit.
            raise ModelError(f"{reader}: {first_line(error)}") from error

    def _operation(self, node: FileNode, reader: str) -> Operation:
        """Return the node together with its operands."""
        inputs = tuple(self._fetch(name, reader) if name else None for name in node.inputs)
        self._check_finite(node, inputs)
        return Operation(
            build=self.build,
            name=node.name,
            operator=node.proto.op_type,
            opset=self.graph.opset,
            inputs=inputs,
            owners=tuple(self.owners.get(name) for name in node.inputs),
            outputs=len([name for name in node.outputs if name]),
            attributes=attributes_of(node.proto),
        )

    def _check_finite(self, node: FileNode, inputs: Sequence[Operand | None]) -> None:
        """Refuse NaN everywhere, and infinities where they meet tensors of the network."""
        depends = any(isinstance(operand, Value) for operand in inputs)
        unbounded = node.proto.op_type == "Clip" or not depends
        for name, operand in zip(node.inputs, inputs, strict=True):
            if not isinstance(operand, torch.Tensor) or not operand.is_floating_point():
                continue
            bad = operand.isnan() if unbounded else ~operand.isfinite()
            if bool(bad.any()):
                kind = "initializer" if name in self.graph.initializers else "constant"
                raise ModelError(f"the {kind} {name!r} has {int(bad.sum())} NaN or infinite entries")

    def _store(self, node: FileNode, results: Iterable[Operand]) -> None:
        """Keep what a node computes; a result that depends on no activation is a constant."""
        folded = True
        for name, result in zip(node.outputs, results, strict=False):
            if isinstance(result, Value) and not result.terms:
                result = result.offset.reshape(result.shape)
            if isinstance(result, Value):
                folded = False
                if math.prod(result.shape) == 0:
                    raise ModelError(f"the result is empty, of shape {result.shape}")
                if not bool(result.offset.isfinite().all()):
                    raise ModelError("the result has NaN or infinite entries for every input")
            else:
                result = self._precision.rounded(node, name, result)
            self.tensors[name] = result
        if folded:
            self.folded.add(node.name)
            self._pass_owner(node)

    def _pass_owner(self, node: FileNode) -> None:
        """Keep the owner of a weight that is transposed, scaled or cast before it is used."""
        owners = {self.owners[name] for name in node.inputs if name in self.owners}
        if len(owners) == 1:
            self.owners.update(dict.fromkeys(node.outputs, owners.pop()))

    def _skip_unneeded(self, needed: set[str]) -> None:
        """List the nodes that the first output does not depend on."""
        others = {name: self._needed(name) for name in self.graph.outputs[1:]}
        read = {name for node in self.graph.nodes for name in node.inputs}
        for node in self.graph.nodes:
            if node.name not in needed:
                leads = ", ".join(repr(name) for name, nodes in others.items() if node.name in nodes)
                nowhere = (
                    "leads to no output" if read.intersection(node.outputs) else "nothing reads its result"
                )
                self._skip(node, f"leads only to output {leads}" if leads else nowhere)

    def _skip_shape_only(self, output: Value, needed: set[str]) -> None:
        """List the nodes of whose result nothing but the shape was read."""
        values = [output, *(value for step in self.build.steps for value in step.inputs)]
        covered = {name for value in values for name, _ in value.nodes}
        covered |= {step.name for step in self.build.steps} | {entry.node for entry in self.build.skipped}
        for node in self.graph.nodes:
            if node.name in needed and node.name not in covered | self.folded:
                self._skip(node, "no entry of its result is used, at most its shape")

    def _skip_initializers(self) -> None:
        """List the stored tensors that no node reads."""
        read = {name for node in self.graph.nodes for name in node.inputs} | set(self.graph.outputs)
        taken = {node.name for node in self.graph.nodes}
        for name in self.graph.initializers:
            if name not in read:
                entry = Skipped(free_name(name, taken), "initializer", "no node reads it")
                self.build.skipped.append(entry)

    def _skip(self, node: FileNode, reason: str) -> None:
        self.build.skipped.append(Skipped(node.name, node.proto.op_type, reason))


def _converter_of(operator: str, name: str) -> Converter:
    """Return the converter of an operator, or refuse the node ``name``."""
    if operator not in CONVERTERS:
        known = ", ".join(sorted(CONVERTERS))
        raise ModelError(f"node {name!r} has the unknown operator {operator!r}; known operators: {known}")
    return CONVERTERS[operator]
