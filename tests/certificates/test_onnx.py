"""The reader of ONNX files without the onnx package, against the importer that uses it."""

import subprocess
import sys

import numpy as np
import pytest

from tests.layers.from_onnx.models import Graph, evaluate, integers, numbers, save
from unrelu import preimage, trace
from unrelu.certificates import from_json, read_onnx, verify
from unrelu.errors import ModelError

PUBLIC = ["ACASXU_run2a_1_1_batch_2000", "cifar10_small", "mnist-net_256x2"]


def forward(layers, x: np.ndarray, relus: int) -> np.ndarray:
    """Evaluate a chain in float64."""
    for k, layer in enumerate(layers.values()):
        dense = np.zeros((layer.m, layer.n))
        dense[layer.rows.numbers, layer.columns] = layer.values
        x = dense @ x + layer.bias
        x = np.maximum(x, 0) if k < relus else x
    return x


def compare(graph: Graph, output: str, folder, relus: int = 1):
    """Read a model, and compare with onnxruntime and with the importer, which sees the same numbers."""
    path = save(graph.model(output), folder)
    layers = read_onnx(path)
    x = numbers(*[size if isinstance(size, int) else 1 for size in graph.shape], seed=3)
    assert forward(layers, x.ravel().astype(float), relus) == pytest.approx(
        evaluate(path, x).ravel(), rel=1e-4, abs=1e-4
    )
    network = trace(path)
    for layer in network.values():
        if layer.linear.exact and layers[layer.node].exact:
            assert layers[layer.node].sha256 == layer.record().sha256
    return layers


@pytest.mark.parametrize("name", PUBLIC)
def test_public_models(name, data_folder):
    path = data_folder / "onnx" / f"{name}.onnx"
    layers, network = read_onnx(path), trace(path)
    assert [*layers][: len(network)] == [layer.node for layer in network.values()]
    for layer in network.values():
        assert layers[layer.node].sha256 == layer.record().sha256
        assert layers[layer.node].exact


