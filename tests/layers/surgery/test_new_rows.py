"""Rows appended to layers and traced networks."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.layers.links.through import check_links
from unrelu import Network, ReLULayer, trace
from unrelu.layers import Convolution, Dense, Reindex, compose
from unrelu.layers.surgery import NewRows, append_to_network, appended, convolution_of

NONE = np.zeros(0, dtype=np.int64)


def new_rows(rng, n: int, partners=(0, 2), count: int = 3, pairs: int = 2) -> NewRows:
    return NewRows(np.array(partners), rng.standard_normal((count, n)), rng.standard_normal(count), pairs)


def test_rows(rng):
    layer = ReLULayer(rng.standard_normal((4, 3)), rng.standard_normal(4), name="a", node="b")
    new = new_rows(rng, 3)
    done = appended(layer, new)
    W, b = layer.dense().numpy(), layer.bias.numpy()
    assert np.array_equal(done.dense(), np.vstack([W, -W[[0, 2]], new.weight, -new.weight[:2]]))
    assert np.array_equal(done.bias, np.concatenate([b, -b[[0, 2]], new.bias, -new.bias[:2]]))
    assert (done.name, done.node, done.m, new.count) == ("a", "b", 11, 7)
    assert isinstance(done.linear, Dense) and not new.of_channels


def test_rounded_numbers_stay_rounded(rng):
    layer = ReLULayer(rng.standard_normal((4, 3)), rounded=True)
    assert not appended(layer, new_rows(rng, 3)).exact
    conv = Convolution(torch.ones(4, 1, 2).double(), (1, 4), exact=False)
    grown = appended(ReLULayer(conv), NewRows(NONE, rng.standard_normal((1, 1, 2)), np.zeros(1), 1))
    assert isinstance(grown.linear, Convolution) and not grown.exact


def test_channels(rng):
    layer = ReLULayer.from_module(nn.Conv2d(2, 3, 2, stride=2), (2, 6, 6))
    weight = rng.standard_normal((2, 2, 2, 2))
    done = appended(layer, NewRows(np.array([1]), weight, np.array([0.5, -1.0]), 1))
    assert isinstance(done.linear, Convolution) and done.out_shape == (7, 3, 3)
    x = torch.from_numpy(rng.standard_normal((4, 2, 6, 6)))
    z = nn.functional.conv2d(x, torch.from_numpy(weight), torch.tensor([0.5, -1.0]).double(), stride=2)
    old = layer.preactivation(x)
    expected = torch.cat([old, -old[:, 1:2], z, -z[:, :1]], dim=1)
    assert torch.allclose(done.preactivation(x), expected, rtol=0, atol=1e-12)


def test_which_maps_are_convolutions():
    conv = Convolution(torch.ones(3, 2, 2, 2).double(), (2, 4, 4))
    turn = Reindex.moving(lambda t: t.permute(2, 0, 1), (4, 4, 2))[0]
    first = Reindex(torch.arange(32), (5, 4, 4), (2, 4, 4))
    last = Reindex(torch.arange(16, 48), (5, 4, 4), (2, 4, 4))
    assert convolution_of(conv) == (conv, None)
    known = convolution_of(compose(conv, turn))
    assert known is not None and known[0] is conv and torch.equal(known[1].index, turn.index)
    widened, movement = convolution_of(compose(conv, first))
    assert movement is None and torch.equal(widened.dense(), compose(conv, first).dense())
    assert convolution_of(compose(conv, last)) is None
    assert convolution_of(Dense(torch.ones(2, 2))) is None


@pytest.mark.parametrize("position", [0, 1])
def test_networks(rng, position):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2)).double()
    x = torch.from_numpy(rng.standard_normal((20, 3)))
    net = trace(model, x[:1])
    layer = net[position]
    new = new_rows(rng, layer.n)
    done = append_to_network(net, layer, new)
    assert list(done) == list(net) and done.skipped == net.skipped
    assert done[position].record().sha256 == appended(layer, new).record().sha256
    assert check_links(done)
    assert torch.allclose(done.forward(x), net.forward(x), rtol=0, atol=1e-12)
    if position == 0:
        assert done[1].n == 11 and not done[1].dense()[:, 4:].any()


def test_a_skip_connection_reads_the_old_rows(rng):
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 4).double(), nn.Linear(4, 4).double()

        def forward(self, x):
            h = torch.relu(self.a(x))
            return torch.relu(self.b(h)) + h

    x = torch.from_numpy(rng.standard_normal((20, 3)))
    net = trace(Residual(), x[:1])
    done = append_to_network(net, net["a"], new_rows(rng, 3))
    assert torch.allclose(done.forward(x), net.forward(x), rtol=0, atol=1e-12)
    assert check_links(net) and check_links(done)
    assert [link.n for link in done.links()] == [3, 11]


def test_one_layer_as_a_network(rng):
    layer = ReLULayer(rng.standard_normal((4, 3)), rng.standard_normal(4))
    net = Network.of_layer(layer)
    new = NewRows(NONE, np.eye(3), np.zeros(3), 0)
    assert append_to_network(net, net[0], new)[0].record().sha256 == appended(layer, new).record().sha256
