"""What an audit expects of the way back under noise, against pseudo-inverses and against noise itself."""

import numpy as np
import pytest

import unrelu
from tests.recipes import RECIPES
from tests.reference.inverse import expected_error
from unrelu.audit._noise import NOISE, RelativeNoise
from unrelu.frames import analyse_points


def audited(layer, points, **options):
    asked = {"decide": 0, "lipschitz": 0, "spectra": 0, "classify": 0, "collisions": 0} | options
    return unrelu.audit(layer, points, **asked).layers[0]


def twins(layer, points):
    """Relative expected errors of the points that are given back, one pseudo-inverse each."""
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    singleton = analyse_points(layer, points).singleton
    for x in points[(singleton == 1) & (points != 0).any(axis=1)]:
        y = np.maximum(weight @ x + bias, 0)
        std = NOISE * np.sqrt(np.mean(y**2))
        yield expected_error(weight[y > 0], np.full((y > 0).sum(), std)) / np.linalg.norm(x)


@pytest.mark.parametrize(
    "name",
    ["generic", "zero_row", "repeated_row", "antiparallel_covering", "all_active", "scaled_row"],
)
def test_against_pseudo_inverses(name):
    recipe = RECIPES[name]()
    found = audited(recipe.layer, recipe.points)
    expected = list(twins(recipe.layer, recipe.points))
    assert expected and found.noisy_samples == len(expected)
    for figure, value in (
        (found.error_noisy.minimum, min(expected)),
        (found.error_noisy.median, np.median(expected)),
        (found.error_noisy.maximum, max(expected)),
    ):
        assert figure == pytest.approx(value, rel=0.6)


@pytest.mark.parametrize(
    "name", ["rank_deficient", "empty_active_set", "fewer_rows", "zero_matrix", "no_rows"]
)
def test_nothing_is_expected_of_what_is_lost(name):
    recipe = RECIPES[name]()
    found = audited(recipe.layer, recipe.points)
    assert (found.error_noisy, found.noisy_samples) == (None, 0)


def test_against_noise_itself(rng):
    layer = unrelu.ReLULayer(rng.standard_normal((80, 20)), np.full(80, 0.5))
    x = rng.standard_normal((300, 20))
    y = layer.apply(x)
    size = np.sqrt(np.mean(y**2, axis=1, keepdims=True))
    disturbed = np.where(y > 0, np.abs(y + NOISE * size * rng.standard_normal(y.shape)), 0)
    off = np.linalg.norm(unrelu.invert(layer, disturbed).x - x, axis=1) / np.linalg.norm(x, axis=1)
    found = audited(layer, x)
    assert found.noisy_samples == 200
    assert found.singleton.count == 300
    assert found.error_noisy.median == pytest.approx(np.median(off), rel=0.1)


def test_noise_is_in_proportion():
    y = np.array([[3.0, 4.0], [0.0, 0.0], [3e200, 4e200], [3e-200, 4e-200]])
    std = RelativeNoise(0.1).std(y)
    assert np.allclose(std[[0, 2, 3]] / y[[0, 2, 3], :1], 0.1 * np.sqrt(12.5) / 3)
    assert not std[1].any()
    assert np.isinf(RelativeNoise(0.1).bound(y)).all()


def test_reconstructions_are_those_without_noise(rng):
    """Noise is stated for some of the samples only, and changes none of the other figures."""
    layer = unrelu.ReLULayer(rng.standard_normal((30, 10)))
    points = rng.standard_normal((40, 10))
    found, back = audited(layer, points), unrelu.invert(layer, layer.apply(points))
    given = back.unique
    assert 0 < given.sum() < 40
    assert found.reconstructed == 40 and found.noisy_samples == given.sum()
    assert found.condition.median == pytest.approx(np.median(back.condition[given]), rel=0.1)
    lost = np.linalg.norm(back.x - points, axis=1)[~given] / np.linalg.norm(points, axis=1)[~given]
    assert found.error_other.median == pytest.approx(np.median(lost), rel=1e-9)
    assert found.error.maximum < 1e-9
