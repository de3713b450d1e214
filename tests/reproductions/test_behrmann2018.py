"""Behrmann et al. 2018: every script runs on little data, and its parts do what they say."""

import json
from importlib import import_module

import numpy as np
import pytest
import torch

from reproductions import _page
from reproductions.behrmann2018 import _training, figure1, figure4
from reproductions.behrmann2018._circles import SmallNetworks, circles
from reproductions.behrmann2018._collisions import OBJECTIVES, Collider
from unrelu import preimage
from unrelu.preimage import omnidirectional

FIGURES = json.loads((_page.ROOT / "behrmann2018" / "expected.json").read_text(encoding="utf-8"))["figures"]


@pytest.fixture(scope="module")
def deep(data_folder):
    return _training.deep_network(quick=True)


@pytest.fixture(scope="module")
def networks():
    x, inner = circles()
    networks = SmallNetworks(5)
    networks.fit(x, inner, steps=100)
    return networks


def test_circles_have_their_radii():
    x, inner = circles(2000)
    radii = torch.linalg.vector_norm(x, dim=1)
    assert radii[inner == 1].mean() == pytest.approx(0.5, abs=0.01)
    assert radii[inner == 0].mean() == pytest.approx(1.0, abs=0.01)
    assert radii[inner == 0].std() == pytest.approx(0.05, abs=0.01)


def test_a_network_is_trained_as_if_it_were_alone():
    x, inner = circles()
    together, alone = SmallNetworks(3), SmallNetworks(3)
    for name in ("weight", "bias", "out_weight", "out_bias"):
        setattr(alone, name, torch.nn.Parameter(getattr(alone, name).detach()[1:2]))
    together.fit(x, inner, steps=20)
    alone.fit(x, inner, steps=20)
    assert torch.allclose(together(x)[1], alone(x)[0], atol=1e-5)


def test_plane_against_every_point(networks):
    """Kinds and condition numbers are found once for a region; here once for a point."""
    for k in range(len(networks.weight)):
        plane, layer = figure1.survey(networks, k, side=8), networks.layer(k)
        ticks = np.arange(-1.75, 2, 0.5)
        for (row, column), kind in np.ndenumerate(plane.kind):
            x = np.array([ticks[column], ticks[row]])
            assert preimage(layer, x=x).kind == kind
            active = layer.dense().numpy()[layer.preactivation(x) > 0]
            expected = np.linalg.cond(active) if len(active) else 0
            assert plane.condition[row, column] == pytest.approx(expected)
            probability = torch.sigmoid(networks(torch.as_tensor(x[None], dtype=torch.float32))[k].detach())
            assert plane.prediction[row, column] == pytest.approx(float(probability), abs=1e-6)


def test_omnidirectional_rows_have_no_infinite_preimage(networks):
    for k in range(len(networks.weight)):
        holds = omnidirectional(networks.layer(k).dense()).holds
        assert holds == ("unbounded" not in figure1.survey(networks, k, side=200).kind)


def test_strip_is_where_both_kinds_occur():
    positive = np.array([3, 5, 4, 6, 9])
    kinds = np.array(["unbounded", "unbounded", "bounded", "bounded", "singleton"])
    assert figure4.strip(positive, kinds) == (4, 5)
    assert figure4.strip(positive[2:], kinds[2:]) == (0, 0)


@pytest.mark.parametrize("normalised", [False, True])
def test_training_leaves_the_random_state_alone_and_repeats(normalised, data_folder):
    split = _training.mnist(quick=True)
    recipe = _training.Recipe("test", (20, 10), normalised, batch=64, epochs=2)
    state = torch.random.get_rng_state()
    first, second = (_training.train(split, recipe) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.model.fc1.weight, second.model.fc1.weight)
    assert len(first.history) == 2
    # the normalisation is part of the first layer
    assert first.accuracy == pytest.approx(first.history[-1]["accuracy"], abs=1 / len(split.x_test))
    positive = (first.layer.preactivation(split.x_test) > 0).sum(dim=1).double().mean()
    assert float(positive) == pytest.approx(first.history[-1]["positive outputs"], abs=0.1)


def test_folded_normalisation():
    x = torch.rand(5, 4)
    first = torch.nn.Linear(4, 3)
    before = first((x - 0.3) / 0.7)
    _training._fold(first, torch.tensor(0.3), torch.tensor(0.7))
    assert torch.allclose(first(x), before, atol=1e-5)


def test_weights_are_kept_for_the_same_recipe_only(tmp_path, monkeypatch, data_folder):
    monkeypatch.setattr(_training, "_done", {})
    first = _training.deep_network(quick=True, cache=tmp_path)
    assert _training.deep_network(quick=True) is first
    _training._done.clear()
    again = _training.deep_network(quick=True, cache=tmp_path)
    assert not again.history  # not trained
    assert all(map(torch.equal, first.model.state_dict().values(), again.model.state_dict().values()))
    assert _training.deep_network(seed=1, quick=True, cache=tmp_path).history


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_other_input_has_the_same_features_and_lies_in_the_box(objective, deep):
    collider = Collider(deep)
    pair = collider.pair(0, 1, objective)
    layer, x, c = deep.layer, *deep.split.x_test[:2].double()
    assert torch.allclose(layer.apply(pair.x), layer.apply(x), atol=1e-9)
    assert pair.x.min() >= 0
    assert pair.x.max() <= 1
    assert pair.moved > 0.1
    assert pair.moved == pytest.approx(float((pair.x - x).norm()))
    assert pair.end == pytest.approx(float((pair.x - c).norm()))
    assert pair.start == pytest.approx(float((x - c).norm()))
    assert pair.difference < 1e-9
    assert pair.proved
    assert pair.radius < 1e-6


def test_objectives_are_best_at_what_they_maximise(deep):
    collider, c = Collider(deep), deep.split.x_test[1].double()
    linear, euclidean = (collider.pair(0, 1, objective) for objective in OBJECTIVES)
    assert linear.x @ c >= euclidean.x @ c
    assert euclidean.end <= min(linear.end, euclidean.start)


@pytest.mark.slow
@pytest.mark.parametrize("figure", ["figure1", "figure7"])
def test_full_run_is_within_tolerance(figure, tmp_path, data_folder):
    found = import_module(f"reproductions.behrmann2018.{figure}").run(tmp_path)
    for name, value in FIGURES[figure]["quantities"].items():
        assert abs(found[name] - value["expected"]) <= value["tolerance"], name
