"""Models built operator by operator, exported ones and real ones, against onnxruntime."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from tests.layers.onnx_cases import CASES, IMAGE, Case
from tests.layers.onnx_models import Graph, evaluate, integers, numbers, save
from unrelu.layers import Network, trace
from unrelu.layers._onnx_registry import converts

INPUTS = {"input", "x:0", "0", "input.1"}  # of the real models
REAL = (
    "ACASXU_run2a_1_1_batch_2000",
    "Convnet_avgpool",
    "cifar10_small",
    "mnist-net_256x2",
    "resnet_2b",
)


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


@pytest.mark.parametrize("case", CASES, ids=str)
def test_operator(case: Case, tmp_path: Path):
    graph = Graph(case.shape, case.opset)
    result = graph.add(case.operator, "x", *case.constants, name="node", outputs=case.outputs, **case.options)
    if case.outputs > 1:
        result = graph.add("Concat", *result[::-1], name="join", axis=1)
    output = graph.through_relus(result)
    network = check(save(graph.model(output), tmp_path), case.positive)
    skipped = {entry.node: entry for entry in network.skipped}
    if case.kind == "opaque":
        assert skipped["node"].operator == case.operator
        assert "affine" in skipped["node"].reason or "depend on the input" in skipped["node"].reason
    elif case.kind == "relu":
        assert network["node"].source == "input"
    else:
        assert network["positive"].source == network["negative"].source == "input"
        assert "node" in network.nodes["positive"]


def residual(graph: Graph) -> str:
    hidden = graph.add("Relu", graph.add("Conv", "x", numbers(3, 3, 3, 3), pads=[1, 1, 1, 1]))
    branch = graph.add("Conv", hidden, numbers(3, 3, 1, 1))
    return graph.add("Relu", graph.add("Add", branch, hidden))


def two_sources(graph: Graph) -> str:
    first = graph.add("Relu", "x")
    second = graph.add("Relu", graph.add("Conv", first, numbers(3, 3, 1, 1)))
    joined = graph.add("Concat", first, numbers(1, 2, 7, 8), second, "x", axis=1)
    return graph.add("Relu", graph.add("Sub", joined, graph.add("Mul", joined, np.float32(2))))


def products_of_values(graph: Graph) -> str:
    h = graph.add("Relu", "x")
    turned = graph.add("Transpose", h, perm=[0, 1, 3, 2])
    product = graph.add("MatMul", h, turned)
    gate = graph.add("Sigmoid", product)
    gated = graph.add("Mul", product, gate)
    quotient = graph.add("Div", gated, graph.add("Add", gate, np.float32(1)))
    inverse = graph.add("Div", np.float32(3), graph.add("Exp", quotient))
    return graph.add("Max", graph.add("Min", inverse, quotient), gate, np.float32(0.1))


def gemm_of_values(graph: Graph) -> str:
    h = graph.add("Relu", graph.add("Reshape", "x", integers(6, 28)))
    h = graph.add("Gemm", h, h, numbers(6), transB=1, alpha=0.5)
    h = graph.add("Gemm", h, h, h, beta=0.5, transA=1)
    return graph.add("Relu", graph.add("MatMul", h, numbers(6, 4)))


def weight_on_the_left(graph: Graph) -> str:
    h = graph.add("Relu", graph.add("MatMul", numbers(5, 7), "x"))
    h = graph.add("MatMul", numbers(3, 4, 5), h)
    h = graph.add("MatMul", numbers(4), h)
    return graph.add("MatMul", numbers(2, 3), graph.add("Relu", h))


def weight_on_the_left_of_a_vector(graph: Graph) -> str:
    h = graph.add("Reshape", "x", integers(-1))
    h = graph.add("Relu", graph.add("MatMul", numbers(5, 168), h))
    return graph.add(
        "Gemm", numbers(4, 5), graph.add("Reshape", h, integers(5, 1)), graph.add("MatMul", numbers(5), h)
    )


def bias_that_depends(graph: Graph) -> str:
    h = graph.add("Relu", graph.add("Flatten", "x"))
    small = graph.add("MatMul", h, numbers(168, 4))
    return graph.add("Relu", graph.add("Gemm", h, numbers(168, 4, seed=1), small, beta=2.0))


def computed_shapes(graph: Graph) -> str:
    """What exporters write for ``x.view(len(x), -1)`` and ``expand``."""
    h = graph.add("Relu", "x")
    shape = graph.add("Shape", h)
    batch = graph.add("Gather", shape, np.array(0), axis=0)
    rows = graph.add("Concat", graph.add("Unsqueeze", batch, integers(0)), integers(-1), axis=0)
    flat = graph.add("Reshape", h, rows)
    tail = graph.add("Slice", shape, integers(1), integers(4), integers(0))
    size = graph.add("ReduceProd", graph.add("Cast", tail, to=TensorProto.INT32), keepdims=0)
    count = graph.add("Cast", graph.add("Div", size, np.array(2, dtype=np.int32)), to=TensorProto.INT64)
    places = graph.add("Range", np.array(0), graph.add("Add", count, np.array(1)), np.array(2))
    h = graph.add("Gather", flat, places, axis=1)
    fill = graph.add(
        "ConstantOfShape", integers(2), value=helper.make_tensor("v", TensorProto.INT64, [1], [-1])
    )
    wanted = graph.add("Where", graph.add("Equal", fill, integers(-1, -1)), integers(1, 1), fill)
    h = graph.add("Expand", h, graph.add("Mul", wanted, integers(3, 1)))
    return graph.add(
        "Relu", graph.add("Sub", h, graph.add("Cast", graph.add("Size", "x"), to=TensorProto.FLOAT))
    )


def computed_weights(graph: Graph) -> str:
    scale = graph.add("Exp", numbers(4))
    weight = graph.add("Transpose", graph.add("Mul", numbers(5, 4), scale))
    weight = graph.add("Cast", graph.add("Cast", weight, to=TensorProto.DOUBLE), to=TensorProto.FLOAT)
    weight = graph.add("MatMul", graph.add("Softmax", numbers(168, 4)), weight)
    bias = graph.add("GlobalAveragePool", graph.add("Conv", numbers(1, 2, 4, 4), numbers(5, 2, 2, 2)))
    h = graph.add("Add", graph.add("MatMul", graph.add("Flatten", "x"), weight), graph.add("Flatten", bias))
    return graph.add("Relu", graph.add("Clip", h, graph.add("Neg", np.float32(np.inf))))


def constants_by_nodes(graph: Graph) -> str:
    h = graph.add("Add", "x", graph.add("Constant", value_float=0.5))
    h = graph.add("Mul", h, graph.add("Constant", value_floats=[1.0] * 8))
    value = helper.make_tensor("v", TensorProto.FLOAT, [1, 3, 1, 1], [1.0, 2.0, -1.0])
    h = graph.add("Mul", h, graph.add("Constant", value=value))
    h = graph.add("Reshape", h, graph.add("Constant", value_ints=[1, 3, 56]))
    h = graph.add("Squeeze", graph.add("Unsqueeze", h, graph.add("Constant", value_ints=[0])), integers(0))
    return graph.add("Relu", graph.add("Gather", h, graph.add("Constant", value_int=1), axis=1))


def patterns(graph: Graph) -> str:
    pattern = graph.add("And", graph.add("Less", numbers(7, 8), np.float32(0.5)), np.array(True))
    h = graph.add("Where", pattern, "x", numbers(1, 3, 1, 8))
    h = graph.add("Relu", h)
    return graph.add("Where", graph.add("Not", pattern), h, graph.add("Neg", h))


def pieces(graph: Graph) -> str:
    first, _, third = graph.add("Split", "x", integers(1, 1, 1), axis=1, outputs=3)
    other = graph.add("Relu", graph.add("Add", first, third))
    return graph.add(
        "Relu", graph.add("Concat", other, graph.add("MaxPool", third, kernel_shape=[1, 1]), axis=2)
    )


def half_precision(graph: Graph) -> str:
    h = graph.add("Cast", graph.add("Mul", "x", np.float32(0.3)), to=TensorProto.FLOAT16)
    h = graph.add("Cast", h, to=TensorProto.FLOAT)
    return graph.add("Relu", graph.add("Neg", h))


GRAPHS = [
    residual,
    two_sources,
    products_of_values,
    gemm_of_values,
    weight_on_the_left,
    weight_on_the_left_of_a_vector,
    bias_that_depends,
    computed_shapes,
    computed_weights,
    constants_by_nodes,
    patterns,
    pieces,
    half_precision,
]


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_graph(build: Callable[[Graph], str], tmp_path: Path):
    graph = Graph(IMAGE)
    check(save(graph.model(build(graph)), tmp_path))


@pytest.mark.parametrize("name", REAL)
def test_real_model(name: str, data_folder: Path):
    path = data_folder / "onnx" / f"{name}.onnx"
    network = check(path)
    assert network.origin == path.name
    assert len(network) >= 1


@pytest.mark.parametrize("name", REAL)
def test_real_models_are_accounted_for(name: str, data_folder: Path):
    path = data_folder / "onnx" / f"{name}.onnx"
    network = trace(path)
    check_accounts(network, path)
    # None of them makes constants by nodes.
    assert len(dependent(path)) == len(onnx.load(path).graph.node)
    assert all(entry.reason for entry in network.skipped)


def exported(model: nn.Module, x: torch.Tensor, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), path, dynamo=True, external_data=False, verbose=False)
    return path


class SmallCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, groups=2, bias=False)
        self.pool = nn.AvgPool2d(2, ceil_mode=True)
        self.drop = nn.Dropout()
        self.fc1 = nn.Linear(54, 20)
        self.fc2 = nn.Linear(20, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = self.drop(torch.relu(self.fc1(x.reshape(x.shape[0], -1))))
        return torch.softmax(self.fc2(x), dim=1)


def test_exported_cnn(tmp_path: Path):
    torch.manual_seed(0)
    model = SmallCNN().eval()
    model.norm.running_mean += 0.5
    path = exported(model, torch.zeros(1, 1, 14, 14), tmp_path / "cnn.onnx")
    network = check(path)
    assert list(network) == ["conv1", "conv2", "fc1"]
    assert [entry.operator for entry in network.skipped] == ["Gemm", "Softmax"]
    x = torch.randn(4, 1, 14, 14)
    difference = network.forward(x) - model(x)
    assert difference.abs().max() < 1e-5


def test_exported_sequence_model(tmp_path: Path):
    """Linear maps along the last axis, whose exported weights are transposed."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.LayerNorm(9), nn.Linear(9, 4), nn.ReLU()).eval()
    network = check(exported(model, torch.zeros(1, 5, 6), tmp_path / "sequence.onnx"))
    assert [layer.m for layer in network.values()] == [45, 20]


