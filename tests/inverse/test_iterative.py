"""Methods that never hold the matrix."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.recipes import RECIPES
from tests.reference import frames as exact
from tests.reference import inverse as reference
from unrelu import ReLULayer, invert
from unrelu.errors import ArgumentError
from unrelu.inverse import Method, _invert, choose_method, frame_algorithm


@pytest.mark.parametrize("method", ["cg", "lsmr", "frame"])
@pytest.mark.parametrize(("m", "n"), [(40, 12), (12, 12), (5, 9), (300, 40)])
def test_the_same_solutions(rng, method, m, n):
    layer = ReLULayer(rng.standard_normal((m, n)), rng.uniform(-0.3, 0.5, m))
    y = layer.apply(rng.standard_normal((6, n)))
    found, expected = invert(layer, y, method=method), invert(layer, y, method="cholesky")
    for k in range(6):
        if expected.condition[k] < 100:
            assert np.allclose(found.x[k], expected.x[k], atol=1e-8)
            assert found.unique[k] == expected.unique[k]
            assert found.method[k] == method
            if method != "lsmr":
                assert found.condition[k] == pytest.approx(expected.condition[k], rel=0.1)


@pytest.mark.parametrize("condition", [1e2, 1e4, 1e6])
def test_what_stalls_in_single_precision_is_solved_in_double(rng, condition):
    left, _, right = np.linalg.svd(rng.standard_normal((24, 6)), full_matrices=False)
    layer = ReLULayer(left * np.geomspace(1, 1 / condition, 6) @ right, np.full(24, 3.0))
    x = rng.standard_normal((4, 6))
    found = invert(layer, layer.apply(x), method="cg")
    off = np.linalg.norm(found.x - x, axis=1)
    assert np.all(off <= found.error_bound)
    assert np.all(off <= 1e-13 * condition)
    assert found.unique.all()
    assert found.condition == pytest.approx(np.full(4, condition), rel=0.1)


def test_what_is_too_bad_for_conjugate_gradients_is_solved_by_factors(rng, monkeypatch):
    left, _, right = np.linalg.svd(rng.standard_normal((24, 6)), full_matrices=False)
    layer = ReLULayer(left * np.geomspace(1, 1e-9, 6) @ right, np.full(24, 3.0))
    y = layer.apply(rng.standard_normal((4, 6)))
    found = invert(layer, y, method="cg")
    assert set(found.method.tolist()) <= {"svd", "cholesky"}
    assert found.condition == pytest.approx(np.full(4, 1e9), rel=0.1)
    monkeypatch.setattr(_invert, "_DENSE_ENTRIES", 0)
    found = invert(layer, y, method="cg")
    assert np.isnan(found.condition).all() and np.isinf(found.error_bound).all()


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"no_rows", "overflowing"}))
@pytest.mark.parametrize("method", ["cg", "lsmr"])
def test_unique_is_never_claimed_wrongly(name, method):
    case = RECIPES[name]()
    y = case.layer.apply(case.points)
    found = invert(case.layer, y, method=method)
    for k, output in enumerate(y):
        assert not found.unique[k] or exact.rank(case.weight[output > 0]) == case.layer.n


def test_a_convolution_without_its_matrix(rng, monkeypatch):
    torch.manual_seed(0)
    layer = ReLULayer.from_module(nn.Conv2d(3, 64, 3, padding=1), (3, 12, 12))
    x = rng.uniform(0, 1, (4, 3, 12, 12))
    expected = invert(layer, layer.apply(x))
    monkeypatch.setattr(_invert, "_FACTORED_ENTRIES", 0)
    monkeypatch.setattr(_invert, "frame_of", None)
    assert choose_method(layer) == Method.CG
    found = invert(layer, layer.apply(x))
    assert found.unique.all() and expected.unique.all()
    assert np.abs(found.x - x).max() <= 1e-12
    assert found.condition == pytest.approx(expected.condition, rel=0.1)
    assert np.all(found.method == "cg")


def test_nothing_active():
    layer = ReLULayer(np.eye(3), np.full(3, -1.0))
    for method in ("cg", "lsmr", "frame"):
        found = invert(layer, np.zeros((2, 3)), method=method)
        assert np.array_equal(found.x, np.zeros((2, 3)))
        assert not found.unique.any()
        assert found.method.tolist() == ["none", "none"]


@pytest.mark.parametrize("ratio", [1.5, 4.0, 20.0])
def test_the_frame_algorithm_has_the_rate_of_its_bounds(rng, ratio):
    n, m = 6, 24
    left, _, right = np.linalg.svd(rng.standard_normal((m, n)), full_matrices=False)
    layer = ReLULayer(left * np.sqrt(np.geomspace(1, ratio, n)) @ right, np.full(m, 9.0))
    x = rng.standard_normal((3, n))
    y, bounds = torch.from_numpy(layer.apply(x)), torch.tensor([[1.0, ratio]] * 3, dtype=torch.float64)
    rate = (ratio - 1) / (ratio + 1)
    for steps in (1, 5, 15):
        found, made = frame_algorithm(layer, y, bounds, steps=steps)
        off = np.linalg.norm(found.numpy() - x, axis=1)
        assert np.all(off <= (1 + 1e-9) * rate**steps * np.linalg.norm(x, axis=1))
        assert made.tolist() == [steps] * 3
        rows, target = layer.dense().numpy(), (y[0] - layer.bias).numpy()
        assert np.allclose(found[0], reference.frame_algorithm(rows, target, (1.0, ratio), steps))
    # The rate is attained in the directions of the extreme singular values.
    slow = right[[0]] * np.linalg.norm(x)
    found, _ = frame_algorithm(layer, torch.from_numpy(layer.apply(slow)), bounds[:1], steps=10)
    assert np.linalg.norm(found.numpy() - slow) == pytest.approx(rate**10 * np.linalg.norm(slow), rel=1e-6)


def test_methods_by_name(rng):
    layer = ReLULayer(rng.standard_normal((8, 3)))
    assert choose_method(layer) == "cholesky"
    for method in ("svd", "none", "Cholesky", 3):
        with pytest.raises(ArgumentError, match="method: expected one of auto, cholesky"):
            invert(layer, np.ones(8), method=method)
