"""Proofs of whole networks at every stage of their lives."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

import unrelu
from unrelu import Box, Verdict, verify
from unrelu.nn import InjectiveConv2d, InjectiveLinear, InjectiveSequential


def dense() -> InjectiveSequential:
    torch.manual_seed(0)
    modules = [InjectiveLinear(4, 10), nn.ReLU(), nn.BatchNorm1d(10), InjectiveLinear(10, 24), nn.ReLU()]
    return InjectiveSequential(*modules, nn.Linear(24, 30))


def images() -> InjectiveSequential:
    torch.manual_seed(0)
    modules = [
        InjectiveConv2d(1, 9, 2, stride=2),
        nn.ReLU(),
        nn.Flatten(),
        InjectiveLinear(36, 80),
        nn.ReLU(),
    ]
    return InjectiveSequential(*modules, input_shape=(1, 4, 4))


def trained(model: InjectiveSequential, shape: tuple[int, ...]) -> InjectiveSequential:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    x = torch.randn(64, *shape)
    target = torch.randn(64, *model(x).shape[1:])
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for _ in range(10):
        optimizer.zero_grad()
        (model(x) - target).square().mean().backward()
        optimizer.step()
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True) if a.numel())
    return model


def check(model: InjectiveSequential, shape: tuple[int, ...]) -> None:
    decision = model.decide(time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE, decision.reason
    assert decision.grade in {"exact", "float"}
    found = verify(decision.certificate, unrelu.trace(model, torch.zeros(1, *shape)))
    assert found.valid, found.reason


@pytest.mark.parametrize(("make", "shape"), [(dense, (4,)), (images, (1, 4, 4))])
def test_every_stage(make, shape, tmp_path: Path):
    model = make()
    check(model, shape)
    check(trained(model, shape), shape)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    other = make()
    other.load_state_dict(torch.load(tmp_path / "weights.pt"))
    check(other, shape)
    other.eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        torch.onnx.export(
            other,
            (torch.randn(1, *shape),),
            tmp_path / "m.onnx",
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    net = unrelu.trace(tmp_path / "m.onnx")
    decision = unrelu.decide(net, time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE, decision.reason
    assert verify(decision.certificate, net).valid
    x = torch.randn(50, *shape)
    torch.testing.assert_close(other.inverse(other(x)), x, rtol=1e-3, atol=1e-4)


def test_domains():
    torch.manual_seed(0)
    model = InjectiveSequential(nn.Linear(2, 3), nn.ReLU())
    with torch.no_grad():
        model[0].bias.fill_(10.0)
    assert model.decide().verdict == Verdict.NOT_INJECTIVE
    decision = model.decide(domain=Box(-1, 1))
    assert decision.verdict == Verdict.INJECTIVE
    assert verify(decision.certificate, unrelu.trace(model, torch.zeros(1, 2))).valid


def test_training_mode_is_left_as_it_is():
    model = dense()
    model.decide(time_limit=5)
    assert model.training and model[2].training
    assert model.eval().decide(time_limit=5).certificate is not None and not model.training