def test_even_response_windows(tmp_path: Path):
    """The standard's own formula: onnxruntime takes odd windows only."""
    graph = Graph((1, 6, 3, 2))
    output = graph.through_relus(graph.add("LRN", "x", size=4, alpha=0.5, beta=0.6, bias=2.0))
    x = numbers(1, 6, 3, 2, seed=3).astype(np.float64)
    expected = np.empty_like(x)
    for c in range(6):
        total = (x[:, max(0, c - 1) : min(5, c + 2) + 1] ** 2).sum(axis=1)
        expected[:, c] = x[:, c] / (2.0 + 0.5 / 4 * total) ** 0.6
    assert np.allclose(trace(save(graph.model(output), tmp_path)).forward(x), expected)


@pytest.mark.parametrize("batch", ["N", "", 0, None])
def test_unknown_batch_axis_becomes_one(batch: str | int | None, tmp_path: Path):
    graph = Graph((batch, 3))
    path = save(graph.model(graph.add("Relu", graph.add("Gemm", "x", numbers(3, 2)))), tmp_path)
    network = trace(path)
    assert (network.input_shape, network.output_shape) == ((3,), (2,))


def test_fixed_first_axis_is_part_of_the_sample(tmp_path: Path):
    graph = Graph((4, 3))
    network = check(save(graph.model(graph.add("Relu", graph.add("Gemm", "x", numbers(3, 2)))), tmp_path))
    assert (network.input_shape, network["relu_0"].m) == ((4, 3), 8)


