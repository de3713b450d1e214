"""A network against onnxruntime, and the account of its nodes."""

from pathlib import Path

import numpy as np
import onnx
import torch

from tests.layers.from_onnx.models import evaluate, numbers
from unrelu.layers import Network, trace

INPUTS = {"input", "x:0", "0", "input.1"}  # of the real models


def samples(network: Network, positive: bool = False) -> np.ndarray:
    x = numbers(3, *network.input_shape, seed=7)
    return np.abs(x) + np.float32(0.1) if positive else x


def check(path: Path, positive: bool = False) -> Network:
    """Compare a network with onnxruntime and account for all of its nodes."""
    network = trace(path)
    x = samples(network, positive)
    source = next(entry for entry in onnx.load(path).graph.input if entry.name in {"x", *INPUTS})
    shape = [dim.dim_value for dim in source.type.tensor_type.shape.dim]
    if shape[0]:
        expected = np.stack([evaluate(path, sample.reshape(shape)) for sample in x])
    else:
        expected = evaluate(path, x)
    got = network.forward(x)
    assert got.shape == (3, *network.output_shape)
    assert np.abs(got - expected.reshape(got.shape)).max() <= 1e-5 * np.abs(expected).max()
    check_layers(network, x)
    check_accounts(network, path)
    return network


def check_layers(network: Network, x: np.ndarray) -> None:
    """Every layer takes its samples in its own shape."""
    for layer, before in network.walk(x):
        shaped = layer.apply(before.reshape(-1, *layer.in_shape))
        assert shaped.shape == (3, *(layer.out_shape if len(layer.in_shape) > 1 else (layer.m,)))
        assert torch.equal(shaped.reshape(3, -1), layer.apply(before))


def check_accounts(network: Network, path: Path) -> None:
    """Every node is in a layer or skipped; only nodes that make constants are in neither."""
    layered = {node for nodes in network.nodes.values() for node in nodes}
    skipped = [entry.node for entry in network.skipped if entry.operator != "initializer"]
    assert len(skipped) == len(set(skipped))
    assert not layered.intersection(skipped)
    depends = dependent(path)
    assert len(layered) + len(skipped) == len(depends)
    assert {node.name for node in depends if node.name} <= layered.union(skipped)


def dependent(path: Path) -> list[onnx.NodeProto]:
    """Return the nodes of a file whose result depends on more of its input than the shape."""
    graph = onnx.load(path).graph
    tensors = {entry.name for entry in graph.input} - {entry.name for entry in graph.initializer}
    nodes = []
    for node in graph.node:
        if tensors.intersection(node.input) and node.op_type not in {"Shape", "Size"}:
            tensors.update(node.output)
            nodes.append(node)
    return nodes
