"""Completion of models: predictions, layers as they are read again, and bad input."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from tests.layers.from_onnx.models import Graph, numbers, save
from tests.layers.surgery.test_onnx import LEVELS, run
from unrelu import Ball, Box, Network, Sphere, Verdict, decide, trace, verify
from unrelu.certificates import from_json, read_onnx
from unrelu.errors import ArgumentError, ModelError
from unrelu.nn import Completion, complete


def dense_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))


def activations(done: Completion, x: torch.Tensor, position: int) -> torch.Tensor:
    """Return the output of a completed layer, with all its rows, in the model's own numbers."""
    seen: list[torch.Tensor] = []
    names = [name for name, _ in done.model.named_children() if name.endswith("_leading")]
    hook = done.model.get_submodule(names[position]).register_forward_hook(
        lambda _, inputs, __: seen.append(inputs[0])
    )
    done.model(x)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("domain", [None, Ball(0.0, 5.0)])
def test_every_layer_of_a_module(domain):
    model = dense_model()
    x = torch.randn(50, 5).clamp(-1, 1)
    done = complete(model, example_input=x[:1], domain=domain)
    assert done.model(x).detach().numpy().tobytes() == model(x).detach().numpy().tobytes()
    assert done.same_predictions(x)
    done.model.get_submodule("4").bias.data += 1e-6
    assert not done.same_predictions(x)
    net = trace(done.model, x[:1])
    assert [layer.name for layer in done.layers] == list(net) == ["0", "2"]
    for layer in done.layers:
        assert verify(layer.certificate, net).grade == "exact"
        if domain is None:
            assert decide(net[layer.name]).verdict == Verdict.INJECTIVE
    hidden = done.inverse(activations(done, x, 1), "2")
    assert torch.allclose(hidden.float(), activations(done, x, 0), atol=1e-4)
    back = done.inverse(activations(done, x, 0), "0")
    assert back.shape == x.shape and torch.allclose(back.float(), x, atol=1e-5)
    with pytest.raises(ArgumentError, match="got 2"):
        _ = done.certificate


def test_training_goes_on():
    """Partners follow the rows; the layer stays injective."""
    model = dense_model()
    x = torch.randn(50, 5)
    done = complete(model, "0", example_input=x[:1])
    optimizer = torch.optim.SGD(done.model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        done.model(x).square().mean().backward()
        optimizer.step()
    assert decide(trace(done.model, x[:1])["0"]).verdict == Verdict.INJECTIVE


def test_networks():
    x = torch.randn(20, 5)
    net = trace(dense_model(), x[:1])
    done = complete(net, "0")
    assert isinstance(done.model, Network) and verify(done.certificate, done.model).valid
    assert torch.allclose(done.model.forward(x), net.forward(x), rtol=0, atol=1e-12)
    assert complete(done.model, "0").same_predictions(x)  # nothing is appended


def test_a_network_whose_layers_are_all_completed_is_injective():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU())
    x = torch.randn(4, 3)
    done = complete(model, example_input=x[:1])
    chain = done.network.chain().layers
    assert [decide(layer).verdict for layer in chain] == [Verdict.INJECTIVE] * 2


def test_onnx(tmp_path):
    graph = Graph(("batch", 1, 6, 6))
    t = graph.add("Relu", graph.add("Conv", "x", numbers(2, 1, 2, 2), strides=[2, 2]), name="first")
    t = graph.add("Gemm", graph.add("Flatten", t), numbers(18, 4), numbers(4))
    path = save(graph.model(graph.add("Gemm", graph.add("Relu", t, name="second"), numbers(4, 3))), tmp_path)
    done = complete(path)
    again = save(done.model, tmp_path, "done.onnx")
    x = numbers(30, 1, 6, 6)
    for level in LEVELS:
        assert run(done.model, x, level).tobytes() == run(onnx.load(path), x, level).tobytes()
    assert done.same_predictions(x)
    for layer in done.layers:
        assert verify(layer.certificate, trace(again)).grade == "exact"
        assert verify(layer.certificate, read_onnx(again)).grade == "exact"
    assert [layer.name for layer in done.layers] == ["first", "second"] and not done.skipped


