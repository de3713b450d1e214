"""Monte Carlo bias estimation against the loop over single samples, to the last bit."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

import unrelu
from tests.recipes import RECIPES
from tests.reference import bias as reference
from unrelu import Ball, Box, ReLULayer, Sphere, estimate_bias
from unrelu.bias import BiasEstimate
from unrelu.domains import Shell, Smoothed
from unrelu.errors import ArgumentError

DATA = np.random.default_rng(1).standard_normal((50, 6))
SOURCES = {
    "data": lambda: {"data": DATA, "n_samples": 900},
    "noisy data": lambda: {"data": DATA, "noise_std": 0.3, "n_samples": 1100},
    "smoothed": lambda: {"data": Smoothed(DATA, 0.3), "n_samples": 700},
    "ball": lambda: {"data": Ball(0.5, 2.0), "n_samples": 700},
    "sphere": lambda: {"data": Sphere(3.0), "n_samples": 700},
    "shell": lambda: {"data": Shell(0.5, 1.0), "n_samples": 700},
    "box": lambda: {"data": Box(-1.0, np.arange(6.0)), "n_samples": 700},
}


def assert_same(got: BiasEstimate, expected: reference.Estimate) -> None:
    assert np.array_equal(got.alpha, expected.alpha)
    assert got.alpha.dtype == expected.alpha.dtype
    assert np.array_equal(got.support, expected.support)
    assert (got.n_samples, got.n_changes) == (expected.n_samples, expected.n_changes)
    assert got.n_support == len(set(expected.support.tolist()) - {-1})
    assert got.converged == expected.converged


def dot_products(weight: np.ndarray, X: np.ndarray) -> np.ndarray:
    """One product at a time."""
    return np.array([[row @ x for row in weight] for x in X], dtype=X.dtype)


def integer_problem(rng: np.random.Generator, m: int, n: int, samples: int, dtype=np.float64):
    """Full rank, and arithmetic without rounding: ties everywhere."""
    weight = np.vstack([np.eye(n), rng.integers(-3, 4, (m - n, n))]).astype(dtype)
    return weight, rng.integers(-3, 4, (samples, n)).astype(dtype)


def layer_in(dtype, weight: np.ndarray) -> ReLULayer:
    return ReLULayer(weight).to(dtype=torch.float32 if dtype == np.float32 else torch.float64)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("m", "n", "samples"), [(3, 3, 40), (5, 2, 300), (30, 7, 700), (4, 1, 9)])
def test_exact_arithmetic(rng, dtype, m, n, samples):
    weight, X = integer_problem(rng, m, n, samples, dtype)
    got = estimate_bias(layer_in(dtype, weight), X, assume_general_position=True)
    assert_same(got, reference.estimate(weight, dot_products(weight, X)))
    assert got.test == "count" and not got.partial


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 6),
    more=st.integers(0, 9),
    samples=st.integers(1, 60),
    patience=st.integers(1, 20),
    jobs=st.sampled_from([1, 3]),
)
def test_exact_arithmetic_with_patience(drawn, seed, n, more, samples, patience, jobs):
    rng = np.random.default_rng(seed)
    weight, data = integer_problem(rng, n + more, n, 20)
    patience = min(patience, samples)
    layer = ReLULayer(weight)
    options = {"assume_general_position": True, "chunk_bytes": 64, "n_jobs": jobs}
    got = estimate_bias(layer, data, n_samples=samples, patience=patience, **options)
    X = drawn(layer, data, samples)
    assert set(map(tuple, X)) <= set(map(tuple, data))
    assert_same(got, reference.estimate(weight, dot_products(weight, X), patience=patience))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("source", SOURCES)
def test_same_products(rng, dtype, source, products, drawn):
    options = SOURCES[source]()
    weight = rng.standard_normal((20, 6)).astype(dtype)
    layer = layer_in(dtype, weight)
    got = estimate_bias(layer, **options, n_jobs=2)
    taken = products()
    assert_same(got, reference.estimate(weight, taken))
    X = drawn(layer, options["data"], options["n_samples"], options.get("noise_std", 0.0))
    assert X.dtype == dtype
    np.testing.assert_allclose(taken, X @ weight.T, atol=1e-4 if dtype == np.float32 else 1e-12)
    patient = estimate_bias(layer, **options, patience=30, n_jobs=2)
    assert_same(patient, reference.estimate(weight, taken, patience=30))
    assert patient.converged and patient.n_samples < got.n_samples


def test_patience_alone(rng, products):
    weight = rng.standard_normal((9, 3))
    got = estimate_bias(ReLULayer(weight), Sphere(), patience=500, n_jobs=2)
    assert_same(got, reference.estimate(weight, products(), patience=500))
    assert got.converged
    assert got.epsilon_prior is None


@pytest.mark.parametrize("name", RECIPES)
def test_singular_layers(name, products):
    recipe = RECIPES[name]()
    weight = recipe.weight
    m, n = weight.shape
    points = recipe.points[np.abs(recipe.points).max(axis=1) < 1e100]
    if m < n or reference.rank(weight) < n:
        with pytest.raises(ArgumentError, match="layer: expected"):
            estimate_bias(recipe.layer, points)
        return
    if name in UNPROVED:
        with pytest.raises(ArgumentError, match="too close to dependent"):
            estimate_bias(recipe.layer, points, assume_general_position=False)
        return
    got = estimate_bias(recipe.layer, points, assume_general_position=False, n_jobs=2)
    expected = reference.estimate(weight, products(), reference.spanning_threshold)
    if name in CAUTIOUS:
        assert (got.alpha <= expected.alpha).all()
    else:
        assert_same(got, expected)
    assert got.test == "rank"
    assert estimate_bias(recipe.layer, points).test == ("count" if name in GENERAL else "rank")


# All rows together span, some of them span, but floating point cannot prove it.
UNPROVED = {"rank_deficient_rounded", "nearly_dependent", "one_ulp_apart"}
CAUTIOUS = {"scaled_row", "overflowing"}
GENERAL = {"generic", "empty_active_set", "all_active", "square", "huge_rows", "tiny_rows", "tiny_layer"}
GENERAL |= {"uneven_columns", "overflowing"}


@pytest.mark.parametrize("options", [{"padding": 1}, {"stride": 2, "padding": 1, "groups": 2}])
def test_convolutions(rng, options, products):
    layer = ReLULayer.from_module(nn.Conv2d(2, 8, 3, **options), (2, 3, 4))
    X = rng.standard_normal((15, 2, 3, 4))
    got = estimate_bias(layer, X, n_jobs=2)
    taken = products()
    assert_same(got, reference.estimate(layer.dense().numpy(), taken, reference.spanning_threshold))
    assert got.test == "rank"
    np.testing.assert_allclose(taken, X.reshape(15, -1) @ layer.dense().numpy().T, atol=1e-12)
    counted = estimate_bias(layer, X.reshape(15, -1), assume_general_position=True)
    assert_same(counted, reference.estimate(layer.dense().numpy(), products()))
    assert (got.alpha <= counted.alpha).all()


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=25)
def test_permuted_and_scaled_rows(seed):
    rng = np.random.default_rng(seed)
    weight, X = integer_problem(rng, 9, 3, 30)
    alpha = estimate_bias(ReLULayer(weight), X).alpha
    order = rng.permutation(9)
    assert np.array_equal(estimate_bias(ReLULayer(weight[order]), X).alpha, alpha[order])
    assert np.array_equal(estimate_bias(ReLULayer(4 * weight, rng.standard_normal(9)), X).alpha, 4 * alpha)
    fewer = estimate_bias(ReLULayer(weight), X[:20]).alpha
    assert (alpha <= fewer).all()


def test_rows_above_the_estimate_span_and_none_can_be_raised(rng):
    weight, X = rng.standard_normal((15, 4)), rng.standard_normal((200, 4))
    estimate = estimate_bias(ReLULayer(weight), X)
    C = X @ weight.T
    active = estimate.alpha - 1e-12 <= C
    assert (active.sum(axis=1) >= 4).all()
    for j in np.flatnonzero(estimate.support >= 0):
        x = estimate.support[j]
        assert C[x, j] == pytest.approx(estimate.alpha[j])
        assert (C[x] > C[x, j] + 1e-12).sum() < 4


def test_known_bias_of_the_icosahedron():
    phi = (1 + 5**0.5) / 2
    corners = np.array([np.roll([0, a, b * phi], k) for k in range(3) for a in (1, -1) for b in (1, -1)])
    layer = ReLULayer(corners / np.linalg.norm(corners, axis=1, keepdims=True))
    got = estimate_bias(layer, Sphere(), n_samples=8000)
    assert got.test == "rank"  # opposite corners
    assert (got.alpha >= phi / (1 + phi**2)).all()
    assert got.alpha.max() < phi / (1 + phi**2) + 0.03


def test_tetrahedron_needs_a_negative_bias():
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / 3**0.5
    got = estimate_bias(ReLULayer(corners), Sphere(), n_samples=20_000)
    assert (got.alpha >= -(3**-0.5) - 1e-12).all()
    assert got.alpha.max() < -0.56
    assert estimate_bias(ReLULayer(corners), Ball(), n_samples=2000).alpha.max() < 0
    assert unrelu.BiasEstimate is BiasEstimate
