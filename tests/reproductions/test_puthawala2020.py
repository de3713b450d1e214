"""Puthawala et al. 2020: every script runs on few layers, and its parts do what they say."""

import json
import math
from importlib import import_module

import numpy as np
import pytest
from scipy.optimize import minimize

import unrelu
from reproductions import _page
from reproductions.puthawala2020 import _plane, expansivity, inversion, probability
from reproductions.puthawala2020._opposite import opposite
from unrelu.injectivity.random_matrices import wedges

FIGURES = json.loads((_page.ROOT / "puthawala2020" / "expected.json").read_text(encoding="utf-8"))["figures"]


@pytest.fixture
def plane(rng):
    ((weight, cut),) = _plane.injective_layers(8, 1, rng)
    return inversion.Plane.of(weight, cut)


@pytest.mark.parametrize("m", [5, 8])
def test_sigma_star_and_smallest_ratio_against_many_points(m, rng):
    ((weight, cut),) = _plane.injective_layers(m, 1, rng)
    x = _plane.directions(np.linspace(0, 2 * np.pi, 2000))
    around = min(np.linalg.svd(weight[weight @ point >= 0], compute_uv=False)[-1] for point in x)
    star = _plane.sigma_star(weight, cut)
    # A narrow wedge may lie between two points.
    assert star <= around + 1e-12
    if min(cut.end - cut.start) > 0.01:
        assert star == pytest.approx(around)
    ratio, left, right = _plane.smallest_ratio(weight, cut, 180)
    assert ratio == pytest.approx(_plane.ratio_of(weight, left, right))
    pairs = rng.standard_normal((2, 20_000, 2))
    assert min(ratio, star) <= _plane.ratio_of(weight, *pairs).min() * 1.01
    assert min(ratio, star) >= star / 2


def test_sigma_star_of_a_layer_that_is_not_injective():
    weight = np.eye(2)
    assert _plane.sigma_star(weight, wedges(weight)) == 0


def test_opposite_rows_bring_two_inputs_nearer_than_sigma_star(rng):
    """``|f(x) - f(-x)| = sqrt(2) |B x|``, and ``2 |x|`` is their distance."""
    weight = opposite(2, rng, largest=1.0)
    cut = wedges(weight)
    star = _plane.sigma_star(weight, cut)
    assert star == pytest.approx(np.linalg.svd(weight[:2], compute_uv=False)[-1])
    assert _plane.smallest_ratio(weight, cut, 90)[0] == pytest.approx(star / math.sqrt(2))


@pytest.mark.parametrize("n", [1, 3, 6])
def test_products_are_exact(n, rng):
    weight = opposite(n, rng)
    assert unrelu.decide(unrelu.ReLULayer(rng.permutation(weight))).verdict == unrelu.Verdict.INJECTIVE


def test_counterexample_to_the_lemma_on_biases():
    layer = unrelu.ReLULayer(np.array([[1.0], [-1.0]]), [-1.0, 1.0])
    assert unrelu.decide(layer).verdict == unrelu.Verdict.INJECTIVE
    assert unrelu.decide(expansivity.by_lemma(layer)).verdict == unrelu.Verdict.NOT_INJECTIVE


@pytest.mark.parametrize("turn", [1e-1, 1e-4])
def test_turned_row_has_a_pair(turn, rng):
    assert 0 < expansivity.collision_size(3, turn, rng) < 10


def test_nearest_output_against_a_search(plane, rng):
    y = inversion.with_noise(plane.apply(rng.standard_normal((20, 2))), 0.3, rng, False)
    found = inversion.nearest(plane, y)
    grid = np.stack(np.meshgrid(*[np.linspace(-5, 5, 201)] * 2), axis=-1).reshape(-1, 2)
    for x, target in zip(found, y, strict=True):
        least = np.linalg.norm(plane.apply(x) - target)
        assert least <= np.linalg.norm(plane.apply(grid) - target, axis=1).min() + 1e-12


def test_constrained_against_a_solver(plane, rng):
    y = inversion.with_noise(plane.apply(rng.standard_normal((20, 2))), 0.3, rng, False)
    for x, target in zip(inversion.constrained(plane, y), y, strict=True):
        seen, hidden = plane.weight[target > 0], plane.weight[target <= 0]
        assert (hidden @ x).max(initial=-1) <= 1e-9

        def size(x, seen=seen, target=target):
            return ((seen @ x - target[target > 0]) ** 2).sum()

        solved = minimize(
            size,
            x + 0.01,
            constraints={"type": "ineq", "fun": lambda x, hidden=hidden: -hidden @ x},
            method="SLSQP",
        )
        assert size(x) <= size(solved.x) + 1e-6


def test_without_noise_every_method_gives_the_input_back(plane, rng):
    x = rng.standard_normal((30, 2))
    for method in (inversion.nearest, inversion.constrained):
        assert np.allclose(method(plane, plane.apply(x)), x, atol=1e-12)


@pytest.mark.parametrize("positive", [False, True])
def test_noise_has_its_size_and_leaves_outputs_of_a_relu(positive, rng):
    y = np.array([[5.0, 0.0, 7.0], [0.0, 9.0, 4.0]])
    noisy = inversion.with_noise(y, 0.5, rng, positive)
    assert (noisy >= 0).all()
    size = np.linalg.norm(noisy - y, axis=1)
    assert (size <= 0.5 + 1e-12).all()
    assert not positive or (size == pytest.approx(0.5) and (noisy[y == 0] == 0).all())


@pytest.mark.parametrize(
    ("shares", "expected"), [([0, 0.25, 0.75], 3.5), ([0, 0.5, 1], 3), ([0, 0, 0.4], 0), ([1, 1, 1], 0)]
)
def test_where_half_are_injective(shares, expected):
    assert probability.half(np.array([2.0, 3.0, 4.0]), np.array(shares)) == pytest.approx(expected)


@pytest.mark.slow
def test_samples_do_not_depend_on_processes():
    serial, side_by_side = (probability._estimates([(9, 2), (12, 3)], 4, 0, 5.0, jobs) for jobs in (1, 2))
    assert serial == side_by_side


@pytest.mark.slow
@pytest.mark.parametrize(
    "figure", ["dss", "lipschitz", "inversion", "universality", "projection", "topology"]
)
def test_full_run_is_within_tolerance(figure, tmp_path):
    found = import_module(f"reproductions.puthawala2020.{figure}").run(tmp_path)
    for name, value in FIGURES[figure]["quantities"].items():
        assert abs(found[name] - value["expected"]) <= value["tolerance"], name
