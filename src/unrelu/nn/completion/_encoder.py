"""The part of a network up to a completed layer, which tells its input (Puthawala et al. 2022, Section 2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unrelu.certificates import (
    InjectivityCertificate,
    NetworkInjectivityCertificate,
    StructureCertificate,
    verify,
)
from unrelu.errors import ArgumentError
from unrelu.layers import Network
from unrelu.layers._graph import GraphBuilder
from unrelu.layers.from_onnx._file import named_nodes, onnx_package

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unrelu.certificates import Certificate
    from unrelu.layers import ReLULayer


def up_to(network: Network, layer: ReLULayer) -> Network:
    """Return the network whose output is that of one of its layers, all rows included."""
    build = GraphBuilder()
    source = build.input((1, *network.input_shape), network.input_name)
    names = [step.name for step in network.steps]
    last = names.index(layer.node)
    build.steps = list(network.steps[:last])
    step = network.steps[last]
    return Network(build, source, build.relu(step.inputs[0], step.name, step.operator), network.origin)


def onnx_up_to(model: Any, layer: ReLULayer) -> Any:
    """Return the part of an ONNX model whose output is that of a layer, all rows included.

    Args:
        model: An ``onnx.ModelProto``; it is left as it is.
        layer: A layer of the network that is traced from it.
    """
    onnx = onnx_package()
    part = onnx.shape_inference.infer_shapes(model)
    graph = part.graph
    taken = {"input"} | {entry.name for entry in graph.input} - {entry.name for entry in graph.initializer}
    (relu,) = [node for node in named_nodes(graph.node, taken) if node.name == layer.node]
    tensor = relu.outputs[0]
    needed, kept = {tensor}, list[Any]()
    for node in reversed(graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            kept.insert(0, node)
    end = [entry for entry in (*graph.value_info, *graph.output) if entry.name == tensor][:1]
    element = graph.output[0].type.tensor_type.elem_type
    _keep(graph.output, end or [onnx.helper.make_tensor_value_info(tensor, element, None)])
    _keep(graph.node, kept)
    for field in (graph.input, graph.initializer, graph.value_info):
        _keep(field, [entry for entry in field if entry.name in needed - {tensor}])
    onnx.checker.check_model(part)
    return part


def _keep(field: Any, entries: list[Any]) -> None:
    """Replace the entries of a repeated field."""
    copies = [type(entry).FromString(entry.SerializeToString()) for entry in entries]
    del field[:]
    field.extend(copies)


def composed(
    network: Network, proofs: Mapping[str, Certificate | None]
) -> NetworkInjectivityCertificate | None:
    """Return the proof that a chain of layers is injective, ``None`` if proofs of its layers do not make one.

    Args:
        network: The network.
        proofs: By the names of its layers.
    """
    try:
        chain = network.chain()
    except ArgumentError:
        return None
    known = [
        proof
        for layer in chain.layers
        if isinstance(proof := proofs.get(layer.name), InjectivityCertificate | StructureCertificate)
    ]
    if len(known) < len(chain.layers) or (chain.last is not None and chain.last.m < chain.last.n):
        return None
    found = NetworkInjectivityCertificate(tuple(known), chain.last_record())
    return found if verify(found, network).valid else None
