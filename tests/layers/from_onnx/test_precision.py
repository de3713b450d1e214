"""Constants that a file computes are rounded as its own arithmetic rounds them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from tests.layers.from_onnx.models import Graph, numbers, save
from unrelu.layers import ReLULayer, trace


def layer_of(graph: Graph, weight: str, folder: Path, kind: int = TensorProto.FLOAT) -> ReLULayer:
    """The layer ``relu(x weight)``."""
    output = graph.add("Relu", graph.add("MatMul", "x", weight))
    return trace(save(graph.model(output, kind=kind), folder))[0]


def equal(layer: ReLULayer, weight: np.ndarray) -> bool:
    return torch.equal(layer.dense(), torch.from_numpy(weight.T.astype(np.float64))) and layer.exact


def test_arithmetic(tmp_path: Path):
    graph, weight = Graph((1, 4)), numbers(4, 3)
    third = graph.add("Div", graph.constant(weight), np.float32(3))
    assert equal(
        layer_of(graph, graph.add("Sqrt", graph.add("Abs", third)), tmp_path), np.sqrt(np.abs(weight / 3))
    )


@pytest.mark.parametrize("kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_conversion(kind: int, tmp_path: Path):
    graph, weight = Graph((1, 4)), numbers(4, 3).astype(np.float64) / 3
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    cast = graph.add("Cast", graph.constant(weight), to=kind)
    back = graph.add("Cast", graph.add("Mul", cast, np.array(0.1, dtype)), to=TensorProto.DOUBLE)
    layer = layer_of(graph, back, tmp_path, TensorProto.DOUBLE)
    assert equal(layer, weight.astype(dtype) * np.array(0.1, dtype))


def test_double_precision(tmp_path: Path):
    graph, weight = Graph((1, 4)), numbers(4, 3).astype(np.float64)
    third = graph.add("Div", graph.constant(weight), np.float64(3))
    assert equal(layer_of(graph, third, tmp_path, TensorProto.DOUBLE), weight / 3)


def test_numbers_in_nodes(tmp_path: Path):
    graph = Graph((1, 4))
    number = graph.add("Constant", value_float=0.1)
    filled = graph.add(
        "ConstantOfShape", np.array([4, 3]), value=helper.make_tensor("v", TensorProto.FLOAT, [1], [0.3])
    )
    weight = graph.add("Mul", filled, number)
    expected = np.full((4, 3), np.float32(0.3) * np.float32(0.1), dtype=np.float32)
    assert equal(layer_of(graph, weight, tmp_path), expected)
