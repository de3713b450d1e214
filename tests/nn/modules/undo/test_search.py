"""Inputs behind projections are searched for."""

import pytest
import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn import GenericProjection, InjectiveLinear, InjectiveSequential


def test_more_searches_find_more():
    torch.manual_seed(0)
    first = [InjectiveLinear(4, 16), nn.ReLU(), GenericProjection(16, 9, 4)]
    second = [InjectiveLinear(9, 36), nn.ReLU(), GenericProjection(36, 9, 4)]
    model = InjectiveSequential(*first, *second).double()
    y = model(torch.randn(30, 4, dtype=torch.float64)).detach()
    found = [int((model.invert(y, restarts=count).residual < 1e-9).sum()) for count in (0, 1, 4)]
    assert found[0] < found[1] <= found[2]
    with pytest.raises(ArgumentError, match="restarts: expected a whole number of at least 0"):
        model.invert(y, restarts=-1)


def test_starts_that_are_no_numbers():
    """The least-norm answer is no output of tanh: the search begins at 0."""
    torch.manual_seed(0)
    model = InjectiveSequential(nn.Linear(2, 9), nn.Tanh(), GenericProjection(9, 5, 2)).double()
    x = 2 * torch.randn(20, 2, dtype=torch.float64)
    assert float((model.inverse(model(x).detach()) - x).norm(dim=1).max()) < 1e-6


def test_float32():
    torch.manual_seed(0)
    model = InjectiveSequential(InjectiveLinear(2, 8), nn.ReLU(), GenericProjection(8, 5, 2))
    x = torch.randn(30, 2)
    found = model.invert(model(x).detach())
    solved = found.residual < 1e-5
    assert int(solved.sum()) > 25
    assert float((found.x - x).norm(dim=1)[solved].max()) < 1e-4
