"""The walk over an exported graph that makes a `Network` of it."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import fx
from torch._decomp import get_decompositions

from unrelu.errors import ModelError
from unrelu.layers._converters import Converters
from unrelu.layers._graph import GraphBuilder, Skipped, Value
from unrelu.layers._messages import first_line
from unrelu.layers._network import Network
from unrelu.layers.from_torch import (
    _activations,
    _affine,
    _arithmetic,
    _normalisation,
    _pooling,
    _shape,
)
from unrelu.layers.from_torch._call import Call, Converter, convert_unknown, flat, target_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch.export import ExportedProgram

# The second is that of modules that compute their weight and keep it for evaluation.
_OWN_NAME = re.compile(r"\.(kept_)?weight$")

# Known as a whole, and not as what torch would make of them.
_KEPT = (
    torch.ops.aten._fused_rms_norm.default,
    torch.ops.aten.celu.default,
    torch.ops.aten.threshold.default,
)

CONVERTERS = Converters[Converter](
    _activations.CONVERTERS,
    _affine.CONVERTERS,
    _arithmetic.CONVERTERS,
    _normalisation.CONVERTERS,
    _pooling.CONVERTERS,
    _shape.CONVERTERS,
)


def read(program: ExportedProgram, origin: str) -> Network:
    """Read a captured module as its functional core-ATen graph, where nothing happens in place.

    Raises:
        ModelError: If it has several inputs or outputs, or a node cannot be read.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations, not the caller's business
        table = torch.export.default_decompositions()
        table.update(get_decompositions([torch.ops.aten.upsample_bilinear2d.vec]))
        for kept in _KEPT:
            table.pop(kept, None)
        program = program.run_decompositions(table)
    walk = Walk(program, origin)
    return Network(walk.build, *walk.run(), origin)


