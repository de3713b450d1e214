"""Noisy outputs: what is expected, what is bounded, and what happens."""

import numpy as np
import pytest

from tests.reference import inverse as reference
from unrelu import ReLULayer, invert
from unrelu.errors import ArgumentError
from unrelu.inverse import Gaussian, Quantised, Rounded


def disturbed(rng, y, noise):
    match noise:
        case Gaussian():
            return y + noise.deviation * rng.standard_normal(y.shape)
        case Quantised():
            return np.round(y / noise.step) * noise.step
        case Rounded():
            return y.astype(noise.dtype).astype(np.float64)


NOISES = [Gaussian(0.01), Quantised(0.02), Rounded("float16"), Rounded("float32")]


@pytest.mark.parametrize("method", ["cholesky", "cg"])
@pytest.mark.parametrize("noise", NOISES)
def test_the_expected_error_is_the_measured_one(rng, noise, method):
    layer = ReLULayer(rng.standard_normal((120, 30)), rng.standard_normal(120))
    x = rng.standard_normal((200, 30))
    found = invert(layer, disturbed(rng, layer.apply(x), noise), noise=noise, method=method)
    off = np.linalg.norm(found.x - x, axis=1)
    good = found.unique
    assert good.mean() > 0.9
    measured, expected = (np.sqrt(np.mean(np.square(v[good]))) for v in (off, found.expected_error))
    assert measured == pytest.approx(expected, rel=0.15)
    assert np.median(off[good] / found.expected_error[good]) == pytest.approx(1, abs=0.2)
    if isinstance(noise, Gaussian):
        assert np.isinf(found.error_bound).all()
    else:
        assert np.all(off <= found.error_bound)
        assert np.median(found.error_bound[good] / off[good]) < 1000


@pytest.mark.parametrize("method", ["cholesky", "cg"])
def test_the_expected_error_against_pseudo_inverses(rng, method):
    layer = ReLULayer(rng.standard_normal((60, 20)), rng.standard_normal(60))
    y = layer.apply(rng.standard_normal((20, 20)))
    for noise in (Gaussian(1e-4), Rounded("float16")):
        found = invert(layer, y, noise=noise, method=method)
        for k in range(20):
            trusted = noise.trusted(y[k])
            std = noise.std(y[k])[trusted]
            expected = reference.expected_error(layer.dense().numpy()[trusted], std)
            assert found.expected_error[k] == pytest.approx(expected, rel=0.6)
    assert np.array_equal(invert(layer, y).expected_error, np.zeros(20))


def test_rows_within_the_noise_are_not_used(rng):
    layer = ReLULayer(rng.standard_normal((200, 10)), rng.standard_normal(200))
    x = rng.standard_normal((50, 10))
    y = layer.apply(x) + 0.05 * rng.standard_normal((50, 200))
    with pytest.raises(ArgumentError, match="negative entries"):
        invert(layer, y)
    naive = np.linalg.norm(invert(layer, y.clip(min=0)).x - x, axis=1)
    aware = np.linalg.norm(invert(layer, y, noise=0.05).x - x, axis=1)
    assert np.median(aware) < 0.9 * np.median(naive)


def test_low_precision_outputs_are_bounded_by_their_dtype(rng):
    layer = ReLULayer(rng.standard_normal((60, 8)))
    x = rng.standard_normal((20, 8))
    for dtype in (np.float16, np.float32):
        found = invert(layer, layer.apply(x).astype(dtype))
        off = np.linalg.norm(found.x - x, axis=1)
        assert np.all(off <= found.error_bound)
        assert np.all(found.error_bound < 1e3 * np.finfo(dtype).eps)
        assert np.array_equal(found.expected_error, np.zeros(20))


def test_bounds_hold_for_ill_conditioned_layers(rng):
    for condition in np.geomspace(10, 1e7, 13):
        left, _, right = np.linalg.svd(rng.standard_normal((40, 8)), full_matrices=False)
        layer = ReLULayer(left * np.geomspace(1, 1 / condition, 8) @ right, np.full(40, 3.0))
        x = rng.standard_normal((20, 8))
        found = invert(layer, layer.apply(x))
        assert found.unique.all()
        assert np.all(np.linalg.norm(found.x - x, axis=1) <= found.error_bound)
        assert np.all(found.error_bound <= 1e-12 * condition * 10)


@pytest.mark.parametrize(
    ("noise", "message"),
    [
        (-1.0, "deviation: expected a positive number"),
        (float("nan"), "deviation"),
        ("float8", "dtype: expected 'float16' or 'float32'"),
        (True, "noise: expected a standard deviation"),
        ([1.0], "noise: expected a standard deviation"),
    ],
)
def test_noise_that_is_none(noise, message):
    with pytest.raises(ArgumentError, match=message):
        invert(ReLULayer(np.eye(2)), np.ones(2), noise=noise)


def test_steps_that_are_none():
    with pytest.raises(ArgumentError, match="step: expected a positive number"):
        Quantised(0.0)
    assert invert(ReLULayer(np.eye(2)), np.ones(2), noise=0).expected_error == 0
