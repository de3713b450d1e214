"""The two measures of invertibility on data, against naive twins."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.recipes import RECIPES
from tests.reference import nn as naive
from unrelu.errors import ArgumentError
from unrelu.nn import measure_invertibility, project_bias_


def small_network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 7), nn.BatchNorm1d(7), nn.ReLU(), nn.Dropout(), nn.Linear(7, 16), nn.ReLU()
    )


def test_points_of_a_network_are_counted_layer_by_layer():
    model, x = small_network(), np.random.default_rng(0).standard_normal((40, 3))
    found = measure_invertibility(model, x, biases=False, step=3)
    network = unrelu.trace(model, x[:1])
    assert list(found) == list(network) == ["0", "4"]
    assert found.step == 3
    for layer, inputs in network.walk(torch.from_numpy(x)):
        share = naive.singleton_share(layer.dense().numpy(), layer.bias.numpy(), inputs.numpy())
        figures = found[layer.name]
        assert figures.singleton_share == share
        assert (figures.n, figures.m, figures.samples) == (layer.n, layer.m, 40)
        assert figures.bias_share is None


@pytest.mark.parametrize(
    "name", ["generic", "zero_row", "repeated_row", "rank_deficient", "empty_active_set"]
)
def test_certified_points(name):
    recipe = RECIPES[name]()
    found = measure_invertibility(recipe.layer, recipe.points, biases=False, certify=True)["relu"]
    assert found.certified
    assert found.singleton_share == naive.singleton_share(recipe.weight, recipe.bias, recipe.points)


def test_rows_of_zeros_do_not_count():
    layer = unrelu.ReLULayer(np.array([[0.0, 0.0], [1.0, 0.0]]), np.ones(2))
    assert measure_invertibility(layer, np.ones((2, 2)), biases=False)["relu"].singleton_share == 0


def test_biases_below_given_bounds():
    layer = unrelu.ReLULayer(np.eye(4)[:, :2], np.array([-1.0, 0.0, 1.0, -3.0]))
    found = measure_invertibility(layer, np.ones((2, 2)), {"relu": [1.0, -1.0, -1.0, math.inf]})
    assert found["relu"].bias_share == 0.75


def test_biases_below_their_estimate():
    """A projected bias is below, a lowered one is not."""
    torch.manual_seed(0)
    linear, x = nn.Linear(4, 12), torch.randn(60, 4)
    model = nn.Sequential(linear, nn.ReLU())
    alpha = unrelu.bias.estimate_bias(unrelu.trace(model, x)[0], x).alpha
    project_bias_(linear, alpha)
    assert measure_invertibility(model, x)["0"].bias_share == 1
    assert measure_invertibility(model, x)["0"].singleton_share >= 0.5  # a row at 0 does not count as active
    with torch.no_grad():
        linear.bias[:3] = -100
    finite = np.isfinite(np.asarray(alpha)[:3]).sum()
    assert measure_invertibility(model, x)["0"].bias_share == pytest.approx(1 - finite / 12)


def test_noise_lowers_the_estimate():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 12), nn.ReLU()), torch.randn(60, 4)
    shares = [
        measure_invertibility(model, x, noise_std=std, n_samples=4000)["0"].bias_share for std in (0.0, 3.0)
    ]
    assert shares[0] > shares[1]


def test_layers_without_enough_rows():
    model, x = nn.Sequential(nn.Linear(6, 4), nn.ReLU()), torch.randn(20, 6)
    found = measure_invertibility(model, x)["0"]
    assert found.singleton_share == 0
    assert found.bias_share is None


def test_the_model_is_left_alone():
    model, x = small_network(), torch.randn(20, 3)
    model(x).sum().backward()
    model[1].eval()
    before, state = copy.deepcopy(model), torch.get_rng_state()
    measure_invertibility(model, x)
    assert torch.equal(torch.get_rng_state(), state)
    for old, new in zip(before.parameters(), model.parameters(), strict=True):
        assert torch.equal(old, new) and new.requires_grad
    assert all(torch.equal(a, b) for a, b in zip(before.buffers(), model.buffers(), strict=True))
    assert [m.training for m in model.modules()] == [m.training for m in before.modules()]
    assert all(p.grad is not None for p in model.parameters())


def test_many_samples_come_in_parts(monkeypatch):
    model, x = small_network(), torch.randn(50, 3)
    whole = measure_invertibility(model, x)
    monkeypatch.setattr("unrelu.nn._invertibility._CHUNK_BYTES", 8 * 23 * 7)
    assert measure_invertibility(model, x) == whole


def test_datasets_are_taken_as_they_are():
    digits = unrelu.load("digits")
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU())
    assert measure_invertibility(model, digits, biases=False)["1"].samples == len(digits.inputs)


@pytest.mark.parametrize(
    ("data", "alpha", "message"),
    [
        (torch.zeros(0, 3), None, r"data: expected samples of shape \(N, ...\), got shape \(0, 3\)"),
        (torch.zeros(3), None, r"data: .* got shape \(3,\)"),
        (torch.full((2, 3), math.nan), None, "data: expected finite numbers"),
        (torch.zeros(2, 4), None, r"x: expected an array of shape \(..., 3\), got \(2, 4\)"),
        (torch.zeros(2, 3), {"one": [0.0]}, "alpha_star: no layer 'one'; the layers are '0', '4'"),
        (torch.zeros(2, 3), {"0": [0.0]}, r"alpha_star\['0'\]: expected shape \(7,\), got \(1,\)"),
    ],
)
def test_what_is_refused(data, alpha, message):
    network = unrelu.trace(small_network(), torch.zeros(1, 3))
    with pytest.raises(ArgumentError, match=message):
        measure_invertibility(network, data, alpha)


def test_unknown_layers_of_a_result_are_named():
    found = measure_invertibility(small_network(), torch.zeros(2, 3), biases=False)
    with pytest.raises(KeyError, match="no layer 'x'; the layers are '0', '4'"):
        found["x"]
    assert len(found) == 2
