"""Witnesses are checked by naive exact arithmetic, and never found where there are none."""

import time

import numpy as np
import pytest
import torch

from tests.recipes import RECIPES
from tests.reference.injectivity import exact_rank, weakly_active
from tests.reference.random_matrices import fewest_active
from unrelu import ReLULayer
from unrelu.domains import Ball, Box, Orthant, Polytope, Space, Sphere
from unrelu.errors import ArgumentError
from unrelu.injectivity.witness import find_witness

SIMPLEX = Polytope(np.vstack([-np.eye(6), np.ones((1, 6))]), np.append(np.zeros(6), 1.0))
DOMAINS = {
    "space": Space(),
    "box": Box(-1.0, 2.0),
    "corner": Box(0.5, np.inf),
    "slab": Box(
        np.array([-1.0, 0.0, -np.inf, -np.inf, 0.0, -2.0]), np.array([2.0, np.inf, 1.0, np.inf, 1.0, 1.0])
    ),
    "orthant": Orthant(),
    "simplex": SIMPLEX,
    "ball": Ball(np.full(6, 0.5), 2.0),
}


def check(layer, found, domain=None):
    """A claim must hold for the stored numbers."""
    weight, bias = layer.dense().numpy(), layer.bias.numpy()
    active = weakly_active(weight, bias, found.x)
    assert np.array_equal(found.active, np.flatnonzero(active))
    rank = exact_rank(weight[active])
    assert rank <= found.count <= active.sum()
    if found.found:
        assert rank < layer.n
    if isinstance(domain, Ball):
        assert np.linalg.norm(found.x - domain.center) < domain.radius
    elif domain is not None:
        G, h = domain.inequalities(layer.n)
        assert (G @ found.x < h).all()


def gaussian(m, n, seed, bias=0.0):
    rng = np.random.default_rng(seed)
    return ReLULayer(rng.standard_normal((m, n)), bias * rng.standard_normal(m))


@pytest.mark.parametrize("seed", range(3))
def test_gaussian_rows(seed):
    layer = gaussian(200, 40, seed)
    found = find_witness(layer)
    assert found.found and found.count < 40
    check(layer, found)


@pytest.mark.parametrize("bias", [0.0, 0.1, 3.0])
@pytest.mark.parametrize("name", DOMAINS)
def test_domains(name, bias):
    layer = gaussian(11, 6, 3, bias)
    found = find_witness(layer, DOMAINS[name], time_limit=1.0)
    check(layer, found, DOMAINS[name])
    # On a cone m < 2n suffices; in others the origin may be far from the rows' hyperplanes.
    assert found.found or name != "space"


@pytest.mark.parametrize("name", DOMAINS)
def test_a_witness_planted_in_a_domain(name):
    inner = np.full(6, 0.1) if name == "simplex" else np.full(6, 0.75)
    rng = np.random.default_rng(1)
    weight = rng.standard_normal((60, 6))
    # All rows but five are negative at one point, by a margin.
    bias = -weight @ inner - 0.3
    bias[:5] += 0.6
    layer = ReLULayer(weight, bias)
    found = find_witness(layer, DOMAINS[name], time_limit=10.0)
    assert found.found
    check(layer, found, DOMAINS[name])


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    recipe = RECIPES[name]()
    found = find_witness(recipe.layer, time_limit=0.2)
    check(recipe.layer, found)
    if recipe.layer.m < 2 * recipe.layer.n:
        assert found.found


@pytest.mark.parametrize(("m", "n"), [(7, 2), (12, 3), (20, 3), (12, 4)])
@pytest.mark.parametrize("seed", range(3))
def test_the_fewest_active_rows(m, n, seed):
    layer = gaussian(m, n, seed)
    least = fewest_active(layer.dense().numpy())
    found = find_witness(layer, time_limit=1.0, target=least)
    check(layer, found)
    assert found.count == least


def test_opposite_rows_leave_no_witness(rng):
    basis = rng.standard_normal((5, 5))
    found = find_witness(ReLULayer(np.vstack([basis, -2 * basis])), time_limit=0.3)
    assert not found.found and found.count == 5 and found.restarts > 1


def test_an_injective_box(rng):
    weight = rng.standard_normal((6, 4))
    layer = ReLULayer(weight, np.abs(weight).sum(axis=1))
    assert not find_witness(layer, Box(-1.0, 1.0), time_limit=0.3).found
    wider = find_witness(layer, Box(-3.0, 3.0), time_limit=5.0)
    assert wider.found
    check(layer, wider, Box(-3.0, 3.0))


def test_rank_and_not_only_number():
    weight = np.random.default_rng(2).integers(-3, 4, (40, 3)) @ np.random.default_rng(3).integers(
        -3, 4, (3, 5)
    )
    layer = ReLULayer(weight.astype(float))
    found = find_witness(layer, time_limit=5.0)
    assert found.found and found.count >= 5
    check(layer, found)