def test_owner_of_a_weight_names_the_layer(tmp_path: Path):
    graph = Graph((1, 3))
    weight = graph.constant(numbers(4, 3), "encoder.fc.weight")
    hidden = graph.add("Relu", graph.add("MatMul", "x", graph.add("Transpose", weight)), name="act")
    other = graph.constant(numbers(4, 4), "weights")
    network = check(
        save(graph.model(graph.add("Relu", graph.add("MatMul", hidden, other), name="last")), tmp_path)
    )
    assert list(network) == ["encoder.fc", "last"]
    assert network["act"] is network["encoder.fc"]


def test_names_are_unique(tmp_path: Path):
    """Onnxruntime refuses equal names, the standard does not."""
    graph = Graph((1, 3))
    t = graph.add("Relu", "x", name="input")
    t = graph.add("Relu", graph.add("Neg", t, name="relu_1"), name="x")
    t = graph.add("Relu", graph.add("Neg", t), name="same")
    t = graph.add("Relu", graph.add("Neg", t, name="same"))
    network = trace(save(graph.model(t), tmp_path))
    assert list(network) == ["input_1", "x_1", "same", "relu_3"]
    assert [network.nodes[name] for name in ("x_1", "same")] == [("relu_1", "x_1"), ("neg_1", "same")]
    assert network.nodes["relu_3"] == ("same_1", "relu_3")


