"""Outputs solved by corrected factors against outputs solved one by one."""

import numpy as np
import pytest

from tests.reference import inverse as reference
from unrelu import ReLULayer, invert
from unrelu.frames import DenseFrame
from unrelu.inverse import _nearby
from unrelu.inverse._direct import solve_directly
from unrelu.inverse._nearby import worthwhile_clusters


@pytest.fixture
def alike(rng):
    """A layer, and inputs in two bundles."""
    layer = ReLULayer(rng.standard_normal((480, 130)), rng.standard_normal(480))
    middle = np.repeat(rng.standard_normal((2, 130)), 60, axis=0)
    return layer, middle + 0.2 * rng.standard_normal((120, 130))


def test_the_same_as_one_by_one(alike, monkeypatch):
    layer, x = alike
    y = layer.apply(x)
    frame = DenseFrame(layer.dense().numpy())
    assert sum(len(cluster.members) for cluster in worthwhile_clusters(frame, y > 0)) >= 100
    found = invert(layer, y, n_jobs=2)
    monkeypatch.setattr(_nearby, "_COLUMNS", 10**9)
    assert not list(worthwhile_clusters(frame, y > 0))
    expected = invert(layer, y, n_jobs=2)
    assert found.unique.all() and expected.unique.all()
    assert np.abs(found.x - x).max() <= 1e-11
    assert found.condition == pytest.approx(expected.condition, rel=0.15)
    assert np.all(np.linalg.norm(found.x - x, axis=1) <= found.error_bound)


def test_condition_against_singular_values(alike):
    layer, x = alike
    y = layer.apply(x)
    found = invert(layer, y)
    for k in range(0, 120, 11):
        condition = reference.invert(layer.dense().numpy(), layer.bias.numpy(), y[k])[2]
        assert found.condition[k] == pytest.approx(condition, rel=0.1)


def test_dissimilar_outputs_and_few_rows_are_left_alone(rng):
    weight = rng.standard_normal((400, 130))
    frame = DenseFrame(weight)
    masks = rng.random((20, 400)) < 0.5
    assert not list(worthwhile_clusters(frame, masks))
    assert not list(worthwhile_clusters(frame, np.zeros((20, 400), dtype=bool)))
    assert not list(worthwhile_clusters(frame, masks[:0]))
    assert not list(worthwhile_clusters(DenseFrame(weight, 100), masks))


def test_dependent_rows_in_a_cluster(rng):
    weight = rng.standard_normal((480, 130))
    weight[:, 1] = weight[:, 0]
    layer = ReLULayer(weight, np.ones(480))
    x = rng.standard_normal(130) + 0.2 * rng.standard_normal((40, 130))
    found = invert(layer, layer.apply(x))
    assert not found.unique.any()
    assert np.all(found.residual <= 1e-9)


def test_progress_counts_every_output_once(alike, capsys):
    layer, x = alike
    y = layer.apply(np.concatenate([x, np.random.default_rng(0).standard_normal((30, 130))]))
    told: list[int] = []
    mask = y > 0
    target = np.where(mask, y - layer.bias.numpy(), 0.0)
    solve_directly(DenseFrame(layer.dense().numpy()), mask, target, None, 2, told.append)
    assert sum(told) == 150
    invert(layer, y, progress=True)
    assert not capsys.readouterr().out
