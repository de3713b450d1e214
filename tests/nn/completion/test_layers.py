"""Completion of single layers: how many rows, proved, and the way back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.recipes import RECIPES
from tests.reference.completion import missing_at, rows_for_pairs
from unrelu import Ball, Box, Orthant, ReLULayer, Space, preimages, verify
from unrelu.certificates import from_json
from unrelu.nn import complete

DOMAINS = {"space": Space(), "box": Box(-1, 1), "orthant": Orthant(), "ball": Ball(0.0, 1.0)}
# Outputs below the normal range give nothing back, and windows that skip entries cannot be completed.
SOUND = [name for name in RECIPES if name not in {"subnormal_rows", "strided"}]


def inside(points: np.ndarray, domain) -> np.ndarray:
    """Move points into any of the domains."""
    small = points / (1 + np.abs(points).max(axis=1, keepdims=True)) / points.shape[1] ** 0.5
    return abs(small) if isinstance(domain, Orthant) else small


@pytest.mark.parametrize("domain", ["space", "box", "orthant"])
@pytest.mark.parametrize("name", SOUND)
def test_singular_layers(name, domain):
    recipe, within = RECIPES[name](), DOMAINS[domain]
    done = complete(recipe.layer, domain=within, time_limit=0.5)
    (layer,) = done.layers
    assert verify(from_json(done.certificate.to_json()), done.model).valid
    assert verify(done.certificate).grade == layer.grade
    assert layer.added == layer.partners + 2 * layer.pairs + layer.always and layer.condition < 1e4
    # Rows that differ by 1e-300 are opposite to the twin.
    assert layer.added <= rows_for_pairs(recipe.weight, recipe.bias) + (name == "overflowing")
    if domain == "box":
        assert layer.added <= layer.n
    assert torch.equal(done.model.dense()[: layer.before], recipe.layer.dense())
    x = inside(recipe.points, within)
    back = done.inverse(done.model.apply(x))
    assert np.abs(back - x).max() <= (1e-12 if done.model.linear.exact else 1e-3)


@pytest.mark.parametrize("n", [9, 17])
@pytest.mark.parametrize("m", [0, 5, 9, 14])
@pytest.mark.parametrize("rank", [3, 30])
def test_as_many_rows_as_pairs_need(rng, n, m, rank):
    """Beyond 8 columns no row is left out: 2 n - rank, less what pairs there are span."""
    weight = rng.standard_normal((m, min(rank, n))) @ rng.standard_normal((min(rank, n), n))
    weight = np.vstack([weight, -2 * weight[: m // 3]])
    layer = ReLULayer(weight, np.concatenate([rng.standard_normal(m), np.full(m // 3, 9.0)]))
    (done,) = complete(layer, time_limit=0.2).layers
    assert done.added == rows_for_pairs(weight, layer.bias.numpy())


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 9))
def test_any_layer(seed, n, m):
    rng = np.random.default_rng(seed)
    layer = ReLULayer(rng.integers(-2, 3, (m, n)), rng.integers(-2, 3, m))
    done = complete(layer)
    assert verify(done.certificate, done.model).grade == "exact"
    x = rng.integers(-3, 4, (5, n)).astype(float)
    assert np.allclose(done.inverse(done.model.apply(x)), x, rtol=0, atol=1e-9)
    again = complete(done.model)
    assert again.layers[0].added == 0


LAST_DIGITS = ["rank_deficient_rounded", "one_ulp_apart", "nearly_dependent", "uneven_columns"]


@pytest.mark.parametrize("name", LAST_DIGITS)
def test_layers_that_are_injective_by_their_last_digits(name):
    """They are completed unless such a condition is allowed, which is then told."""
    layer = RECIPES[name]().layer
    (kept,) = complete(layer, domain=Box(-1, 1), condition=np.inf, time_limit=0.5).layers
    (done,) = complete(layer, domain=Box(-1, 1), time_limit=0.5).layers
    if kept.added == 0:
        assert kept.condition > 1e7 and done.added > 0
    assert done.condition < 1e3


@pytest.mark.parametrize("domain", ["space", "box"])
def test_rows_of_their_own_in_place_of_partners(rng, domain):
    """The stricter the condition, the fewer nearly dependent rows are relied on."""
    basis = np.linalg.qr(rng.standard_normal((12, 12)))[0]
    layer = ReLULayer(basis * np.logspace(0, -5, 12) @ rng.standard_normal((12, 12)))
    done = [complete(layer, domain=DOMAINS[domain], condition=limit).layers[0] for limit in (1e7, 1e3, 30.0)]
    partners, conditions = ([getattr(entry, name) for entry in done] for name in ("partners", "condition"))
    assert partners[0] >= partners[1] >= partners[2] and conditions[0] > conditions[2]
    assert all(entry.condition <= limit for entry, limit in zip(done, (1e7, 1e3, 30.0), strict=True))
    assert all(verify(entry.certificate).grade == "exact" for entry in done)


def test_the_condition_is_what_the_regions_say(rng):
    """Of small layers the largest quotient over many points is near it, and scaled rows have the same."""
    angles = 2 * np.pi * (np.arange(9) + 0.5 * rng.random(9)) / 9
    unit = np.column_stack([np.cos(angles), np.sin(angles)])
    weight = unit * rng.uniform(1, 5, (9, 1))
    (layer,) = complete(ReLULayer(weight)).layers
    least = min(
        np.linalg.svd(unit[unit @ x > 0], compute_uv=False)[-1] for x in rng.standard_normal((2000, 2))
    )
    assert layer.added == 0
    assert layer.condition == pytest.approx(np.linalg.norm(unit, 2) / least, rel=1e-3)
    scaled = ReLULayer(weight * np.exp2(rng.integers(-300, 300, (9, 1))))
    assert complete(scaled).layers[0].condition == pytest.approx(layer.condition)


def test_small_layers_need_fewer_rows(rng):
    """Gaussian 4 -> 30 lacks little: partners of all basis rows would be 4."""
    counts = [complete(ReLULayer(rng.standard_normal((m, 4)))).layers[0].added for m in (6, 12, 30)]
    assert counts[0] > counts[2] and counts[2] <= 1


def test_no_input_is_confused_by_unbounded_domains():
    layer = ReLULayer(np.zeros((1, 3)))
    domain = Box(np.array([0.5, -np.inf, -np.inf]), np.array([np.inf, 2.0, np.inf]))
    done = complete(layer, domain=domain)
    assert (done.layers[0].always, done.layers[0].pairs) == (2, 1)
    x = np.array([[0.5, 2.0, 0.0], [4.0, -100.0, -7.0]])
    assert np.allclose(done.inverse(done.model.apply(x)), x, rtol=1e-12)


CONVOLUTIONS = {
    "few channels": (nn.Conv2d(2, 3, 3, stride=2, padding=1), (2, 7, 7)),
    "enough channels": (nn.Conv1d(2, 6, 3, padding=1), (2, 12)),
    "groups": (nn.Conv2d(4, 4, 2, groups=2, stride=2), (4, 6, 6)),
    "dilation": (nn.Conv1d(1, 1, 2, dilation=2, padding=2, bias=False), (1, 9)),
    "volume": (nn.Conv3d(1, 2, 2, stride=2), (1, 4, 4, 4)),
}


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(rng, name, domain):
    torch.manual_seed(0)
    module, shape = CONVOLUTIONS[name]
    module.reset_parameters()
    layer, within = ReLULayer.from_module(module, shape), DOMAINS[domain]
    done = complete(layer, domain=within, time_limit=1.0)
    (found,) = done.layers
    assert verify(from_json(done.certificate.to_json()), done.model).grade == "exact"
    places = layer.m // layer.out_shape[0]
    assert found.added == found.channels * places == found.partners + 2 * found.pairs + found.always
    taps = module.weight[0].numel() * module.groups
    assert found.channels <= 2 * taps
    if domain in {"box", "ball"}:
        assert found.pairs == 0
    x = inside(rng.standard_normal((6, layer.n)), within).reshape(6, *shape)
    back = done.inverse(done.model.apply(x))
    assert back.shape == x.shape and np.abs(back - x).max() < 1e-8


def test_entries_that_no_window_reads():
    layer = ReLULayer.from_module(nn.Conv1d(2, 3, 2, stride=3), (2, 8))
    with pytest.raises(ValueError, match="4 of 16 entries are read by no window"):
        complete(layer)


@pytest.mark.parametrize("radius", [0.0, 0.05])
def test_data_take_as_many_rows_as_the_worst_point_lacks(rng, radius):
    layer = ReLULayer(rng.standard_normal((9, 6)), rng.standard_normal(9))
    X = rng.standard_normal((40, 6))
    done = complete(layer, data=X, radius=radius)
    (found,) = done.layers
    assert found.added == missing_at(layer.dense().numpy(), layer.bias.numpy(), X, radius) == found.always > 0
    result = preimages(done.model, X)
    assert (result.kinds == "singleton").all() and result.radii.min() >= radius
    assert found.radius == result.radii.min() > radius
    checked = verify(from_json(done.certificate.to_json(rows=False)), done.model)
    assert (checked.grade, found.grade) == ("exact", "exact")
    assert np.array_equal(done.certificate.points, X) and done.certificate.radius == radius
    assert np.allclose(done.inverse(done.model.apply(X)), X, rtol=0, atol=1e-9)
    assert complete(done.model, data=X, radius=radius).layers[0].added == 0


def test_data_of_a_convolution(rng):
    torch.manual_seed(0)
    layer = ReLULayer.from_module(nn.Conv2d(1, 2, 2, stride=2), (1, 6, 6))
    X = rng.standard_normal((10, 1, 6, 6))
    done = complete(layer, data=X, radius=0.01)
    assert 2 <= done.layers[0].channels <= 5 and done.layers[0].radius > 0.01
    assert verify(from_json(done.certificate.to_json()), done.model).grade == "exact"
    assert np.allclose(done.inverse(done.model.apply(X)), X, rtol=0, atol=1e-9)


def test_an_input_that_is_alone_by_rows_at_0():
    """No row is active at the origin, which is the only input with its output: nothing is appended for it."""
    layer = ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    done = complete(layer, data=np.zeros((1, 2)))
    assert (done.layers[0].added, done.layers[0].radius, done.layers[0].reason) == (0, 0.0, "")
    assert len(done.certificate.cones) == 1 and verify(done.certificate, done.model).grade == "exact"
    within = complete(layer, data=np.zeros((1, 2)), radius=0.1)
    assert within.layers[0].added == 2 and verify(within.certificate).valid


def test_rows_that_are_active_in_the_open_ball_only():
    """The closed ball of radius 1 around the point touches a hyperplane, so one more row is appended."""
    layer = ReLULayer(np.eye(2), np.array([1.0, 3.0]))
    done = complete(layer, data=np.zeros((1, 2)), radius=0.99)
    assert done.layers[0].added == 0 and verify(done.certificate).valid
    done = complete(layer, data=np.zeros((1, 2)), radius=1.0)
    assert done.layers[0].added == 1 and verify(done.certificate).valid
