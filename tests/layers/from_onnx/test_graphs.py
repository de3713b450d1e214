"""Graphs of several nodes against onnxruntime."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.layers.from_onnx.cases import IMAGE
from tests.layers.from_onnx.checks import check
from tests.layers.from_onnx.models import Graph, integers, numbers, save


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
