"""Networks from torch modules and ``.pt2`` archives, read off the graph that `torch.export` captures."""

from __future__ import annotations

import copy
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import fx, nn

from unrelu.errors import ArgumentError, ModelError
from unrelu.layers._graph import GraphBuilder, Skipped, Value
from unrelu.layers._network import Network
from unrelu.layers._torch_operators import CONVERTERS, Call, convert_unknown

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_AGREEMENT = 1e-3  # relative, against the module in its own dtype; a misread node is off by far more


def network_from_module(module: nn.Module, example_input: Any) -> Network:
    """Capture a module in evaluation mode and read its graph.

    Raises:
        ArgumentError: If ``example_input`` is not a batch of numbers.
        ModelError: If the module cannot be captured, has several inputs, or a node cannot be read.
    """
    example = _example(module, example_input)
    was_training = [child for child in module.modules() if child.training]
    module.eval()
    try:
        with torch.no_grad():
            network = _read(_capture(module, example), type(module).__name__)
            _check_agreement(network, module, example)
    finally:
        for child in was_training:
            child.training = True
    return network


def network_from_archive(path: Any) -> Network:
    """Read a file written by ``torch.export.save`` without unpickling anything.

    Raises:
        ModelError: If the file is no such archive, holds anything but plain tensors, or a node cannot be read.
    """
    from unrelu.layers._pt2 import load_archive

    return _read(load_archive(path), path.name)


def _example(module: nn.Module, example_input: Any) -> torch.Tensor:
    if isinstance(example_input, tuple | list) and len(example_input) == 1:
        example_input = example_input[0]
    if not isinstance(example_input, torch.Tensor | np.ndarray):
        raise ArgumentError(
            f"example_input: expected one tensor or array with a batch axis, got {type(example_input).__name__}"
        )
    reference = next((p for p in module.parameters() if p.is_floating_point()), None)
    example = torch.as_tensor(example_input)
    if example.dim() < 1 or len(example) < 1:
        raise ArgumentError(f"example_input: expected at least one sample, got shape {tuple(example.shape)}")
    if reference is not None:
        example = example.to(device=reference.device, dtype=reference.dtype)
    return example[:1]


def _capture(module: nn.Module, example: torch.Tensor) -> ExportedProgram:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations, not the caller's business
            return torch.export.export(module, (example,), strict=False)
    except Exception as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        name = type(module).__name__
        raise ModelError(
            f"{name}: torch.export cannot capture it for an input of shape {tuple(example.shape)}: {first[0]}"
        ) from error


def _read(program: ExportedProgram, origin: str) -> Network:
    """Walk the functional core-ATen graph: in-place operators have become new tensors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = program.run_decompositions()
    build = GraphBuilder()
    values: dict[fx.Node, Any] = _constants(program)
    source: Value | None = None
    for node in program.graph.nodes:
        if node.op == "placeholder" and node not in values:
            if source is not None:
                raise ModelError(f"{origin}: expected one input, got also {node.name!r}")
            source = values[node] = build.input(tuple(node.meta["val"].shape))
        elif node.op == "call_function":
            values[node] = _convert(build, node, values)
        elif node.op == "output":
            output = _output(node, values, origin)
    if source is None:
        raise ModelError(f"{origin}: the module reads no input")
    build.skipped += [
        Skipped(node.name, _operator(node), "nothing reads its result")
        for node in program.graph.nodes
        if node.op == "call_function" and not node.users and isinstance(values[node], Value)
    ]
    build.skipped += _unread(program)
    return Network(build, source, output, origin)


def _constants(program: ExportedProgram) -> dict[fx.Node, torch.Tensor]:
    """Return parameters, buffers and lifted constants by their placeholder, floats in float64."""
    signature = program.graph_signature
    names = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
    lifted = signature.inputs_to_lifted_tensor_constants
    found = {}
    for node in program.graph.nodes:
        if node.op != "placeholder" or node.name not in {**names, **lifted}:
            continue
        name = names.get(node.name) or lifted[node.name]
        tensor = program.state_dict.get(name)
        tensor = program.constants[name] if tensor is None else tensor
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"parameter {name!r}: expected finite numbers, got NaN or infinite entries")
        found[node] = tensor.detach().cpu().double() if tensor.is_floating_point() else tensor.detach().cpu()
    return found


def _unread(program: ExportedProgram) -> list[Skipped]:
    """List parameters that no node reads."""
    names = program.graph_signature.inputs_to_parameters
    return [
        Skipped(names[node.name], "parameter", "no node reads it")
        for node in program.graph.nodes
        if node.op == "placeholder" and node.name in names and not node.users
    ]


def _convert(build: GraphBuilder, node: fx.Node, values: dict[fx.Node, Any]) -> Any:
    """Return what a node computes: a constant, a `Value`, or a tuple of these."""
    args = fx.node.map_arg(node.args, lambda n: values[n])
    kwargs = fx.node.map_arg(node.kwargs, lambda n: values[n])
    if not any(isinstance(values[n], Value | tuple | dict) for n in node.all_input_nodes):
        return node.target(*args, **kwargs)
    call = Call(build, node, args, kwargs, (node.name, _operator(node)), _owner(node))
    converter = CONVERTERS.get(str(node.target), convert_unknown)
    try:
        return converter(call)
    except ModelError:
        raise
    except Exception as error:
        first = str(error).strip().splitlines() or [type(error).__name__]
        raise ModelError(f"node {node.name!r} ({_operator(node)}): {first[0]}") from error


def _output(node: fx.Node, values: dict[fx.Node, Any], origin: str) -> Value:
    results = [values[n] for n in node.all_input_nodes if isinstance(values[n], Value)]
    if len(results) != 1:
        raise ModelError(f"{origin}: expected one output that depends on the input, got {len(results)}")
    return results[0]


def _operator(node: fx.Node) -> str:
    return str(node.target).removeprefix("aten.").split(".")[0]


def _owner(node: fx.Node) -> str | None:
    """Return the path of the module that made the call, ``None`` for the outermost module."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    path = str(stack[-1][0]) if stack else ""
    return path.split("@")[0] or None


def _check_agreement(network: Network, module: nn.Module, example: torch.Tensor) -> None:
    """Compare the composed layers with the module itself on the example.

    Raises:
        ModelError: If they disagree, which means that the graph was misread.
    """
    expected = copy.copy(module)(example)
    expected = expected[0] if isinstance(expected, tuple | list) else expected
    expected = next(iter(expected.values())) if isinstance(expected, dict) else expected
    got = network.forward(example.reshape(1, *network.input_shape).double().cpu())
    expected = expected.reshape(got.shape).double().cpu()
    scale = float(expected.abs().max())
    error = float((got - expected).abs().max())
    if not error <= _AGREEMENT * max(scale, 1e-30):
        raise ModelError(
            f"{network.origin}: the traced network differs from the module by {error:.2g} on the example input "
            f"(output size {scale:.2g}); please report this module"
        )
