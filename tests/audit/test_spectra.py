"""Singular values from the data up to each layer, in an audit."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.recipes import RECIPES
from tests.reference.stability import values_of
from unrelu.audit import _run, _spectra
from unrelu.layers import Network

OFF = {"decide": 0, "lipschitz": 0, "classify": 0, "collisions": 0, "reconstruct": 0}


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    parts = [nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 20), nn.ReLU()]
    return nn.Sequential(*parts, nn.Linear(20, 4)).double()


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(2).standard_normal((9, 1, 6, 6))


def test_medians_against_a_derivative_a_sample(model, points):
    network = unrelu.trace(model, points[:1])
    layers = unrelu.audit(network, points, spectra=3, **OFF).layers
    chosen = torch.from_numpy(points[[0, 4, 8]])
    for layer, stages in zip(layers, ((1, 2), (5, 6)), strict=True):
        found = layer.spectrum
        assert (found.samples, found.directions) == (3, 36)
        for side, stage in zip((found.before, found.after), stages, strict=True):
            values = np.array([values_of(model[:stage], x) for x in chosen])
            rank = (values > 1e-12 * values[:, :1]).sum(axis=1)
            smallest = values[np.arange(3), rank - 1]
            assert side.rank == np.median(rank)
            assert side.largest == pytest.approx(np.median(values[:, 0]))
            assert side.smallest == pytest.approx(np.median(smallest))
            assert side.condition == pytest.approx(np.median(values[:, 0] / smallest))
            places = np.array(side.numbers) - 1
            assert places[0] == 0 and places[-1] == int(side.rank) - 1
            assert side.values == pytest.approx(np.median(values, axis=0)[places])


@pytest.mark.parametrize("name", RECIPES)
def test_single_layers(name):
    recipe = RECIPES[name]()
    network = Network.of_layer(recipe.layer)
    figures, whole = _spectra.spectra_of(network, list(network), recipe.points)
    (found,) = figures.values()
    assert whole and found.samples == len(recipe.points)
    with np.errstate(over="ignore"):
        values = np.linalg.svd(recipe.weight, compute_uv=False)
    assert found.before.rank <= min(recipe.weight.shape)
    if found.before.largest is None:
        assert not values.any()
    else:
        assert found.before.largest == pytest.approx(values[0])
    for side in (found.before, found.after):
        assert len(side.numbers) == len(side.values) <= np.ceil(side.rank)
        assert list(side.values) == sorted(side.values, reverse=True)
        assert all(
            (side.rank == 0) == (part is None) for part in (side.largest, side.smallest, side.condition)
        )


def test_long_curves_are_thinned():
    spectrum = unrelu.audit(unrelu.ReLULayer(np.diag(np.arange(500, 0, -1.0))), np.ones((1, 500)), **OFF)
    side = spectrum.layers[0].spectrum.before
    assert len(side.values) == 200
    assert (side.numbers[0], side.numbers[-1], side.values[0], side.values[-1]) == (1, 500, 500.0, 1.0)


def test_what_takes_long_is_left_out_with_one_note(model, points, monkeypatch):
    network = unrelu.trace(model, points[:1])
    assert _spectra.affordable(network) >= set(network)
    first = 36 * 48 * 36 + 8 * 36**3
    monkeypatch.setattr(_spectra, "_WORK", first)
    kept, other = unrelu.audit(network, points, **OFF).layers
    assert kept.spectrum is not None and other.spectrum is None
    assert (len(kept.notes), len(other.notes)) == (0, 1)
    assert "along all 36 inputs" in other.notes[0] and "`unrelu spectrum`" in other.notes[0]
    monkeypatch.setattr(_spectra, "_WORK", first - 1)
    layers = unrelu.audit(network, points, **OFF).layers
    assert [layer.spectrum for layer in layers] == [None, None]
    assert [len(layer.notes) for layer in layers] == [1, 0]


def test_wide_inputs_are_left_out():
    """The derivative of the input itself would not fit."""
    layer = unrelu.ReLULayer(np.ones((1, 6000)))
    assert not _spectra.affordable(Network.of_layer(layer))


def test_none_asked_for(model, points):
    layers = unrelu.audit(unrelu.trace(model, points[:1]), points, spectra=0, **OFF).layers
    assert [(layer.spectrum, layer.notes) for layer in layers] == [(None, ())] * 2
    with pytest.raises(unrelu.errors.ArgumentError, match="spectra: expected a whole number of at least 0"):
        unrelu.audit(unrelu.trace(model, points[:1]), points, spectra=-1)


@pytest.mark.parametrize("early", [True, False])
def test_an_interrupt_marks_the_audit(model, points, monkeypatch, early):
    """Before the first sample there are no figures; later there are, about fewer samples."""
    whole = _run.spectra_of

    def interrupted(network, names, x):
        if early:
            raise KeyboardInterrupt
        return whole(network, names, x[:1])[0], False

    monkeypatch.setattr(_run, "spectra_of", interrupted)
    result = unrelu.audit(unrelu.trace(model, points[:1]), points, **OFF | {"decide": 1})
    assert result.partial
    assert [layer.injectivity for layer in result.layers] == [None, None]
    assert [layer.spectrum is None for layer in result.layers] == [early] * 2