def test_what_the_first_output_does_not_need(tmp_path: Path):
    graph = Graph((1, 3))
    graph.constant(numbers(2), "spare")
    hidden = graph.add("Relu", "x", name="first")
    aside = graph.add("Tanh", hidden, name="aside")
    graph.add("Neg", graph.add("Exp", aside, name="dead"), name="deader")
    measured = graph.add("Shape", graph.add("Neg", hidden, name="measured"))
    output = graph.add("Reshape", graph.add("Relu", graph.add("Neg", hidden)), measured, name="last")
    path = save(graph.model(output, aside), tmp_path)
    network = trace(path)
    reasons = {entry.node: (entry.operator, entry.reason) for entry in network.skipped}
    assert reasons["aside"] == ("Tanh", "leads only to output 't1_0'")
    assert reasons["dead"] == ("Exp", "leads to no output")
    assert reasons["deader"] == ("Neg", "nothing reads its result")
    assert reasons["measured"] == ("Neg", "no entry of its result is used, at most its shape")
    assert reasons["spare"] == ("initializer", "no node reads it")
    assert reasons["last"][1] == "affine, but no ReLU follows it"
    assert len(reasons) == 6


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE])
def test_weights_are_copied_exactly(kind: int, tmp_path: Path):
    graph = Graph((1, 3))
    weight = numbers(3, 4).astype(helper.tensor_dtype_to_np_dtype(kind))
    path = save(graph.model(graph.add("Relu", graph.add("MatMul", "x", weight)), kind=kind), tmp_path)
    assert np.array_equal(trace(path)["relu_0"].dense().numpy(), weight.astype(np.float64).T)


def test_a_converter_is_registered_once():
    with pytest.raises(ValueError, match="'Relu' has a converter already"):
        converts("Relu")(lambda op: op.value(0))
