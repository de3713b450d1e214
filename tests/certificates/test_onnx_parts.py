"""Operators that take parts of tensors, join them or change their sign, in the verifier's own reader."""

import numpy as np
import pytest

from tests.certificates.test_onnx import compare
from tests.layers.from_onnx.models import Graph, integers, numbers, save
from unrelu.certificates import read_onnx
from unrelu.errors import ModelError


def test_appended_rows(tmp_path):
    graph = Graph((1, 5))
    z = graph.add("Gemm", "x", numbers(3, 5), numbers(3, seed=1), transB=1)
    e = graph.add("Gemm", graph.add("Flatten", "x"), numbers(5, 2, seed=2))
    some = graph.add("Neg", graph.add("Gather", z, integers(2, 0), axis=1))
    full = graph.add("Relu", graph.add("Concat", z, some, e, graph.add("Neg", e), axis=1))
    first = graph.add("Slice", full, integers(0), integers(3), integers(1))
    layers = compare(graph, graph.add("Gemm", first, numbers(3, 2)), tmp_path)
    assert layers["relu_0"].m == 9
    assert not layers["relu_0"].bias[5:].any()


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_images(axis, tmp_path):
    graph = Graph((1, 2, 3, 4))
    z = graph.add("Conv", "x", numbers(2, 2, 1, 1), numbers(2, seed=1))
    joined = graph.add("Concat", z, graph.add("Neg", z), z, axis=axis)
    chosen = graph.add("Gather", joined, integers(1, -1, 0), axis=axis)
    ends = graph.add("Slice", chosen, integers(-2), integers(1000), integers(axis), integers(2))
    compare(graph, graph.add("Relu", ends), tmp_path)


def test_old_opsets(tmp_path):
    graph = Graph((1, 4), opset=9)
    full = graph.add("Relu", graph.add("MatMul", "x", numbers(4, 6)))
    first = graph.add("Slice", full, starts=[1], ends=[4], axes=[1])
    compare(graph, graph.add("MatMul", first, numbers(3, 2)), tmp_path)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda g: g.add("Concat", "x", numbers(1, 2), axis=1, name="c"), r"node 'c' \(Concat\): input 1"),
        (lambda g: g.add("Concat", "x", "x", axis=4, name="c"), r"node 'c' \(Concat\): .* no axis 4"),
        (lambda g: g.add("Gather", "x", integers(9), axis=1, name="g"), r"node 'g' \(Gather\): inputs"),
        (
            lambda g: g.add("Gather", "x", np.array([[0]]), axis=1, name="g"),
            r"node 'g' \(Gather\): positions",
        ),
        (
            lambda g: g.add("Slice", "x", integers(3), integers(0), integers(1), integers(-1), name="s"),
            r"node 's' \(Slice\): steps backwards",
        ),
        (lambda g: g.add("Slice", "x", integers(0), integers(1), integers(7), name="s"), "node 's'"),
        (
            lambda g: g.add("MatMul", g.add("Neg", "x"), numbers(4, 2), name="m"),
            r"node 'm' \(MatMul\): two linear maps",
        ),
    ],
)
def test_refused(build, message, tmp_path):
    graph = Graph((1, 4))
    path = save(graph.model(graph.add("Relu", build(graph)), infer=False), tmp_path)
    with pytest.raises(ModelError, match=message):
        read_onnx(path)