def test_a_proof_is_checked_against_the_file(data_folder, rng, tmp_path):
    path = data_folder / "onnx" / "ACASXU_run2a_1_1_batch_2000.onnx"
    layer = trace(path)[0]
    made = preimage(layer, rng.standard_normal(5)).certificate
    bare = from_json(made.to_json(rows=False))
    assert verify(bare, read_onnx(path)).valid
    proof = tmp_path / "proof.json"
    proof.write_text(made.to_json(), encoding="utf-8")
    program = (
        "import sys; from unrelu.certificates import load, read_onnx, verify; "
        "assert verify(load(sys.argv[1]), read_onnx(sys.argv[2])).grade == 'exact'; "
        "print(*{'torch', 'scipy', 'onnx', 'google.protobuf'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, proof, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert not done.stdout.strip()


@pytest.mark.parametrize("name", ["Convnet_avgpool", "resnet_2b"])
def test_public_models_that_are_no_chains(name, data_folder):
    with pytest.raises(ModelError, match=r"node '(Pad_2|Conv_5)'"):
        read_onnx(data_folder / "onnx" / f"{name}.onnx")


CONVOLUTIONS = [
    ((1, 2, 6, 5), (4, 2, 3, 2), {}),
    ((1, 2, 6, 5), (4, 2, 3, 2), {"strides": [2, 1], "pads": [1, 0, 2, 1]}),
    ((1, 4, 7, 7), (6, 2, 3, 3), {"group": 2, "dilations": [2, 1], "kernel_shape": [3, 3]}),
    ((1, 3, 9), (3, 1, 4), {"group": 3, "pads": [3, 0], "strides": [3]}),
    ((1, 1, 4, 4, 4), (2, 1, 2, 3, 2), {"auto_pad": "VALID"}),
]


@pytest.mark.parametrize(("shape", "kernel", "options"), CONVOLUTIONS)
@pytest.mark.parametrize("with_bias", [False, True])
def test_convolutions(shape, kernel, options, with_bias, tmp_path):
    graph = Graph(shape)
    bias = numbers(kernel[0], seed=1) if with_bias else None
    output = graph.add("Relu", graph.add("Conv", "x", numbers(*kernel), bias, **options), name="r")
    compare(graph, output, tmp_path)


def test_chains(tmp_path):
    graph = Graph(("batch", 2, 3))
    t = graph.add("Transpose", graph.add("Identity", "x"), perm=[0, 2, 1])
    t = graph.add("Add", numbers(2), graph.add("MatMul", t, numbers(2, 2)))
    t = graph.add("Unsqueeze", graph.add("Relu", t), integers(1))
    t = graph.add("Reshape", graph.add("Squeeze", t, integers(1)), integers(0, -1))
    t = graph.add("Gemm", graph.add("Flatten", t), numbers(4, 6), numbers(4), transB=1)
    t = graph.add("Sub", graph.add("Relu", t), np.float32(1e-12))
    layers = compare(graph, graph.add("Gemm", t, numbers(4, 3), numbers(3)), tmp_path, relus=2)
    assert len(layers) == 3 and layers["relu_0"].n == 6
    (last,) = [record for name, record in layers.items() if not name.startswith("relu")]
    assert not last.exact  # folded into the bias, with rounding


def test_old_opsets(tmp_path):
    graph = Graph((1, 3), opset=9)
    t = graph.add("Squeeze", graph.add("Unsqueeze", "x", axes=[1]), axes=[1])
    layers = compare(graph, graph.add("Relu", graph.add("MatMul", t, numbers(3, 2))), tmp_path)
    assert [*layers] == ["relu_0"]


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda g: g.add("Sigmoid", "x", name="s"), r"node 's' \(Sigmoid\): the operator"),
        (lambda g: g.add("Mul", "x", "x", name="a"), r"node 'a' \(Mul\): only products with a constant"),
        (lambda g: g.add("Div", numbers(4), "x", name="a"), r"node 'a' \(Div\): only products with"),
        (
            lambda g: g.add("Div", "x", np.zeros(4, np.float32), name="a"),
            r"node 'a' \(Div\): a division by 0",
        ),
        (lambda g: g.add("Gemm", "x", numbers(4, 2), alpha=2.0, name="g"), r"node 'g' \(Gemm\): factors"),
        (lambda g: g.add("Gemm", "x", numbers(1, 2), transA=1, name="g"), r"node 'g' \(Gemm\): a transposed"),
        (lambda g: g.add("MatMul", numbers(3, 1), "x", name="m"), r"node 'm' \(MatMul\)"),
        (lambda g: g.add("MatMul", "x", numbers(4, 2), name="m", domain="mine"), r"node 'm'.*domain 'mine'"),
        (
            lambda g: g.add("MatMul", g.add("MatMul", "x", numbers(4, 2)), numbers(2, 2), name="m"),
            r"node 'm' \(MatMul\): two linear maps",
        ),
        (lambda g: g.add("MatMul", "x", np.full((4, 2), np.nan, np.float32), name="m"), "finite"),
        (lambda g: g.add("MatMul", "x", numbers(3, 2), name="m"), r"node 'm' \(MatMul\): a tensor of shape"),
        (lambda g: g.add("Reshape", "x", integers(3, -1), name="r"), r"node 'r' \(Reshape\): a tensor"),
        (lambda g: g.add("Add", "x", numbers(3), name="a"), r"node 'a' \(Add\): inputs or options"),
    ],
)
def test_refused(build, message, tmp_path):
    graph = Graph((1, 4))
    path = save(graph.model(graph.add("Relu", build(graph)), infer=False), tmp_path)
    with pytest.raises(ModelError, match=message):
        read_onnx(path)


def test_branches_are_refused(tmp_path):
    graph = Graph((1, 4))
    positive = graph.add("Relu", graph.add("MatMul", "x", numbers(4, 4)))
    graph.add("Relu", graph.add("Add", positive, numbers(4)))
    path = save(graph.model(positive), tmp_path)
    with pytest.raises(ModelError, match="is not that of the last node"):
        read_onnx(path)


def test_damaged_files(tmp_path):
    """Whatever is cut off or changed, the error is ours."""
    graph = Graph((1, 4))
    t = graph.add("Relu", graph.add("Gemm", "x", numbers(4, 3), numbers(3)))
    content = save(graph.model(t), tmp_path).read_bytes()
    rng, path, failed = np.random.default_rng(0), tmp_path / "damaged.onnx", 0
    for k in range(400):
        damaged = bytearray(content[: int(rng.integers(len(content)))] if k % 2 else content)
        for _ in range(int(rng.integers(0 if k % 2 else 1, 4))):
            if damaged:
                damaged[int(rng.integers(len(damaged)))] = int(rng.integers(256))
        path.write_bytes(bytes(damaged))
        try:
            read_onnx(path)
        except ModelError:
            failed += 1
    assert failed > 200
    with pytest.raises(ModelError, match="cannot be read"):
        read_onnx(tmp_path / "none.onnx")
