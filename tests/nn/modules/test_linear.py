"""The injective drop-in for nn.Linear."""

import copy

import pytest
import torch
from torch import nn

import unrelu
from unrelu import Verdict
from unrelu.errors import ArgumentError
from unrelu.nn import InjectiveLinear


def verdict(layer: InjectiveLinear) -> Verdict:
    return unrelu.decide(unrelu.ReLULayer(layer.weight, layer.bias)).verdict


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("n", "m"), [(1, 2), (3, 6), (7, 20)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_round_trip_and_proof(n, m, bias, dtype):
    torch.manual_seed(0)
    layer = InjectiveLinear(n, m, bias=bias, dtype=dtype)
    x = torch.randn(4, 5, n, dtype=dtype)
    y = torch.relu(layer(x))
    assert y.shape == (4, 5, m)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-13
    torch.testing.assert_close(layer.inverse(y), x, rtol=tolerance, atol=tolerance)
    assert verdict(layer) == Verdict.INJECTIVE


def test_stays_injective_while_it_learns():
    torch.manual_seed(0)
    layer = InjectiveLinear(6, 15)
    model = nn.Sequential(layer, nn.ReLU(), nn.Linear(15, 3))
    before = layer.weight.detach().clone()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    x, target = torch.randn(64, 6), torch.randint(3, (64,))
    for _ in range(20):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), target).backward()
        optimizer.step()
    assert (layer.weight - before).abs().max() > 1e-3
    assert verdict(layer) == Verdict.INJECTIVE
    torch.testing.assert_close(layer.inverse(torch.relu(layer(x))), x, rtol=1e-4, atol=1e-4)


def test_survives_state_dict_and_deepcopy_and_trace():
    torch.manual_seed(0)
    layer, other = InjectiveLinear(4, 9), InjectiveLinear(4, 9)
    other.load_state_dict(layer.state_dict())
    x = torch.randn(3, 4)
    torch.testing.assert_close(other(x), layer(x))
    torch.testing.assert_close(copy.deepcopy(layer)(x), layer(x))
    network = unrelu.trace(nn.Sequential(layer, nn.ReLU()), x)
    assert unrelu.decide(network[0]).verdict == Verdict.INJECTIVE


def test_too_few_outputs_are_refused():
    with pytest.raises(ArgumentError, match="at least 2 \\* in_features = 8, got 7"):
        InjectiveLinear(4, 7)


def test_wrong_length_is_refused():
    with pytest.raises(ArgumentError, match=r"expected shape \(\.\.\., 8\), got \(3, 4\)"):
        InjectiveLinear(4, 8).inverse(torch.zeros(3, 4))
