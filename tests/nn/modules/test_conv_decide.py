"""Injective convolutions are decided and proved, at every stage of their life."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.nn.modules.convolutions import GEOMETRIES, made, trained
from unrelu import Verdict
from unrelu.nn import InjectiveConv2d


def decided(model: nn.Module, shape: tuple[int, ...]) -> None:
    """The traced model is injective, with a proof that verifies."""
    net = unrelu.trace(model, torch.zeros(1, *shape))
    decision = unrelu.decide(net, time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE, decision.reason
    assert unrelu.verify(decision.certificate, net).valid


@pytest.mark.parametrize(
    ("dims", "name", "condition"),
    [
        *((2, name, 4.0) for name in GEOMETRIES),
        *((1, name, 4.0) for name in ("same", "all")),
        *((2, name, 1.0) for name in ("same", "without padding", "stride")),
    ],
)
def test_trained_layers(dims, name, condition):
    layer, shape = made(dims, name, condition=condition)
    decided(nn.Sequential(trained(layer, shape), nn.ReLU()), shape)


@pytest.mark.parametrize(("channels", "size", "condition"), [(1, 28, 1.0), (3, 32, 4.0)])
def test_images_of_the_usual_sizes_are_decided(channels, size, condition):
    torch.manual_seed(0)
    layer = InjectiveConv2d(channels, 16, 3, padding=1, condition=condition)
    for _ in range(2):
        net = unrelu.trace(nn.Sequential(layer, nn.ReLU()), torch.zeros(1, channels, size, size))
        decision = unrelu.decide(net)
        assert decision.verdict == Verdict.INJECTIVE
        assert decision.grade == "exact"
        assert decision.seconds < 10
        proof = decision.certificate
        assert unrelu.verify(type(proof).from_json(proof.to_json(rows=False)), net).grade == "exact"
        trained(layer, (channels, 8, 8))


@pytest.mark.slow
@pytest.mark.parametrize("condition", [1.0, 4.0])
def test_images_of_224_pixels_are_decided(condition):
    torch.manual_seed(0)
    layer = InjectiveConv2d(3, 16, 3, padding=1, condition=condition)
    net = unrelu.trace(nn.Sequential(layer, nn.ReLU()), torch.zeros(1, 3, 224, 224))
    decision = unrelu.decide(net)
    assert decision.verdict == Verdict.INJECTIVE
    assert unrelu.verify(decision.certificate, net).grade == "exact"


def test_survives_saving_copying_and_export(tmp_path):
    layer, shape = made(2, "stride", dtype=torch.float32)
    model = nn.Sequential(trained(layer, shape), nn.ReLU()).eval()
    x = torch.randn(2, *shape)
    torch.save(model.state_dict(), tmp_path / "model.pt")
    other, _ = made(2, "stride", dtype=torch.float32)
    again = nn.Sequential(other, nn.ReLU()).eval()
    again.load_state_dict(torch.load(tmp_path / "model.pt", weights_only=True))
    copied = copy.deepcopy(model)
    for one in (again, copied):
        assert torch.equal(one(x), model(x))
        decided(one, shape)
    assert torch.equal(torch.export.export(model, (x,)).module()(x), model(x))
    program = torch.onnx.export(model, (x[:1],), dynamo=True, verbose=False)
    program.save(tmp_path / "model.onnx")
    net = unrelu.trace(tmp_path / "model.onnx")
    decision = unrelu.decide(net)
    assert decision.verdict == Verdict.INJECTIVE
    assert unrelu.verify(decision.certificate, net).valid
    assert torch.equal(net[0].bias, unrelu.trace(model, x[:1])[0].bias)
    assert np.array_equal(net[0].record().values, unrelu.trace(model, x[:1])[0].record().values)
