"""Networks as chains of layers."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from unrelu.errors import ArgumentError


def traced(*modules, n=4):
    torch.manual_seed(0)
    return unrelu.trace(nn.Sequential(*modules), torch.zeros(1, n))


@pytest.mark.parametrize("last", [True, False])
def test_a_chain_is_the_network(last):
    modules = [nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.ReLU(), *[nn.Linear(5, 3)] * last]
    net = traced(*modules)
    chain = net.chain()
    x = np.random.default_rng(0).standard_normal(4)
    np.testing.assert_allclose(chain.output(x), net.forward(x), rtol=1e-14)
    assert [r.m for r in chain.records()] == [6, 5, *[3] * last]
    assert (chain.last is None) != last
    assert (chain.n, chain.entries) == (4, 44)
    assert net.first_layer is net[0]


class Residual(nn.Module):
    """Two readers of one activation."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        return torch.relu(self.second(hidden)) + hidden


class Skipping(Residual):
    """The input is read twice."""

    def forward(self, x):
        return torch.relu(self.first(x)) + x


@pytest.mark.parametrize(
    ("module", "told", "first"),
    [
        (Residual(), "'add' is add", True),
        (Skipping(), "'add' is add", False),
        (nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Tanh(), nn.Linear(4, 4), nn.ReLU()), "tanh", True),
        (nn.Sequential(nn.Tanh(), nn.Linear(4, 4), nn.ReLU()), "tanh", False),
    ],
)
def test_what_is_no_chain_is_refused_by_node(module, told, first):
    net = unrelu.trace(module, torch.zeros(1, 4))
    with pytest.raises(ArgumentError, match="expected a chain of ReLU layers") as error:
        net.chain()
    assert told in str(error.value).lower()
    assert (net.first_layer is not None) == first
