"""Skips that keep their input."""

import pytest
import torch
from torch import nn

from unrelu import Verdict, trace, verify
from unrelu.errors import ArgumentError
from unrelu.nn import (
    ConcatenatingSkip,
    ContractiveResidual,
    InjectiveLinear,
    InjectiveSequential,
    PairedSkip,
    smallest_ratio,
)


@pytest.mark.parametrize("shape", [(4,), (4, 3, 3)])
def test_skips(shape):
    torch.manual_seed(0)
    make = nn.Linear if len(shape) == 1 else lambda n, m: nn.Conv2d(n, m, 3, padding=1)
    x = torch.randn(10, *shape)
    skip, paired = ConcatenatingSkip(make(4, 3), 4), PairedSkip(make(4, 3), 4)
    assert skip(x).shape == (10, 7, *shape[1:]) and paired(x).shape == (10, 11, *shape[1:])
    assert torch.equal(skip.inverse(skip(x)), x)
    assert torch.equal(paired.inverse(torch.relu(paired(x))), x)
    assert "features=4" in repr(skip) and "features=4" in repr(paired)
    with pytest.raises(ArgumentError, match="y: expected at least 8 entries along axis 1"):
        paired.inverse(x)
    with pytest.raises(ArgumentError, match="features: expected a whole number"):
        ConcatenatingSkip(make(4, 3), 0)


def test_the_bound_of_paired_skips_is_attained():
    """A pair of inputs of opposite sign, and a ``g`` that says nothing."""
    paired = PairedSkip(nn.Linear(1, 1, bias=False), 1)
    nn.init.zeros_(paired.inner.weight)
    found = smallest_ratio(
        lambda x: torch.relu(paired(x)), torch.tensor([[1.0], [-1.0], [3.0]]).double().float()
    )
    assert found.ratio == pytest.approx(paired.lower_lipschitz())


def test_sequences_of_skips_and_blocks_go_both_ways():
    torch.manual_seed(0)
    modules = [
        PairedSkip(nn.Sequential(nn.Linear(3, 5), nn.Tanh()), 3),
        nn.ReLU(),
        ConcatenatingSkip(nn.Linear(11, 4), 11),
        ContractiveResidual(nn.Sequential(nn.Linear(15, 9), nn.ReLU(), nn.Linear(9, 15))),
        InjectiveLinear(15, 30),
        nn.ReLU(),
    ]
    model = InjectiveSequential(*modules, input_shape=(3,)).double()
    x = torch.randn(100, 3, dtype=torch.float64)
    found = model.invert(model(x))
    torch.testing.assert_close(found.x, x, rtol=1e-11, atol=1e-11)
    assert float(found.residual.max()) < 1e-12
    with pytest.raises(ArgumentError, match=r"module '0' \(ConcatenatingSkip\): expected an injective layer"):
        InjectiveSequential(ConcatenatingSkip(nn.Linear(2, 2), 2), nn.ReLU())


def test_skips_behind_a_relu_are_decided():
    torch.manual_seed(0)
    inner = nn.Sequential(nn.Linear(8, 4), nn.ReLU())
    model = InjectiveSequential(InjectiveLinear(3, 8), nn.ReLU(), ConcatenatingSkip(inner, 8))
    decision = model.decide(time_limit=10)
    assert decision.verdict == Verdict.INJECTIVE
    assert verify(decision.certificate, trace(model, torch.zeros(1, 3))).valid
