"""Puthawala et al. 2020, slides 29 to 31: the parts of the scripts on networks do what they say."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from reproductions._frozen import frozen
from reproductions.puthawala2020 import _pairs, projection, topology, universality
from reproductions.puthawala2020._networks import fit, network, with_output
from unrelu.nn import smallest_ratio


def affine(weight):
    layer = nn.Linear(*reversed(np.shape(weight)), bias=False, dtype=torch.float64)
    layer.weight.data = torch.tensor(weight, dtype=torch.float64)
    return layer.requires_grad_(False)


@pytest.mark.parametrize("injective", [True, False])
def test_frozen_holds_the_same_numbers(injective, rng):
    model = with_output(network((3, 6, 14), injective, seed=1), 14, 5, seed=1)
    x = torch.from_numpy(rng.standard_normal((20, 3)))
    plain = frozen(model)
    assert {type(module) for module in plain} == {nn.Linear, nn.ReLU}
    assert torch.allclose(plain(x), model(x), rtol=0, atol=1e-12)
    assert all(torch.equal(a.weight, b.weight) for a, b in zip(plain[::2], model[::2], strict=True))


def test_networks_depend_on_their_seed_alone():
    state = torch.get_rng_state()
    first, again, other = (network((2, 4), True, seed)[0].weight for seed in (3, 3, 4))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_fit_ends_with_the_best_output_map(rng):
    x = torch.from_numpy(rng.standard_normal((50, 2)))
    y = torch.from_numpy(rng.standard_normal((50, 3)))
    model = with_output(network((2, 4), False, 0), 4, 3, 0)
    fit(model, x, y, steps=3)
    with torch.no_grad():
        hidden, off = model[:-1](x), model(x) - y
    # Nothing that an affine map could use is left.
    assert (hidden.T @ off).abs().max() < 1e-8 and off.mean(dim=0).abs().max() < 1e-10


def test_closest_pair_of_a_linear_map_is_its_smallest_singular_value(rng):
    weight = rng.standard_normal((5, 3))
    points = torch.from_numpy(rng.uniform(-1, 1, (30, 3)))
    found = _pairs.closest_pair(affine(weight), points)
    assert found.ratio == pytest.approx(np.linalg.svd(weight, compute_uv=False)[-1], rel=1e-6)


@pytest.mark.parametrize("side", [1.0, 3.0])
def test_closest_pair_finds_a_crossing(side):
    """A curve that meets itself at two parameters that are no points of the search."""
    points = side * torch.linspace(-0.99, 0.99, 24, dtype=torch.float64)[:, None]
    found = _pairs.closest_pair(lambda t: universality.eight(t / side), points, side)
    assert found.ratio < _pairs.COLLISION
    assert abs(float(found.x - found.other)) > 0.5 * side
    assert max(float(found.x.abs()), float(found.other.abs())) <= side


def test_closest_pair_of_fewer_outputs_than_inputs_collides(rng):
    points = torch.from_numpy(rng.uniform(-1, 1, (20, 2)))
    assert _pairs.closest_pair(affine(rng.standard_normal((1, 2))), points).ratio < _pairs.COLLISION


def test_closest_pair_against_all_pairs_of_many_points(rng):
    g = frozen(network((2, 4, 8), True, seed=2))
    points = torch.from_numpy(rng.uniform(-1, 1, (40, 2)))
    many = torch.from_numpy(rng.uniform(-1, 1, (500, 2)))
    assert _pairs.closest_pair(g, points).ratio <= smallest_ratio(g, many).ratio * (1 + 1e-9)


@pytest.mark.parametrize("name", universality.FUNCTIONS)
def test_functions_have_enough_dimensions(name):
    n, f = universality.FUNCTIONS[name]
    x = universality.grid(n, 5)
    assert x.shape == (5**n, n) and f(x).shape == (5**n, 2 * n + 1)


def test_umbrella_meets_itself():
    points = torch.tensor([[0.0, 0.5], [0.0, -0.5]], dtype=torch.float64)
    images = universality.umbrella(points)
    assert torch.equal(*images)


def test_move_to_general_position_is_small_and_parts_what_met():
    one = universality.approximate("figure eight", 4, True, seed=0, steps=20)
    apart = one.model[-1].weight - one.fitted[-1].weight
    assert 0 < float(apart.norm() / one.fitted[-1].weight.norm()) < 2e-3
    # The third coordinate of the function is 0, and so is that of what was fitted.
    assert float(one.fitted[-1].weight[2].abs().max()) < 1e-12 < float(one.model[-1].weight[2].abs().max())
    assert universality.proved(one.model) == 1


@pytest.mark.parametrize(("n", "d"), [(1, 3), (2, 2), (2, 5)])
def test_chain_has_its_dimensions(n, d):
    model = projection.chain(n, d, seed=0)
    sizes = [tuple(module.weight.shape) for module in model if not isinstance(module, nn.ReLU)]
    assert sizes == [(2 * n, n), (4 * n, 2 * n), (d, 4 * n), (2 * d, d), (4 * d, 2 * d), (d, 4 * d)]


def test_search_and_decision_agree():
    found = projection.survey(1, 1, [0, 100, 200, 300], 4, 40)
    refuted = np.array(found.verdicts) == unrelu.Verdict.NOT_INJECTIVE
    assert ((found.ratios < _pairs.COLLISION) == refuted).all() and refuted.any()


@pytest.mark.parametrize(("weight", "expected"), [(np.eye(2), 0.6), ([[1.0, 0.0]], 0.0)])
def test_gap_of_circles(weight, expected):
    """Centres are 1.8 apart, two radii are 1.2; on the first axis the circles fall onto each other."""
    assert topology.gap(nn.Sequential(affine(weight))) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("injective", [True, False])
def test_verdicts(injective):
    model = frozen(with_output(network(topology._SIZES, injective, 0), topology._SIZES[-1], 12, 0))
    verdict = unrelu.Verdict.INJECTIVE if injective else unrelu.Verdict.NOT_INJECTIVE
    assert topology.decided(model) == verdict


def test_target_joins_the_left_halves():
    angle = torch.tensor([3.0, 2.5], dtype=torch.float64)
    for height in topology._HEIGHTS:
        assert not topology.target(topology.circle(angle, height)).any()
    assert topology.target(topology.circle(angle - torch.pi, 0.9)).any()


@pytest.mark.parametrize(("shift", "expected"), [(0.0, 1), (0.9, 1), (2.7, 1), (2.8, 2)])
def test_parts_of_two_rings(shift, expected):
    """Rings of radius 1 with eight points each, 0.77 apart: a gap below that is none."""
    angle = np.arange(8) * np.pi / 4
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    assert topology.parts(np.stack([ring, ring + np.array([shift, 0.0])])) == expected
