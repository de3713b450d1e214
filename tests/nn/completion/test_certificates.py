"""Certificates of completions: at data within a time limit, and of the part of a model up to a layer."""

from contextlib import nullcontext
from unittest.mock import MagicMock

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.layers.from_onnx.models import Graph, numbers, save
from tests.nn.completion.test_models import dense_model
from tests.reference.preimage import output, preimage
from unrelu import Box, Network, ReLULayer, Verdict, decide, trace, verify
from unrelu.certificates import from_json
from unrelu.errors import ArgumentError
from unrelu.injectivity import Decision
from unrelu.nn import complete
from unrelu.nn.completion import _domain, _points


@pytest.fixture
def layer(rng) -> ReLULayer:
    return ReLULayer(rng.standard_normal((9, 6)), rng.standard_normal(9))


def test_time_limit(layer, rng):
    """What is not proved in time has no certificate, and the result says so."""
    X = rng.standard_normal((40, 6))
    (late,) = complete(layer, data=X, time_limit=1e-9).layers
    assert (late.certificate, late.grade, late.interrupted) == (None, "", False)
    assert late.reason == "time limit: 0 of 40 samples have a proof" and late.added > 0
    (done,) = complete(layer, data=X, time_limit=60.0).layers
    assert (done.reason, done.added) == ("", late.added) and verify(done.certificate).valid


def test_interrupted(monkeypatch, rng):
    """Ctrl-C after some samples: the layer has no certificate, and later ones stay as they are."""
    model, x = dense_model(), torch.from_numpy(rng.standard_normal((30, 5))).float()

    def stops(*_, report, **__):
        report(7)
        raise KeyboardInterrupt

    monkeypatch.setattr(_points, "certify_singletons", stops)
    done = complete(model, data=x)
    (layer,) = done.layers
    assert (layer.name, layer.interrupted, layer.certificate) == ("0", True, None)
    assert layer.reason == "interrupted: 7 of 30 samples have a proof"
    assert [entry.reason for entry in done.skipped] == ["interrupted before this layer"]
    assert done.same_predictions(x)


def test_interrupted_while_deciding(monkeypatch, layer):
    stopped = Decision(Verdict.UNKNOWN, "interrupted", interrupted=True)
    monkeypatch.setattr(_domain, "decide", lambda *_, **__: stopped)
    with pytest.raises(KeyboardInterrupt):
        complete(layer)


def test_progress(layer, rng, monkeypatch):
    """Samples that have a proof are counted up to their number."""
    bar = MagicMock()
    monkeypatch.setattr(_points, "progress_bar", lambda show: nullcontext(bar if show else None))
    complete(layer, data=rng.standard_normal((5, 6)))
    assert not bar.mock_calls
    complete(layer, data=rng.standard_normal((5, 6)), progress=True)
    assert bar.add_task.call_args.kwargs == {"total": 5}
    assert bar.update.call_args.kwargs == {"completed": 5}


@pytest.mark.parametrize("n", [2, 3])
def test_every_completion_at_data_has_a_certificate(n, rng):
    """Points on hyperplanes, by whatever rows are 0 at them; the twin says that nothing false is stated."""
    by_cones = 0
    for _ in range(30):
        weight = rng.integers(-2, 3, (int(rng.integers(1, 6 * n)), n)).astype(float)
        X = rng.integers(-1, 2, (2, n)) * rng.integers(0, 2, (2, 1)) * 1.0
        done = complete(ReLULayer(weight), data=X)
        assert verify(from_json(done.certificate.to_json()), done.model).grade == "exact"
        by_cones += len(done.certificate.cones)
        rows, bias = done.model.dense().numpy(), done.model.bias.numpy()
        assert all(preimage(rows, bias, output(rows, bias, x))[0] == "singleton" for x in X)
    assert by_cones > 5


@pytest.mark.parametrize("domain", [None, Box(0, 1)])
def test_the_encoder_of_a_module_is_injective(domain):
    done = complete(dense_model(), example_input=torch.zeros(1, 5), domain=domain)
    proof = done.encoder_certificate
    assert done.condition == done.layers[0].condition * done.layers[1].condition < 1e6
    assert isinstance(done.encoder, Network) and done.encoder.output_shape == (done.layers[1].layer.m,)
    assert verify(from_json(proof.to_json(rows=False)), done.encoder).grade == "exact"
    assert done.network_certificate is None
    if domain is None:
        assert decide(done.encoder).verdict == Verdict.INJECTIVE
    x = torch.rand(7, 5, dtype=torch.float64)
    hidden = done.inverse(done.encoder.forward(x), "2")
    assert torch.allclose(done.inverse(hidden, "0"), x, rtol=0, atol=1e-6)
    with pytest.raises(ArgumentError, match="expected an ONNX model, got Sequential"):
        _ = done.encoder_model


def test_no_certificate_of_an_encoder_with_a_layer_left_out():
    x = torch.zeros(1, 5)
    assert complete(dense_model(), "2", example_input=x).encoder_certificate is None
    assert complete(dense_model(), "0", example_input=x).encoder_certificate is not None
    at_data = complete(dense_model(), data=torch.randn(3, 5))
    assert at_data.encoder_certificate is None
    branches = complete(Branches(), example_input=torch.zeros(1, 3))
    assert branches.encoder_certificate is None


class Branches(nn.Module):
    """Two layers that read the same input: no chain."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(3, 2), nn.Linear(3, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.a(x)) + torch.relu(self.b(x))


def test_the_encoder_of_an_onnx_model(tmp_path):
    """Nodes and weights behind it are gone; neither missing names nor weights among the inputs do harm."""
    graph = Graph(("batch", 1, 6, 6))
    t = graph.add("Relu", graph.add("Conv", "x", numbers(2, 1, 2, 2), strides=[2, 2]), name="first")
    t = graph.add("Gemm", graph.add("Flatten", t), numbers(18, 4), numbers(4))
    path = save(graph.model(graph.add("Gemm", graph.add("Relu", t, name="second"), numbers(4, 3))), tmp_path)
    original = onnx.load(path)
    for node in original.graph.node:
        node.name = ""
    for tensor in original.graph.initializer:
        shape = onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        original.graph.input.append(shape)
    onnx.save(original, path)
    done = complete(path)
    encoder = trace(save(done.encoder_model, tmp_path, "encoder.onnx"))
    assert verify(done.encoder_certificate, encoder).grade == "exact"
    x = numbers(5, 1, 6, 6).astype(np.float64)
    assert np.allclose(encoder.forward(x), done.encoder.forward(x), rtol=0, atol=1e-12)
    assert len(done.encoder_model.graph.node) < len(done.model.graph.node)
