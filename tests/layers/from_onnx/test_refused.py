"""Files that are no models, and models that are not understood: one clear line each."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.layers.from_onnx.models import Graph, integers, numbers, save
from unrelu.errors import MissingExtraError, ModelError
from unrelu.layers import trace


@contextmanager
def refused(*parts: str, or_none: bool = False) -> Iterator[None]:
    """Expect a `ModelError` of one line that contains all parts."""
    error = None
    try:
        yield
    except ModelError as caught:
        error = str(caught)
    if error is None and or_none:
        return
    assert error is not None, "no ModelError"
    assert "\n" not in error
    assert not [part for part in parts if part not in error], error


def simple(tmp_path: Path) -> Path:
    graph = Graph((1, 3))
    return save(graph.model(graph.add("Relu", graph.add("MatMul", "x", numbers(3, 500)))), tmp_path)


def test_external_data(tmp_path: Path):
    path = simple(tmp_path)
    expected = trace(path).forward(numbers(2, 3))
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights", size_threshold=0)
    assert np.array_equal(trace(path).forward(numbers(2, 3)), expected)
    (tmp_path / "weights").unlink()
    with refused("model.onnx: not a readable ONNX model"):
        trace(path)


def test_external_data_outside_the_folder(tmp_path: Path):
    (tmp_path / "secret").write_bytes(bytes(6000))
    folder = tmp_path / "inside"
    folder.mkdir()
    path = simple(folder)
    model = onnx.load(path)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "../secret")
    model.graph.initializer[0].ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    with refused("model.onnx: not a readable ONNX model"):
        trace(path)


@pytest.mark.parametrize("keep", [0, 1, 10, 100, 3000, -10, -1])
def test_truncated_file(keep: int, tmp_path: Path):
    path = simple(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with refused("model.onnx: not a", "ONNX model ("):
        trace(path)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_file(seed: int, tmp_path: Path):
    """Whatever bytes change, the answer is a network or one clear error."""
    path = simple(tmp_path)
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    header = [k for k in range(len(data)) if k < 80 or k > len(data) - 150]
    for place in rng.choice(header, size=3):
        data[place] = rng.integers(256)
    path.write_bytes(data)
    with refused("model.onnx: ", or_none=True):
        trace(path)


def test_garbage(tmp_path: Path):
    path = tmp_path / "model.onnx"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with refused("model.onnx: not a readable ONNX model"):
        trace(path)


def test_missing_file_and_wrong_suffix(tmp_path: Path):
    with refused("absent.onnx: no such file"):
        trace(tmp_path / "absent.onnx")
    path = tmp_path / "model.h5"
    path.write_bytes(b"")
    with refused("model.h5", ".onnx or .pt2"):
        trace(path)


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = simple(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'unrelu\[onnx\]'"):
        trace(path)


def test_two_inputs(tmp_path: Path):
    graph = Graph((1, 3))
    second = helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 3])
    path = save(graph.model(graph.add("Relu", graph.add("Add", "x", "mask")), inputs=[second]), tmp_path)
    with refused("model.onnx", "exactly one input", "'x', 'mask'"):
        trace(path)


def nan_weight(graph: Graph) -> str:
    weight = graph.constant(np.float32([[1, np.nan], [2, np.inf], [0, 1]]), "w")
    return graph.add("MatMul", "x", weight, name="product")


def inf_computed(graph: Graph) -> str:
    return graph.add("Add", "x", graph.add("Div", np.float32(1), np.float32(0)), name="sum")


def unknown_operator(graph: Graph) -> str:
    return graph.add("Det", graph.add("Reshape", "x", integers(1, 1, 1, 3)), name="det")


def foreign_operator(graph: Graph) -> str:
    return graph.add("FusedGemm", "x", numbers(3, 3), name="fused", domain="com.example")


def training_norm(graph: Graph) -> str:
    statistics = [numbers(3), numbers(3), numbers(3), np.ones(3, dtype=np.float32)]
    return graph.add("BatchNormalization", "x", *statistics, name="norm", outputs=3, training_mode=1)[0]


def negative_variance(graph: Graph) -> str:
    statistics = [numbers(3), numbers(3), numbers(3), -np.ones(3, dtype=np.float32)]
    return graph.add("BatchNormalization", "x", *statistics, name="norm")


def training_dropout(graph: Graph) -> str:
    return graph.add("Dropout", "x", np.float32(0.5), np.array(True), name="drop")


def computed_weight(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    return graph.add("Conv", image, image, name="conv")


def int8_weight(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    return graph.add("Conv", image, np.ones((1, 1, 2), dtype=np.int8), name="conv")


def large_kernel(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    return graph.add("Conv", image, numbers(1, 1, 5), name="conv")


def wrong_channels(graph: Graph) -> str:
    return graph.add("Conv", graph.add("Reshape", "x", integers(1, 1, 3)), numbers(1, 2, 2), name="conv")


def wrong_length(graph: Graph) -> str:
    return graph.add("MatMul", "x", numbers(4, 2), name="product")


def wrong_reshape(graph: Graph) -> str:
    return graph.add("Reshape", "x", integers(1, 4), name="view")


def wrong_broadcast(graph: Graph) -> str:
    return graph.add("Add", "x", numbers(2), name="sum")


def huge_tile(graph: Graph) -> str:
    return graph.add("Tile", "x", integers(10**6, 10**6), name="tile")


def huge_fill(graph: Graph) -> str:
    return graph.add("Add", "x", graph.add("ConstantOfShape", integers(10**9, 3), name="fill"))


def huge_pads(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    return graph.add("Conv", image, numbers(1, 1, 2), pads=[10**9, 10**9], name="conv")


def indices_of_pool(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    _, places = graph.add("MaxPool", image, kernel_shape=[2], outputs=2, name="pool")
    return graph.add("Relu", graph.add("Cast", places, to=TensorProto.FLOAT), name="reader")


def integer_cast(graph: Graph) -> str:
    return graph.add("Cast", graph.add("Cast", "x", to=TensorProto.INT64, name="cast"), to=TensorProto.FLOAT)


def computed_indices(graph: Graph) -> str:
    return graph.add(
        "Slice", "x", integers(0), graph.add("ReduceMax", "x", keepdims=0), integers(1), name="cut"
    )


def cubic(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 1, 3))
    return graph.add("Resize", image, None, np.float32([1, 1, 2, 2]), mode="cubic", name="resize")


def empty(graph: Graph) -> str:
    return graph.add("Slice", "x", integers(2), integers(2), integers(1), name="cut")


def zero_divisor(graph: Graph) -> str:
    return graph.add("Div", "x", np.float32([1, 0, 1]), name="quotient")


def control_flow(graph: Graph) -> str:
    branch = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["b"])],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1, 3])],
    )
    return graph.add("If", np.array(True), then_branch=branch, else_branch=branch, name="if")


REFUSED = [
    (nan_weight, ("node 'product' (MatMul)", "initializer 'w'", "2 NaN or infinite")),
    (inf_computed, ("node 'sum' (Add)", "constant 't0_0'", "NaN or infinite")),
    (unknown_operator, ("node 'det' has the unknown operator 'Det'; known operators: Abs, Add, ",)),
    (foreign_operator, ("node 'fused'", "'FusedGemm'", "'com.example'")),
    (training_norm, ("node 'norm' (BatchNormalization)", "training mode")),
    (negative_variance, ("node 'norm' (BatchNormalization)", "positive variance")),
    (training_dropout, ("node 'drop' (Dropout)", "training mode")),
    (computed_weight, ("node 'conv' (Conv)", "constant weight")),
    (int8_weight, ("node 'conv' (Conv)", "int8")),
    (large_kernel, ("node 'conv' (Conv)", "smaller than the kernel")),
    (wrong_channels, ("node 'conv' (Conv)", "(2, 1 spatial axes)")),
    (wrong_length, ("node 'product' (MatMul)", "(4, 2)")),
    (wrong_reshape, ("node 'view' (Reshape)", "[1, 4]")),
    (wrong_broadcast, ("node 'sum' (Add)",)),
    (huge_tile, ("node 'tile'", "at most")),
    (huge_fill, ("node 'fill'", "at most")),
    (huge_pads, ("node 'conv'", "at most")),
    (indices_of_pool, ("no supported node writes",)),
    (integer_cast, ("node 'cast' (Cast)", "int64")),
    (computed_indices, ("node 'cut' (Slice)", "constant ends")),
    (cubic, ("node 'resize' (Resize)", "'cubic'")),
    (empty, ("node 'cut' (Slice)", "empty")),
    (zero_divisor, ("node 'quotient' (Div)", "divides by zero")),
    (control_flow, ("node 'if'", "'If'")),
]


@pytest.mark.parametrize(("build", "parts"), REFUSED, ids=lambda entry: getattr(entry, "__name__", ""))
def test_refused(build: Callable[[Graph], str], parts: tuple[str, ...], tmp_path: Path):
    graph = Graph((1, 3))
    model = graph.model(graph.add("Relu", build(graph)), infer=False)
    with refused("model.onnx: ", *parts):
        trace(save(model, tmp_path))


@pytest.mark.parametrize(
    ("shape", "kind", "parts"),
    [
        ((1, "length"), TensorProto.FLOAT, ("input 'x'", "axis 1", "length")),
        ((1, 10**10), TensorProto.FLOAT, ("input 'x'", "at most")),
        ((1, 3), TensorProto.INT64, ("input 'x'", "INT64")),
        ((1, 3), 99, ("input 'x'", "99")),
        (None, TensorProto.FLOAT, ("'shape'",)),
    ],
)
def test_refused_input(shape: Any, kind: int, parts: tuple[str, ...], tmp_path: Path):
    graph = Graph(shape)
    with refused("model.onnx: ", *parts):
        trace(save(graph.model(graph.add("Relu", "x"), kind=kind, infer=False), tmp_path))


def test_refused_graphs(tmp_path: Path):
    graph = Graph((1, 3))
    with refused("model.onnx: the network has no ReLU"):
        trace(save(graph.model(graph.add("Neg", "x")), tmp_path))
    with refused("model.onnx: output", "does not depend on the input"):
        trace(save(graph.model(graph.add("Relu", numbers(2))), tmp_path))
    graph = Graph((1, 3), opset=6)
    with refused("model.onnx: ", "opset 7"):
        trace(save(graph.model(graph.add("Relu", "x")), tmp_path))
    graph = Graph((1, 3))
    model = graph.model(graph.add("Relu", "x"))
    model.graph.sparse_initializer.add().values.name = "thin"
    with refused("model.onnx: "):
        trace(save(model, tmp_path))
