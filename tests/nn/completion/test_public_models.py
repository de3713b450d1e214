"""The three public networks: rows, bits, proofs and the way back."""

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.layers.from_onnx.models import save
from tests.layers.surgery.test_onnx import LEVELS
from unrelu import Box, load, trace, verify
from unrelu.certificates import read_onnx
from unrelu.nn import complete


def outputs(model: onnx.ModelProto, samples: np.ndarray, level, tensor: str | None = None) -> np.ndarray:
    """Run a model on one sample after the other; the last output, or a tensor inside."""
    twin = onnx.ModelProto()
    twin.CopyFrom(model)
    if tensor is not None:
        twin.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        twin.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: sample})[-1] for sample in samples])


def check(path, name, samples, folder, domain=None, accuracy=1e-5):
    """Complete a layer, and check all that is promised of it; return what was appended."""
    done = complete(path, name, domain=domain)
    (layer,) = done.layers
    original = onnx.load(path)
    for level in LEVELS:
        expected = outputs(original, samples, level)
        assert outputs(done.model, samples, level).tobytes() == expected.tobytes()
    again = save(done.model, folder, "done.onnx")
    assert verify(done.certificate, read_onnx(again)).grade == "exact"
    assert trace(again)[name].record().sha256 == layer.layer.record().sha256
    x = samples.reshape(len(samples), -1).astype(np.float64)
    assert np.abs(done.inverse(layer.layer.apply(x)) - x).max() < 1e-9
    if layer.added:
        (rows,) = [node.output[0] for node in done.model.graph.node if ".completion.rows" in node.output[0]]
        activations = outputs(done.model, samples, LEVELS[1], rows)
        back = done.inverse(activations.reshape(len(samples), -1))
        assert np.abs(back - x).max() < accuracy
    return layer


def test_mnist(data_folder, tmp_path):
    path = data_folder / "onnx" / "mnist-net_256x2.onnx"
    samples = load("mnist:test").inputs[:1000].reshape(-1, 1, 784, 1).astype(np.float32)
    layer = check(path, "layers.0", samples, tmp_path)
    assert (layer.n, layer.partners, layer.pairs, layer.added) == (784, 256, 528, 2 * 784 - 256)
    layer = check(path, "layers.0", samples, tmp_path, Box(0, 1))
    assert (layer.partners, layer.always, layer.added) == (256, 528, 784)


def test_acas(data_folder, rng, tmp_path):
    path = data_folder / "onnx" / "ACASXU_run2a_1_1_batch_2000.onnx"
    samples = rng.uniform(-0.5, 0.5, (1000, 1, 1, 1, 5)).astype(np.float32)
    assert check(path, "relu_1", samples, tmp_path).added == 0  # it is injective as it is


@pytest.mark.slow
def test_cifar10(data_folder, tmp_path):
    path = data_folder / "onnx" / "cifar10_small.onnx"
    images = load("cifar10:test").take(1000).inputs.astype(np.float32)
    samples = np.ascontiguousarray(images.transpose(0, 2, 3, 1))[:, None]
    layer = check(path, "sequential/conv2d/Relu", samples, tmp_path, accuracy=1e-3)
    assert layer.channels <= 24 and layer.added == 225 * layer.channels
    layer = check(path, "sequential/conv2d/Relu", samples, tmp_path, Box(0, 1), 1e-3)
    assert layer.pairs == 0 and layer.added <= 225 * 16
