"""Normalisations by statistics, with and without a mean, against torch."""

import pytest
import torch
from torch import nn
from torch.nn import functional

import unrelu
from unrelu.layers import Normalisation

GAIN, OFFSET = torch.tensor([1.0, -2.0, 0.5, 3.0]).double(), torch.arange(4).double()


@pytest.mark.parametrize("centred", [True, False])
def test_formula(centred: bool):
    x = torch.randn(3, 4, dtype=torch.float64)
    known = Normalisation.of((3, 4), GAIN, OFFSET, 4, 1e-3, centred=centred)
    if centred:
        expected = functional.layer_norm(x, (4,), GAIN, OFFSET, 1e-3)
    else:
        expected = functional.rms_norm(x, (4,), GAIN, 1e-3) + OFFSET
    assert torch.allclose(known.apply(x), expected, rtol=1e-13, atol=1e-13)
    assert known.groups == 3


@pytest.mark.parametrize("centred", [True, False])
def test_undone_with_its_statistics(centred: bool):
    x = torch.randn(5, 8, dtype=torch.float64)
    known = Normalisation.of((2, 4), GAIN, OFFSET, 4, 1e-3, centred=centred)
    statistics = known.statistics(x)
    y = torch.stack([known.apply(row) for row in x])
    assert torch.allclose(known.undo(y, statistics), x, rtol=1e-12, atol=1e-12)
    assert bool((statistics.mean == 0).all()) is not centred


def test_rms_norm_of_a_network():
    """Its epsilon is that of the module's own precision, and its statistics lead back."""
    torch.manual_seed(0)
    norm = nn.RMSNorm(30)
    nn.init.uniform_(norm.weight, 0.5, 2)
    model = nn.Sequential(nn.Linear(4, 30), nn.ReLU(), norm)
    net = unrelu.trace(model, torch.zeros(1, 4))
    (known,) = [step.normalisation for step in net.steps if step.normalisation is not None]
    assert not known.centred and known.eps == torch.finfo(torch.float32).eps
    x = torch.randn(6, 4)
    y = net.forward(x)
    assert torch.allclose(y.float(), model(x), atol=1e-5)
    back = unrelu.invert(net, y, statistics=net.statistics(x))
    assert torch.allclose(back.x.float(), x, atol=1e-5)
