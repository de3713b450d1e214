"""Derivatives of networks, stage by stage."""

import pytest
import torch
from torch import nn

import unrelu
from unrelu.layers import OUTPUT, Linearisation, Network, derivative


class Joined(nn.Module):
    """Two ReLUs side by side, their sum, max pooling, and a ReLU whose input is one of the activations."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.last = nn.Linear(6, 8), nn.Linear(6, 8), nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = torch.relu(self.left(x)), torch.relu(self.right(x))
        pooled = torch.max_pool1d((a + b)[:, None], 2).flatten(1)
        return torch.relu(self.last(pooled))


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return unrelu.trace(Joined(), torch.zeros(1, 6))


def test_stages_are_derivatives(network: Network):
    x = torch.randn(4, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    linearisation = Linearisation(network, x)
    directions = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    names = []
    for stage in linearisation.stages(directions):
        names.append(stage.name)
        function = linearisation.function(stage.name, after=False)
        assert linearisation.shapes[stage.name] == stage.shape
        if stage.name != OUTPUT:
            assert torch.equal(stage.active, function(x) > 0)
        for k in range(4):
            jacobian = torch.func.jacrev(function)(x[k : k + 1])[0, :, 0]
            tangents = stage.tangents[k if len(stage.tangents) > 1 else 0]
            torch.testing.assert_close(tangents, directions @ jacobian.T)
    assert names == [*linearisation.shapes] and names[-1] == OUTPUT
    assert linearisation.ends_with_relu


def test_the_network_itself_is_left_alone(network: Network):
    x = torch.randn(2, 6, dtype=torch.float64)
    before = network.forward(x)
    for _ in Linearisation(network, x).stages(torch.eye(6, dtype=torch.float64)):
        pass
    assert torch.equal(before, network.forward(x))


def test_entries_at_zero_are_not_active():
    net = Network.of_layer(unrelu.ReLULayer(torch.tensor([[1.0, -1.0], [1.0, 1.0]])))
    x = torch.ones(1, 2, dtype=torch.float64)
    linearisation = Linearisation(net, x)
    first = next(linearisation.stages(torch.eye(2, dtype=torch.float64)))
    assert first.active.tolist() == [[False, True]]
    push, pull = derivative(linearisation.function(first.name, after=True), x)
    assert push(torch.tensor([[1.0, 0.0]], dtype=torch.float64)).tolist() == [[0.0, 1.0]]
    assert pull(torch.tensor([[5.0, 2.0]], dtype=torch.float64))[0].tolist() == [[2.0, 2.0]]


def test_a_map_behind_the_last_relu():
    module = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    net = unrelu.trace(module, torch.zeros(1, 3))
    assert not Linearisation(net, torch.zeros(1, 3, dtype=torch.float64)).ends_with_relu