def test_onnx_at_data(tmp_path):
    graph = Graph(("batch", 6))
    t = graph.add("Relu", graph.add("Gemm", "x", numbers(6, 4), numbers(4)), name="first")
    t = graph.add("Relu", graph.add("Gemm", t, numbers(4, 3), numbers(3)), name="second")
    path = save(graph.model(graph.add("Gemm", t, numbers(3, 2))), tmp_path)
    x = numbers(30, 6)
    done = complete(path, data=x, radius=0.01)
    again = save(done.model, tmp_path, "done.onnx")
    assert done.same_predictions(x)
    known = trace(again)
    for layer, (_, inputs) in zip(done.layers, known.walk(x), strict=True):
        proof = from_json(layer.certificate.to_json(rows=False))
        assert np.allclose(proof.points, inputs, rtol=0, atol=1e-12)
        for model in (known, read_onnx(again)):
            assert verify(proof, model).grade == "exact"
        assert "other numbers" in verify(proof, read_onnx(path)).reason
    with pytest.raises(ArgumentError, match="got 2"):
        _ = done.certificate


def test_layers_that_cannot_be_completed_are_skipped():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 2), nn.ReLU(), nn.AvgPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3), nn.ReLU()
    )
    x = torch.randn(3, 1, 5, 5)
    done = complete(model, example_input=x[:1])
    (skipped,) = done.skipped
    assert "expected" in skipped.reason and [layer.name for layer in done.layers] == ["0", "5"]
    assert torch.equal(done.model(x), model(x))
    with pytest.raises(ModelError, match="expected"):
        complete(model, trace(model, x[:1])[1].name, example_input=x[:1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": "fc9"}, "no layer 'fc9'"),
        ({"layers": []}, "at least one"),
        ({"layers": ["0", "0"]}, "different names"),
        ({"domain": Sphere(1.0)}, "domain: expected Space, Box, Orthant or Ball"),
        ({"domain": 3}, "domain: expected"),
        ({"radius": -1.0}, "radius: expected"),
        ({"radius": np.nan}, "radius: expected"),
        ({"time_limit": 0.0}, "time_limit: expected"),
        ({"condition": 1.0}, "condition: expected a number above 1, got 1.0"),
        ({"condition": np.nan}, "condition: expected"),
        ({"data": np.zeros((0, 5))}, "data: expected at least one sample"),
        ({"data": np.zeros((3, 4))}, "data: expected an array of shape"),
        ({"data": np.full((3, 5), np.nan)}, "data: expected finite"),
        ({"data": np.full((3, 5), 2.0), "domain": Box(0, 1)}, "data: sample 0 lies outside"),
    ],
)
def test_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        complete(trace(dense_model(), torch.zeros(1, 5)), **options)


def test_models_that_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match="example_input"):
        complete(dense_model())
    with pytest.raises(ArgumentError, match="model: expected"):
        complete(3)
    with pytest.raises(ModelError, match="no such file"):
        complete(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match="expected an ONNX file"):
        complete(tmp_path / "none.pt2")
    broken = dense_model()
    broken[0].weight.data[0, 0] = torch.nan
    with pytest.raises(ModelError, match=r"0\.weight"):
        complete(broken, example_input=torch.zeros(1, 5))


def test_activations_that_do_not_fit():
    done = complete(trace(dense_model(), torch.zeros(1, 5)), "0")
    with pytest.raises(ArgumentError, match="y: expected"):
        done.inverse(np.zeros((2, 3)))
    with pytest.raises(KeyError, match="no completed layer 'fc9'"):
        done.inverse(np.zeros((2, done.layers[0].layer.m)), "fc9")
