"""Collisions of networks: in the first layer, in a linear region, across regions."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.preimage.collisions.checks import check_collision
from unrelu import Box, Polytope, collide
from unrelu.certificates import CollisionCertificate, NetworkCollisionCertificate, verify
from unrelu.errors import UnreluError


def trace(*modules, n):
    return unrelu.trace(nn.Sequential(*modules).double(), torch.zeros(1, n, dtype=torch.float64))


def linear(weight, bias=None):
    weight = torch.as_tensor(np.asarray(weight), dtype=torch.float64)
    module = nn.Linear(weight.shape[1], weight.shape[0], dtype=torch.float64)
    module.weight.data = weight
    module.bias.data = (
        torch.zeros(len(weight)) if bias is None else torch.as_tensor(bias, dtype=torch.float64)
    )
    return module


def folded(n=4, hidden=3, outputs=2, seed=0):
    """A first layer that is injective, with narrow layers behind it."""
    torch.manual_seed(seed)
    basis = np.random.default_rng(seed).standard_normal((n, n))
    inner = [nn.Linear(2 * n, hidden), nn.ReLU(), nn.Linear(hidden, outputs)]
    return trace(linear(np.vstack([basis, -basis])), nn.ReLU(), *inner, n=n)


def check_network(net, x, found, domain=None):
    other = np.asarray(found.x)
    outputs = net.forward(np.stack([other, x]))
    assert np.abs(outputs[0] - outputs[1]).max() <= 1e-12 * np.abs(outputs[1]).max()
    assert found.output_difference <= 1e-12 and found.optimal_gap is None
    assert found.distance == pytest.approx(np.linalg.norm(other - x)) and found.distance > 1e-6
    if domain is not None:
        assert domain.contains(other)
    assert isinstance(found.certificate, NetworkCollisionCertificate | CollisionCertificate)
    assert verify(found.certificate, net).valid


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("domain", [Box(-1, 1), Polytope(np.vstack([np.eye(4), -np.eye(4)]), np.ones(8))])
def test_only_later_layers_confuse(seed, domain):
    net = folded(seed=seed)
    rng = np.random.default_rng(seed)
    x, target = rng.uniform(-1, 1, (2, 4))
    assert collide(net[0], x, domain=domain) is None
    found = collide(net, x, towards=target, domain=domain)
    assert found.region in {"linear region", "across regions"}
    assert isinstance(found.certificate, NetworkCollisionCertificate)
    check_network(net, x, found, domain)
    assert found.target_distance <= np.linalg.norm(x - target) or "original" in found.reason


def test_crossing_borders_pays():
    better = 0
    for seed in range(5):
        net = folded(hidden=4, outputs=1, seed=seed)
        x, target = np.random.default_rng(10 + seed).uniform(-1, 1, (2, 4))
        found = collide(net, x, towards=target, domain=Box(-1, 1))
        check_network(net, x, found, Box(-1, 1))
        better += found.region == "across regions"
    assert better > 0


def test_the_absolute_value_is_crossed():
    # |x_1| + x_2: the region of x ends where x_1 = 0, and the best collision lies beyond it.
    first = linear([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], [0.0, 0.0, 5.0])
    net = trace(first, nn.ReLU(), linear(np.ones((1, 3))), n=2)
    x = np.array([1.0, 0.5])
    found = collide(net, x, towards=np.array([-2.0, 0.5]))
    assert found.region == "across regions"
    assert found.x == pytest.approx([-1.5, 0.0])
    check_network(net, x, found)
    # Towards a point where the output is larger, nothing is nearer than the original.
    found = collide(net, x, towards=np.array([2.0, 1.5]))
    assert "original" in found.reason
    check_network(net, x, found)


@pytest.mark.parametrize(
    "arguments", [{"along": np.array([1.0, 0.0, -1.0, 0.0])}, {}, {"objective": "linear"}]
)
def test_other_objectives(arguments):
    net, rng = folded(seed=7), np.random.default_rng(7)
    x, target = rng.uniform(-1, 1, (2, 4))
    if "objective" in arguments:
        arguments = {**arguments, "towards": target}
    found = collide(net, x, domain=Box(-1, 1), **arguments)
    check_network(net, x, found, Box(-1, 1))
    goal = arguments.get("along", arguments.get("towards"))
    assert goal is None or goal @ found.x > goal @ x


def test_the_first_layer_may_be_best():
    torch.manual_seed(0)
    net = trace(nn.Linear(6, 3), nn.ReLU(), nn.Linear(3, 9), nn.ReLU(), n=6)
    x, target = np.random.default_rng(0).random((2, 6))
    found = collide(net, x, towards=target, domain=Box(0, 1))
    alone = collide(net[0], x, towards=target, domain=Box(0, 1))
    assert found.target_distance <= alone.target_distance + 1e-9
    check_network(net, x, found, Box(0, 1))


def test_proved_singletons():
    basis = np.random.default_rng(1).standard_normal((3, 3))
    doubled = linear(np.vstack([basis, -basis]))
    wide = linear(np.vstack([np.eye(6), -np.eye(6)]))
    x = np.array([0.5, -1.0, 0.25])
    assert collide(trace(doubled, nn.ReLU(), wide, nn.ReLU(), n=3), x) is None  # a layer after the other
    summed = trace(linear(np.vstack([np.eye(3), -np.eye(3)])), nn.ReLU(), linear(np.ones((1, 6))), n=3)
    assert collide(summed, np.zeros(3)) is None  # the sum of absolute values is 0 at 0 only


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(5, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        return self.last(torch.relu(self.second(hidden)) + hidden)


class Skipping(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 3)

    def forward(self, x):
        return torch.relu(self.first(x)) + x


def test_networks_that_are_no_chain():
    torch.manual_seed(0)
    net = unrelu.trace(Residual().double(), torch.zeros(1, 5, dtype=torch.float64))
    x, target = np.random.default_rng(0).random((2, 5))
    found = collide(net, x, towards=target, domain=Box(0, 1))
    assert found.region == "layer" and "only the first layer was searched" in found.reason
    check_network(net, x, found, Box(0, 1))
    check_collision(net[0], x, found, Box(0, 1))
    # What passes the first layer by sees the input too.
    net = unrelu.trace(Skipping().double(), torch.zeros(1, 3, dtype=torch.float64))
    with pytest.raises(UnreluError, match="only the first layer was searched"):
        collide(net, np.array([0.5, 0.5, 0.5]))


def test_convolutions_with_pooling():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 1, 3, stride=2), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 3), nn.ReLU()
    ).double()
    net = unrelu.trace(model, torch.zeros(1, 1, 9, 9, dtype=torch.float64))
    x, target = torch.rand(2, 1, 9, 9, dtype=torch.float64)
    found = collide(net, x, towards=target, domain=Box(0, 1))
    assert found.x.shape == (1, 9, 9) and isinstance(found.x, torch.Tensor)
    assert (net.forward(found.x[None]) - net.forward(x[None])).abs().max() < 1e-12


def test_a_chain_of_convolutions():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 2, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(18, 3),
    ).double()
    net = unrelu.trace(model, torch.zeros(1, 1, 5, 5, dtype=torch.float64))
    x, target = np.random.default_rng(0).random((2, 1, 5, 5))
    found = collide(net, x, towards=target, domain=Box(0, 1), time_limit=20)
    assert found.x.shape == (1, 5, 5) and found.output_difference < 1e-12
    assert found.target_distance < 0.5 * np.linalg.norm(x - target)
    assert verify(found.certificate, net).valid
