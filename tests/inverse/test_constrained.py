"""Inequalities and domains, beside what `unrelu.preimage` says."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import unrelu
from unrelu import Box, Orthant, Polytope, ReLULayer, Space, invert
from unrelu.errors import ArgumentError

DOMAINS = [Space(), Orthant(), Box(-2, 2), Box(0, 1), Polytope(np.array([[1.0, 1.0, 1.0]]), 2.0)]


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.sampled_from(DOMAINS))
def test_unique_where_the_preimage_is_a_singleton(seed, domain):
    rng = np.random.default_rng(seed)
    m = int(rng.integers(1, 8))
    layer = ReLULayer(rng.integers(-2, 3, (m, 3)) * 1.0, rng.integers(-1, 2, m) * 1.0)
    x = rng.integers(-1, 2, (4, 3)) * 1.0
    x = x[domain.contains(x)]
    if not len(x):
        return
    y = layer.apply(x)
    found = invert(layer, y, domain, n_jobs=1)
    for k in range(len(x)):
        kind = unrelu.preimage(layer, y=y[k], domain=domain).kind
        assert found.unique[k] == (kind == "singleton")
        if found.unique[k]:
            assert np.allclose(found.x[k], x[k], atol=1e-9)
        assert found.residual[k] <= 1e-3  # it has the output, whether it is the only one or not
        assert domain.contains(found.x[k], tol=1e-4)


def test_pixels_at_the_border():
    # One equation for two pixels: only black ones fulfil it.
    layer = ReLULayer(np.array([[1.0, 1.0], [1.0, -1.0]]), np.array([1.0, -3.0]))
    y = layer.apply(np.zeros(2))
    assert not invert(layer, y).unique
    found = invert(layer, y, Box(0, 1))
    assert found.unique and found.method == "constrained"
    assert np.allclose(found.x, np.zeros(2), atol=1e-12)


def test_the_origin_between_rows():
    layer = ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    assert not invert(layer, np.zeros(3)).unique
    assert invert(layer, np.zeros(3), Space()).unique


def test_least_squares_with_inequalities(rng):
    layer = ReLULayer(rng.standard_normal((7, 4)), rng.standard_normal(7))
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    for _ in range(6):
        y = np.maximum(rng.standard_normal(7), 0)
        active = y > 0
        found = invert(layer, y, Box(-1, 1))

        def cost(x, active=active, y=y):
            return 0.5 * np.sum((weight[active] @ x + bias[active] - y[active]) ** 2)

        limits = {"type": "ineq", "fun": lambda x, active=active: -(weight @ x + bias)[~active]}
        tries = [
            minimize(cost, start, bounds=[(-1, 1)] * 4, constraints=limits, method="SLSQP", tol=1e-12)
            for start in rng.uniform(-1, 1, (5, 4))
        ]
        feasible = [found.fun for found in tries if found.success]
        if feasible and not found.unique and found.method == "constrained":
            assert cost(found.x) <= min(feasible) + 1e-4
            assert Box(-1, 1).contains(found.x)
            assert np.all((weight @ found.x + bias)[~active] <= 1e-4)


def test_outputs_from_outside_of_the_domain(rng):
    layer = ReLULayer(np.concatenate([np.eye(3), -np.eye(3)]), np.full(6, 4.0))
    found = invert(layer, layer.apply(np.array([[0.5, 0.5, 2.0], [0.5, 0.5, 0.5]])), Box(0, 1))
    assert found.unique.tolist() == [False, True]
    assert found.x[0] == pytest.approx([0.5, 0.5, 1.0], abs=1e-4)
    assert found.residual[0] > 0.01 and found.residual[1] < 1e-12


def test_images(rng):
    digits = unrelu.load("digits").inputs.reshape(-1, 64)[:12]
    layer = ReLULayer(rng.standard_normal((90, 64)))
    y = layer.apply(digits)
    plain, boxed = invert(layer, y), invert(layer, y, Box(0, 1))
    assert boxed.unique.sum() >= plain.unique.sum()
    off = [np.linalg.norm(found.x - digits, axis=1).mean() for found in (plain, boxed)]
    assert off[1] < 0.5 * off[0]
    assert np.allclose(boxed.x[boxed.unique], digits[boxed.unique], atol=1e-6)


@pytest.mark.parametrize("domain", [unrelu.Ball(np.zeros(2), 1.0), unrelu.Sphere(1.0), 3, "box"])
def test_domains_that_are_none(domain):
    with pytest.raises(ArgumentError, match="domain: expected Space, Orthant, Box or Polytope"):
        invert(ReLULayer(np.eye(2)), np.ones(2), domain)


def test_noise_and_domain(rng):
    digits = unrelu.load("digits").inputs.reshape(-1, 64)[:6]
    layer = ReLULayer(rng.standard_normal((90, 64)))
    y = layer.apply(digits) + 0.01 * rng.standard_normal((6, 90))
    found = invert(layer, y, Box(0, 1), noise=0.01)
    assert not found.unique[found.method == "constrained"].any()
    assert Box(0, 1).contains(found.x[found.method == "constrained"], tol=1e-6).all()


def test_layers_that_are_too_large(monkeypatch):
    monkeypatch.setattr("unrelu.inverse._invert._CONSTRAINED_ENTRIES", 3)
    with pytest.raises(ArgumentError, match="domain: expected None for a layer as large as 2 x 2"):
        invert(ReLULayer(np.eye(2)), np.ones(2), Space())
