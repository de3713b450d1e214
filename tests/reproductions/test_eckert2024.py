"""Eckert et al. 2024: every script runs on little data."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from reproductions import _page
from reproductions._data import iris
from reproductions.eckert2024 import _measures, _paper
from reproductions.eckert2024._training import Method, Recipe, train
from unrelu import ReLULayer

FOLDER = Path(_page.__file__).parent / "eckert2024"
FIGURES = json.loads((FOLDER / "expected.json").read_text(encoding="utf-8"))["figures"]


def test_a_network_is_trained_once():
    first = _paper.trained("iris", 2, quick=True)
    assert _paper.trained("iris", 2, quick=True) is first


@pytest.mark.parametrize("method", Method)
def test_training_leaves_the_random_state_alone_and_repeats(method):
    split = iris()
    recipe = Recipe(3, method, batch=32, epochs=2, n_samples=200, margin=(("delta", 0.1),))
    state = torch.random.get_rng_state()
    first, second = (train(split, recipe) for _ in range(2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.equal(first.model.fc1.weight, second.model.fc1.weight)
    assert len(first.history) == 3


def test_projection_ends_below_the_maximal_bias():
    split = iris()
    trained = train(split, Recipe(2, Method.PROJECTION, batch=32, epochs=2, n_samples=200))
    assert _measures.points_share(trained.layer, split.x) == 1.0


def test_singular_values_against_numpy(rng):
    W, b = rng.standard_normal((6, 3)), np.array([0.0, 0.0, -9.0, -9.0, 0.5, 0.5])
    layer, x = ReLULayer(W, b), torch.as_tensor(rng.standard_normal((20, 3)))
    smallest, largest = _measures.singular_values(layer, x)
    for k, point in enumerate(x.numpy()):
        active = W[W @ point + b > 0]
        sigma = np.linalg.svd(active, compute_uv=False) if len(active) else np.zeros(1)
        assert smallest[k] == pytest.approx(sigma[-1] if len(active) >= 3 else 0.0)
        assert largest[k] == pytest.approx(sigma[0])


def test_iris_is_split_by_class_and_standardised():
    split = iris(seed=3)
    assert split.y_test.bincount().tolist() == [10, 10, 10]
    assert torch.allclose(split.x.mean(dim=0), torch.zeros(4), atol=1e-5)
    assert torch.allclose(split.x.std(dim=0), torch.ones(4), atol=1e-5)
    assert iris(3).n == 3
    assert float(iris(standardised=False).x.min()) > 0


@pytest.mark.slow
@pytest.mark.parametrize("figure", ["figure1", "figure3"])
def test_full_run_is_within_tolerance(figure, tmp_path, data_folder):
    found = import_module(f"reproductions.eckert2024.{figure}").run(tmp_path)
    for name, value in FIGURES[figure]["quantities"].items():
        assert abs(found[name] - value["expected"]) <= value["tolerance"], name
