"""Lipschitz constants in an audit."""

import numpy as np
import pytest
import torch

import unrelu
from tests.recipes import RECIPES
from unrelu.audit._lipschitz import lipschitz_of


def audited(layer, points, **options):
    asked = {"decide": 0, "spectra": 0, "classify": 0, "collisions": 0} | options
    return unrelu.audit(layer, points, **asked).layers[0].lipschitz


@pytest.mark.parametrize("name", RECIPES)
def test_pairs_of_points_lie_between(name):
    recipe = RECIPES[name]()
    found = lipschitz_of(recipe.layer, torch.from_numpy(recipe.points[:4]), 0.02)
    assert (found is None) == recipe.layer.linear.is_sparse
    if found is None:
        return
    assert found.points == 4
    for ends in (found.upper, found.lower, found.condition):
        assert 0 <= ends.low <= ends.high
    with np.errstate(over="ignore", invalid="ignore"):
        outputs = np.maximum(recipe.points @ recipe.weight.T + recipe.bias, 0)
        apart = np.linalg.norm(recipe.points[:, None] - recipe.points, axis=2)
        ratio = np.linalg.norm(outputs[:, None] - outputs, axis=2)[apart > 0] / apart[apart > 0]
    ratio = ratio[np.isfinite(ratio)]
    assert ratio.max(initial=0) <= found.upper.high * (1 + 1e-9)
    assert ratio.min(initial=np.inf) >= found.lower.low * (1 - 1e-9)


def test_a_small_layer_is_searched_to_the_end():
    layer = unrelu.ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]))
    found = audited(layer, np.array([[1.0, 2.0], [-1.0, 3.0]]))
    assert found.complete and found.points == 2
    assert found.upper.high == pytest.approx(1) and found.lower.low == pytest.approx(0.5)
    assert found.condition.low == pytest.approx(2**0.5) and found.condition.high == pytest.approx(2)


def test_nothing_bounds_the_way_back_of_a_layer_that_is_not_injective(rng):
    layer, points = unrelu.ReLULayer(rng.standard_normal((160, 64))), rng.standard_normal((3, 64))
    assert audited(layer, points).lower.high > 0
    found = audited(layer, points, decide=1.0)
    assert (found.lower.low, found.lower.high) == (0, 0)
    assert (found.condition.low, found.condition.high) == (np.inf, np.inf)


def test_not_asked_for():
    assert audited(unrelu.ReLULayer(np.eye(2)), np.ones((1, 2)), lipschitz=0) is None


def test_large_layers_and_convolutions_are_left_out(rng):
    convolution = unrelu.ReLULayer.from_module(torch.nn.Conv2d(1, 2, 3), input_shape=(1, 12, 12))
    assert audited(convolution, rng.standard_normal((3, 1, 12, 12))) is None
    large = unrelu.ReLULayer(np.zeros((1001, 1000)))
    assert lipschitz_of(large, torch.zeros(1, 1000, dtype=torch.float64), 1.0) is None


@pytest.mark.parametrize("limit", [-1.0, float("nan"), float("inf")])
def test_seconds_are_checked(limit):
    with pytest.raises(unrelu.errors.ArgumentError, match="lipschitz: expected a number of seconds >= 0"):
        audited(unrelu.ReLULayer(np.eye(2)), np.ones((1, 2)), lipschitz=limit)