class Walk:
    """One pass over the nodes, in order."""

    def __init__(self, program: ExportedProgram, origin: str) -> None:
        """Take a decomposed program and what to call it in messages."""
        self.program, self.origin = program, origin
        self.build = GraphBuilder()
        self.values: dict[fx.Node, Any] = {}
        signature = program.graph_signature
        stored = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        # Names of stored tensors, and of what is computed from one of them alone.
        self.names = {n: stored[n.name] for n in program.graph.nodes if n.name in stored}

    def run(self) -> tuple[Value, Value]:
        """Convert every node, and account for what no node reads.

        Returns:
            The network's input and its output.
        """
        source = output = None
        for node in self.program.graph.nodes:
            if node in self.names:
                self.values[node] = self._stored(self.names[node])
            elif node.op == "placeholder":
                if source is not None:
                    raise ModelError(f"{self.origin}: expected one input, got also {node.name!r}")
                source = self.values[node] = self.build.input(tuple(node.meta["val"].shape))
            elif node.op == "call_function":
                self.values[node] = self._convert(node)
            elif node.op == "output":
                output = self._output(node)
        if source is None or output is None:
            raise ModelError(f"{self.origin}: the module reads no input")
        self._skip_unread(output)
        return source, output

    def _tensor(self, name: str) -> torch.Tensor:
        stored = self.program.state_dict.get(name)
        return (self.program.constants[name] if stored is None else stored).detach()

    def _stored(self, name: str) -> torch.Tensor:
        """Return a copy of a parameter, buffer or constant; buffers may be infinite, as masks are."""
        tensor = self._tensor(name)
        is_parameter = name in self.program.graph_signature.parameters
        if bool(tensor.isnan().any()) or (is_parameter and not bool(tensor.isfinite().all())):
            kind = "parameter" if is_parameter else "buffer"
            raise ModelError(f"{kind} {name!r}: expected finite numbers, got NaN or infinite entries")
        return tensor.to("cpu", copy=True)

    def _convert(self, node: fx.Node) -> Any:
        """Return what a node computes: a constant, a `Value`, or several of these by position."""
        try:
            if not any(isinstance(self.values[n], Value | dict) for n in node.all_input_nodes):
                return self._constant(node)
            args, kwargs = self._arguments(node, _double)
            call = Call(self.build, node, args, kwargs, (node.name, _operator(node)), self._owner(node))
            if any(isinstance(a, torch.Tensor) and not bool(a.isfinite().all()) for a in flat(args)):
                return convert_unknown(call, "meets numbers that are not finite")
            return CONVERTERS.get(str(node.target), convert_unknown)(call)
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"node {node.name!r} ({_operator(node)}): {first_line(error)}") from error

    def _arguments(self, node: fx.Node, convert: Callable[[Any], Any]) -> tuple[Any, Any]:
        """Return a node's arguments with the values in place of nodes."""
        return (
            fx.node.map_arg(node.args, lambda n: convert(self.values[n])),
            fx.node.map_arg(node.kwargs, lambda n: convert(self.values[n])),
        )

    def _constant(self, node: fx.Node) -> Any:
        """Evaluate a node that depends on no activation, in the module's dtype and with its rounding."""
        names = {self.names[n] for n in node.all_input_nodes if n in self.names}
        if len(names) == 1:
            self.names[node] = names.pop()
        args, kwargs = self._arguments(node, lambda value: value)
        if "device" in kwargs:
            kwargs = {**kwargs, "device": torch.device("cpu")}
        result = target_of(node)(*args, **kwargs)
        # Memory without content is overwritten later on; until then it must be finite.
        return torch.zeros_like(result) if "empty" in _operator(node) else result

    def _owner(self, node: fx.Node) -> str | None:
        """Return the name of the weight that a node applies: its module's, or its own inside a module.

        A weight that belongs to another module (tied weights) goes by the module that makes the call.
        """
        stack = list((node.meta.get("nn_module_stack") or {}).values())
        path = str(stack[-1][0]).split("@")[0] if stack else ""
        weights = [n for n in node.all_input_nodes if n in self.names]
        matrices = [n for n in weights if len(getattr(self.values[n], "shape", ())) > 1]
        if matrices:
            name = _OWN_NAME.sub("", self.names[matrices[0]].split(".parametrizations.")[0])
            if not path or f"{name}.".startswith(f"{path}."):
                return name
        return path or None

    def _output(self, node: fx.Node) -> Value:
        results = [self.values[n] for n in node.all_input_nodes if isinstance(self.values[n], Value)]
        if len(results) != 1:
            raise ModelError(
                f"{self.origin}: expected one output that depends on the input, got {len(results)}"
            )
        return results[0]

    def _skip_unread(self, output: Value) -> None:
        """List nodes and parameters on which the output does not depend."""
        values = [output, *(value for step in self.build.steps for value in step.inputs)]
        covered = {name for value in values for name, _ in value.nodes}
        covered |= {step.name for step in self.build.steps} | {entry.node for entry in self.build.skipped}
        for node in self.program.graph.nodes:
            uncovered = node.op == "call_function" and node.name not in covered
            if uncovered and isinstance(self.values[node], Value | dict):
                why = "at most the shape of its result is used" if node.users else "nothing reads its result"
                self.build.skipped.append(Skipped(node.name, _operator(node), why))
        self._skip_parameters()

    def _skip_parameters(self) -> None:
        """List parameters that no node reads; of the names of tied parameters one is read."""
        names = self.program.graph_signature.inputs_to_parameters
        stored = [n for n in self.program.graph.nodes if n.op == "placeholder" and n in self.names]
        read = {self._tensor(self.names[node]).data_ptr() for node in stored if node.users}
        for node in stored:
            if node.name in names and self._tensor(names[node.name]).data_ptr() not in read:
                self.build.skipped.append(Skipped(names[node.name], "parameter", "no node reads it"))


def _operator(node: fx.Node) -> str:
    return str(node.target).removeprefix("aten.").split(".")[0]


def _double(value: Any) -> Any:
    return value.double() if isinstance(value, torch.Tensor) and value.is_floating_point() else value