def test_repeated_rows_count_once():
    weight = np.repeat(np.random.default_rng(4).standard_normal((9, 5)), 30, axis=0)
    scale = np.random.default_rng(5).integers(1, 9, (270, 1))
    layer = ReLULayer(np.round(weight, 2) * 128 * scale, np.tile(np.arange(-29.0, 1.0), 9))
    found = find_witness(layer, time_limit=5.0)
    assert found.found and found.count < 5 <= len(found.active)
    check(layer, found)


def test_scaling_rows_by_powers_of_two_changes_nothing():
    layer = gaussian(60, 12, 6, bias=0.2)
    scale = 2.0 ** np.random.default_rng(7).integers(-30, 31, 60)
    scaled = ReLULayer(layer.dense().numpy() * scale[:, None], layer.bias.numpy() * scale)
    assert np.array_equal(find_witness(layer).x, find_witness(scaled).x)


@pytest.mark.parametrize("scale", [2.0**-500, 2.0**500])
def test_extreme_scales(scale):
    layer = gaussian(60, 12, 8, bias=0.2)
    found = find_witness(ReLULayer(layer.dense() * scale, layer.bias * scale))
    assert found.found


def test_the_seed_decides():
    layer = gaussian(150, 30, 9)
    first, second, other = (find_witness(layer, seed=seed) for seed in (0, 0, 1))
    assert np.array_equal(first.x, second.x) and not np.array_equal(first.x, other.x)


def test_a_lower_target():
    layer = gaussian(120, 30, 10)
    usual = find_witness(layer)
    found = find_witness(layer, time_limit=5.0, target=usual.count - 5)
    assert found.found and found.count <= usual.count - 5
    check(layer, found)


def test_the_time_limit():
    layer = gaussian(400, 20, 11)
    begin = time.perf_counter()
    found = find_witness(layer, time_limit=0.5)
    assert not found.found and 0.5 <= found.seconds <= time.perf_counter() - begin < 2.0
    check(layer, found)


def test_threads_are_as_before():
    before = torch.get_num_threads()
    find_witness(gaussian(40, 12, 13))
    assert torch.get_num_threads() == before


def test_progress_goes_to_standard_error(capsys):
    find_witness(gaussian(40, 12, 12), progress=True)
    assert not capsys.readouterr().out


def test_a_convolution():
    torch.manual_seed(0)
    layer = ReLULayer.from_module(torch.nn.Conv2d(2, 6, 3, padding=1), (2, 4, 4))
    found = find_witness(layer, time_limit=10.0)
    assert found.found
    check(layer, found)


@pytest.mark.parametrize(
    "domain",
    [
        Box(0.0, np.array([0.0, 1.0])),
        Box(0.0, np.array([0.0, np.inf])),
        Polytope([[1.0, 0.0], [-1.0, 0.0]], 0.0),
    ],
)
def test_domains_without_inner_points(domain):
    with pytest.raises(ArgumentError, match=r"domain: expected a (box|polyhedron) with inner points"):
        find_witness(gaussian(5, 2, 0), domain)


@pytest.mark.parametrize("domain", [Sphere(), "box"])
def test_other_domains_are_refused(domain):
    with pytest.raises(ArgumentError, match="domain: expected a convex polyhedron or a Ball"):
        find_witness(gaussian(5, 2, 0), domain)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"time_limit": 0.0}, "time_limit: expected a positive number"),
        ({"time_limit": np.inf}, "time_limit: expected a positive number"),
        ({"seed": -1}, "seed: expected a whole number"),
        ({"target": 1.5}, "target: expected a whole number"),
        ({"domain": Box(np.zeros(3), 1.0)}, "n: expected 3, the dimension of Box, got 2"),
    ],
)
def test_arguments(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        find_witness(gaussian(5, 2, 0), **arguments)


@pytest.mark.parametrize(("side", "shift"), [(1.0, 0.0), (1e-2, 0.0), (1.0, 100.0), (1.0, 1e3)])
def test_polytopes_far_away_and_thin(side, shift, rng):
    # A box with sides from `side` to 1, turned and moved; rows are such that the question stays the same.
    n = 30
    sides = np.geomspace(side, 1.0, n)
    turn = np.linalg.qr(rng.standard_normal((n, n)))[0]
    weight = rng.standard_normal((150, n)) / sides @ turn
    move = shift * rng.standard_normal(n)
    layer = ReLULayer(weight, 0.8 * rng.standard_normal(150) - weight @ move)
    G = np.vstack([turn, -turn])
    domain = Polytope(G, np.tile(sides, 2) + G @ move)
    found = find_witness(layer, domain, time_limit=15.0)
    assert found.found
    check(layer, found)
    assert domain.contains(found.x)
