"""What a network keeps of its file: axes, names, numbers, and nodes that are not needed."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.layers.from_onnx.checks import check
from tests.layers.from_onnx.models import Graph, numbers, save
from unrelu.layers import trace


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
