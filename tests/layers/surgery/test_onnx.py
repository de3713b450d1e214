"""Rows appended to ONNX models: the numbers that are read back, and the bits that are predicted."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from tests.layers.from_onnx.models import Graph, integers, numbers, save
from unrelu import trace
from unrelu.certificates import read_onnx
from unrelu.errors import ModelError
from unrelu.layers.surgery import NewRows, append_to_onnx, appended

LEVELS = [
    onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
    onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL,
]


def rounded(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32).astype(np.float64)


def rows(rng, shape, partners=(0, 2), pairs=1) -> NewRows:
    return NewRows(np.array(partners, dtype=np.int64), rounded(rng, 2, *shape), rounded(rng, 2), pairs)


def run(model, x, level):
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def check(graph, output, position, new, folder, x, *, read=True):
    """Append, and compare layers and predictions."""
    path = save(graph.model(output), folder)
    model, net = onnx.load(path), trace(path)
    before = model.SerializeToString()
    done = append_to_onnx(model, net, net[position], new)
    assert model.SerializeToString() == before
    again = save(done, folder, "done.onnx")
    found, expected = trace(again), appended(net[position], new)
    assert list(found) == list(net)
    assert found[position].record().sha256 == expected.record().sha256
    assert found[position].linear.exact == net[position].linear.exact
    if read:
        assert read_onnx(again)[found[position].node].sha256 == expected.record().sha256
    for level in LEVELS:
        assert run(model, x, level).tobytes() == run(done, x, level).tobytes()
    assert {entry.name for entry in done.graph.output} == {output}
    return found


@pytest.mark.parametrize("opset", [9, 13, 17])
@pytest.mark.parametrize("position", [0, 1])
def test_dense(rng, tmp_path, opset, position):
    graph = Graph(("batch", 2, 3), opset=opset)
    t = graph.add("Gemm", graph.add("Flatten", "x"), numbers(6, 8), numbers(8, seed=1))
    t = graph.add("Relu", t)
    t = graph.add("Relu", graph.add("Add", graph.add("MatMul", t, numbers(8, 8)), numbers(8)))
    x = numbers(40, 2, 3, seed=5)
    check(graph, graph.add("MatMul", t, numbers(8, 3)), position, rows(rng, [6 + 2 * position]), tmp_path, x)


@pytest.mark.parametrize("partners", [(), (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("pairs", [0, 1, 2])
def test_which_rows(rng, tmp_path, partners, pairs):
    graph = Graph((1, 4))
    t = graph.add("Relu", graph.add("Gemm", "x", numbers(4, 3), numbers(3)), name="act")
    found = check(graph, t, 0, rows(rng, [4], partners, pairs), tmp_path, numbers(1, 4))
    assert found["act"].m == 3 + len(partners) + 2 + pairs


def test_an_old_format_names_its_constants_as_inputs(rng, tmp_path):
    graph = Graph((1, 4), opset=8)
    t = graph.add("Relu", graph.add("Gemm", "x", numbers(4, 3), numbers(3)))
    model = graph.model(graph.add("Gemm", t, numbers(3, 2), numbers(2)))
    model.ir_version = 3
    for tensor in model.graph.initializer:
        entry = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        model.graph.input.append(entry)
    path = save(model, tmp_path)
    net = trace(path)
    done = append_to_onnx(model, net, net[0], rows(rng, [4]))
    assert trace(save(done, tmp_path, "done.onnx"))[0].m == 8
    x = numbers(1, 4)
    assert run(model, x, LEVELS[1]).tobytes() == run(done, x, LEVELS[1]).tobytes()


CONVOLUTIONS = [
    {"strides": [2, 1], "pads": [1, 0, 2, 1]},
    {"group": 2},
    {"dilations": [1, 2]},
]


@pytest.mark.parametrize("options", CONVOLUTIONS)
@pytest.mark.parametrize("moved", [False, True])
def test_convolutions(rng, tmp_path, options, moved):
    graph = Graph(("batch", 5, 5, 2) if moved else ("batch", 2, 5, 5))
    t = graph.add("Transpose", "x", perm=[0, 3, 1, 2]) if moved else "x"
    kernel = numbers(4, 2 // options.get("group", 1), 2, 2)
    t = graph.add("Relu", graph.add("Conv", t, kernel, numbers(4), **options))
    t = graph.add("Conv", t, numbers(3, 4, 2, 2), numbers(3))
    x = numbers(7, *((5, 5, 2) if moved else (2, 5, 5)), seed=4)
    check(graph, graph.add("Flatten", t), 0, rows(rng, [2, 2, 2]), tmp_path, x, read=False)


def test_a_second_convolution_sees_the_channels_appended_to_the_first(rng, tmp_path):
    graph = Graph(("batch", 2, 5, 5))
    t = graph.add("Relu", graph.add("Conv", "x", numbers(3, 2, 2, 2)))
    t = graph.add("Relu", graph.add("Conv", t, numbers(4, 3, 2, 2)))
    path = save(graph.model(t), tmp_path)
    model, net = onnx.load(path), trace(path)
    first = append_to_onnx(model, net, net[0], rows(rng, [2, 2, 2]))
    net = trace(save(first, tmp_path, "first.onnx"))
    new = rows(rng, [8, 2, 2])
    second = append_to_onnx(first, net, net[1], new)
    found = trace(save(second, tmp_path, "second.onnx"))
    assert found[1].record().sha256 == appended(net[1], new).record().sha256
    x = numbers(6, 2, 5, 5)
    assert run(model, x, LEVELS[1]).tobytes() == run(second, x, LEVELS[1]).tobytes()


def test_folded_batch_norm(rng, tmp_path):
    graph = Graph(("batch", 2, 5, 5))
    t = graph.add("Conv", "x", numbers(4, 2, 2, 2))
    statistics = [numbers(4, seed=k) for k in range(3)]
    t = graph.add("BatchNormalization", t, *statistics, np.abs(numbers(4, seed=3)) + 1)
    x = numbers(6, 2, 5, 5)
    check(graph, graph.add("Relu", t), 0, rows(rng, [2, 2, 2]), tmp_path, x, read=False)


def test_several_readers(rng, tmp_path):
    graph = Graph(("batch", 4))
    h = graph.add("Relu", graph.add("Gemm", "x", numbers(4, 4), numbers(4)))
    total = graph.add("Add", h, graph.add("Relu", graph.add("Gemm", h, numbers(4, 4, seed=1))))
    check(graph, total, 0, rows(rng, [4]), tmp_path, numbers(9, 4), read=False)


@pytest.mark.parametrize(
    ("shape", "kind", "message"),
    [((4,), TensorProto.FLOAT, "first axis is the batch"), ((1, 4), TensorProto.FLOAT16, "FLOAT16")],
)
def test_refused(rng, tmp_path, shape, kind, message):
    graph = Graph(shape)
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    t = graph.add("Relu", graph.add("MatMul", "x", numbers(4, 3).astype(dtype)))
    path = save(graph.model(t, kind=kind), tmp_path)
    net = trace(path)
    with pytest.raises(ModelError, match=message):
        append_to_onnx(onnx.load(path), net, net[0], rows(rng, [4]))


def test_channels_without_a_convolution_are_refused(rng, tmp_path):
    graph = Graph((1, 2, 3, 3))
    t = graph.add("Relu", graph.add("AveragePool", "x", kernel_shape=[2, 2], name="pool"))
    path = save(graph.model(graph.add("Reshape", t, integers(1, -1))), tmp_path)
    net = trace(path)
    with pytest.raises(ModelError, match="no single convolution"):
        append_to_onnx(onnx.load(path), net, net[0], rows(rng, [2, 2, 2], (0, 1)))
