"""Networks cut at normalisations by statistics."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.layers.from_onnx.models import Graph, numbers, save
from unrelu.errors import ArgumentError


def traced(*modules, n=3):
    torch.manual_seed(0)
    return unrelu.trace(nn.Sequential(*modules), torch.zeros(1, n))


def test_parts_put_together_are_the_network(rng):
    """With the normalisations computed in between."""
    layers = [nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 4), nn.LayerNorm(4), nn.Linear(4, 5), nn.ReLU()]
    net = traced(*layers)
    first, second = net.segments()
    assert [len(part.layers) for part in (first, second)] == [1, 1]
    assert (first.node, second.node) == ("native_layer_norm", "")
    assert second.normalisation is None and first.normalisation.count == 4
    x = torch.from_numpy(rng.standard_normal((5, 3)))
    hidden = first.last.apply(first.layers[0].apply(x)) + layers[2].bias.detach().double()
    centred = hidden - hidden.mean(dim=1, keepdim=True)
    unit = centred / torch.sqrt(centred.square().mean(dim=1, keepdim=True) + layers[3].eps)
    scaled = unit * first.normalisation.gain + first.normalisation.offset
    np.testing.assert_allclose(second.layers[0].apply(scaled), net.forward(x), rtol=1e-12, atol=1e-14)


def test_a_chain_is_one_segment():
    (only,) = traced(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)).segments()
    assert len(only.layers) == 1 and only.last.m == 2


def test_a_relu_behind_a_normalisation():
    first, second = traced(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 9), nn.ReLU()).segments()
    assert first.rectified and not second.rectified
    assert second.ends_in_relu and not second.is_empty


@pytest.mark.parametrize(
    ("modules", "told"),
    [
        ([nn.Linear(3, 4), nn.ReLU(), nn.Tanh()], "'tanh' is tanh"),
        ([nn.LayerNorm(3), nn.Tanh(), nn.ReLU()], "'tanh' is tanh"),
    ],
)
def test_other_nodes_are_named(modules, told):
    with pytest.raises(ArgumentError, match=told):
        traced(*modules).segments()


def test_nothing_is_decided_of_a_relu_behind_a_normalisation():
    decision = unrelu.decide(traced(nn.Linear(3, 4), nn.LayerNorm(4), nn.ReLU(), nn.Linear(4, 9), nn.ReLU()))
    assert decision.verdict is unrelu.Verdict.UNKNOWN


def test_readers_of_several_activations_are_named():
    class Skip(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm = nn.Linear(3, 3), nn.LayerNorm(3)

        def forward(self, x):
            return self.norm(torch.relu(self.first(x))) + torch.relu(self.first(x) + x)

    with pytest.raises(ArgumentError, match="not 'native_layer_norm' alone"):
        unrelu.trace(Skip(), torch.zeros(1, 3)).segments()


@pytest.mark.parametrize(
    ("operator", "shape", "parameter", "count"),
    [("LayerNormalization", (1, 3, 4), 4, 4), ("InstanceNormalization", (1, 3, 4, 2), 3, 8)],
)
def test_normalisations_of_onnx_files(operator, shape, parameter, count, tmp_path):
    graph = Graph(shape)
    positive = graph.add("Relu", "x", name="positive")
    scale, offset = numbers(parameter), numbers(parameter, seed=1)
    path = save(graph.model(graph.add(operator, positive, scale, offset)), tmp_path)
    first, _ = unrelu.trace(path).segments()
    assert first.normalisation.count == count
    axes = (-1,) if parameter == shape[-1] else (-1, 1, 1)
    for found, given in ((first.normalisation.gain, scale), (first.normalisation.offset, offset)):
        expected = np.broadcast_to(given.reshape(axes), shape).ravel()
        np.testing.assert_array_equal(found.numpy(), expected)
