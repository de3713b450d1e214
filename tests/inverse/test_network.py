"""Networks inverted layer by layer."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from unrelu import Box, invert
from unrelu.errors import ArgumentError
from unrelu.inverse import NetworkInverse
from unrelu.layers import Statistics


def traced(*modules, shape):
    torch.manual_seed(0)
    return unrelu.trace(nn.Sequential(*modules).double(), torch.zeros(1, *shape, dtype=torch.float64))


def test_expanding_layers_give_everything_back(rng):
    net = traced(nn.Linear(6, 40), nn.ReLU(), nn.Linear(40, 200), nn.ReLU(), nn.Linear(200, 200), shape=(6,))
    x = rng.standard_normal((20, 6))
    found = invert(net, net.forward(x))
    assert isinstance(found, NetworkInverse)
    assert [row.name for row in found.layers] == ["output", "2", "0"]
    assert [(row.n, row.m) for row in found.layers] == [(200, 200), (40, 200), (6, 40)]
    assert found.lost_at is None
    assert found.unique.mean() > 0.9
    assert np.abs(found.x - x)[found.unique].max() <= 1e-9
    assert found.residual[found.unique].max() <= 1e-9
    assert np.all(found.condition[found.unique] > 1)


def test_where_information_is_lost(rng):
    net = traced(
        nn.Linear(6, 30), nn.ReLU(), nn.Linear(30, 8), nn.ReLU(), nn.Linear(8, 20), nn.ReLU(), shape=(6,)
    )
    found = invert(net, net.forward(rng.standard_normal((5, 6))))
    assert [row.loses for row in found.layers] == [False, True, False]
    assert found.lost_at == "2"
    assert not found.unique.any()


def test_a_narrow_output(rng):
    net = traced(nn.Linear(4, 30), nn.ReLU(), nn.Linear(30, 3), shape=(4,))
    found = invert(net, net.forward(rng.standard_normal((5, 4))))
    assert found.lost_at == "output"
    assert not found.unique.any()
    assert not found.layers[0].unique.any()


def test_unique_is_never_claimed_where_another_input_has_the_output(rng):
    # The second layer determines the activations, the first one has few active rows.
    first = nn.Linear(3, 4)
    net = traced(first, nn.ReLU(), nn.Linear(4, 60), nn.ReLU(), shape=(3,))
    x = 2 * rng.standard_normal((60, 3))
    found = invert(net, net.forward(x))
    active = net[0].apply(x) > 0
    for k in range(60):
        if found.unique[k]:
            assert np.linalg.matrix_rank(net[0].dense().numpy()[active[k]]) == 3
            assert np.abs(found.x[k] - x[k]).max() <= 1e-7
    assert 0 < found.unique.sum() < 60


def test_formats_and_domain(rng):
    net = traced(nn.Flatten(), nn.Linear(9, 60), nn.ReLU(), shape=(1, 3, 3))
    x = rng.uniform(0, 1, (2, 2, 1, 3, 3))
    y = torch.from_numpy(np.asarray(net.forward(x)))
    found = invert(net, y, Box(0, 1))
    assert isinstance(found.x, torch.Tensor) and found.x.shape == x.shape
    assert found.unique.shape == found.residual.shape == found.condition.shape == (2, 2)
    assert found.layers[0].unique.shape == (2, 2)
    assert np.abs(found.x.numpy() - x).max() <= 1e-10
    empty = invert(net, y[:0])
    assert empty.x.shape == (0, 2, 1, 3, 3)


def test_networks_that_are_no_chain():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(4, 4)

        def forward(self, x):
            return x + torch.relu(self.fc(x))

    net = unrelu.trace(Skip(), torch.zeros(1, 4))
    with pytest.raises(ArgumentError, match="expected a chain"):
        invert(net, np.ones(4))


def test_bad_outputs():
    net = traced(nn.Linear(4, 9), nn.ReLU(), shape=(4,))
    for y, message in (
        (-np.ones(9), "9 negative"),
        (np.ones(8), "expected an array"),
        (np.full(9, np.nan), "NaN"),
    ):
        with pytest.raises(ArgumentError, match=message):
            invert(net, y)


NORMALISED = {
    "layer": (
        (6,),
        [nn.Linear(6, 40), nn.LayerNorm(40), nn.ReLU(), nn.Linear(40, 160), nn.LayerNorm(160), nn.ReLU()],
    ),
    "first": ((6,), [nn.LayerNorm(6), nn.Linear(6, 60), nn.ReLU(), nn.Linear(60, 60)]),
    "last": ((6,), [nn.Linear(6, 60), nn.ReLU(), nn.LayerNorm(60)]),
    "group": ((2, 6), [nn.Conv1d(2, 12, 3, padding=1), nn.GroupNorm(3, 12), nn.ReLU()]),
    "instance": (
        (2, 4, 4),
        [nn.Conv2d(2, 16, 3, padding=1), nn.InstanceNorm2d(16, affine=True), nn.ReLU()],
    ),
}


@pytest.mark.parametrize("name", NORMALISED)
def test_statistics_lead_back_through_normalisations(rng, name):
    shape, modules = NORMALISED[name]
    net = traced(*modules, shape=shape)
    x = 3 * rng.standard_normal((20, *shape)) + 1
    found = invert(net, net.forward(x), statistics=net.statistics(x))
    assert found.unique.mean() > 0.9
    assert np.abs(found.x - x)[found.unique].max() <= 1e-9
    assert found.residual[found.unique].max() <= 1e-9


def test_other_statistics_give_another_input_with_the_same_output(rng):
    net = traced(nn.Linear(6, 60, bias=False), nn.ReLU(), nn.LayerNorm(60, eps=1e-12), shape=(6,))
    x = rng.standard_normal((5, 6))
    ((node, known),) = net.statistics(x).items()
    found = invert(net, net.forward(x), statistics={node: Statistics(2 * known.mean, 2 * known.scale)})
    np.testing.assert_allclose(found.x, 2 * x, rtol=1e-9)
    assert found.residual.max() <= 1e-9


@pytest.mark.parametrize("behind", [nn.ReLU(), nn.Linear(30, 40)])
def test_an_entry_without_gain_is_lost(rng, behind):
    norm = nn.LayerNorm(30)
    norm.weight.data[3] = 0
    net = traced(nn.Linear(4, 30), nn.ReLU(), norm, behind, shape=(4,))
    x = rng.standard_normal((5, 4))
    found = invert(net, net.forward(x), statistics=net.statistics(x))
    assert not found.unique.any()
    assert (found.lost_at == "native_layer_norm") == isinstance(behind, nn.Linear)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda known: None, "statistics: expected those of 'native_layer_norm.*', got none"),
        (lambda known: {**known, "other": known["native_layer_norm"]}, "got 'native_layer_norm', 'other'"),
        (
            lambda known: {k: Statistics(v.mean[:2], v.scale) for k, v in known.items()},
            r"expected a mean of shape \(5, 1\) for 'native_layer_norm', got \(2, 1\)",
        ),
        (
            lambda known: {k: Statistics(v.mean, -v.scale) for k, v in known.items()},
            "scales > 0",
        ),
    ],
)
def test_statistics_that_do_not_fit_are_refused(rng, change, message):
    net = traced(nn.Linear(4, 30), nn.ReLU(), nn.LayerNorm(30), shape=(4,))
    x = rng.standard_normal((5, 4))
    with pytest.raises(ArgumentError, match=message):
        invert(net, net.forward(x), statistics=change(net.statistics(x)))


def test_one_layer_takes_no_statistics():
    with pytest.raises(ArgumentError, match="statistics: expected none for one layer"):
        invert(unrelu.ReLULayer(np.eye(2)), np.zeros(2), statistics={})
