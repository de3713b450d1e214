"""Coordinates of the search: signs are those of the layer at the input, and points stay inside."""

import numpy as np
import pytest
import torch

from tests.injectivity.witness.test_find import DOMAINS
from unrelu import ReLULayer
from unrelu.frames import frame_of
from unrelu.injectivity.witness._annealing import anneal
from unrelu.injectivity.witness._check import inside
from unrelu.injectivity.witness._inner_point import inner_point
from unrelu.injectivity.witness._regions import region_of
from unrelu.injectivity.witness._rows import search_rows


def layer_of(seed, bias=1.0):
    rng = np.random.default_rng(seed)
    scale = 10.0 ** rng.uniform(-3, 3, (30, 1))
    return ReLULayer(rng.standard_normal((30, 6)) * scale, bias * rng.standard_normal(30) * scale[:, 0])


def built(layer, domain):
    return region_of(search_rows(frame_of(layer), layer.bias.numpy()), domain, "cpu")


@pytest.mark.parametrize("bias", [0.0, 1.0])
@pytest.mark.parametrize("name", DOMAINS)
def test_a_look_counts_active_rows_at_inner_points(name, bias):
    layer, domain = layer_of(1, bias), DOMAINS[name]
    region = built(layer, domain)
    for look in anneal(region, 400, 5, torch.Generator().manual_seed(0)):
        for k in range(5):
            x = region.point(look.Y[:, k])
            assert inside(domain, x)
            assert np.isclose(layer.preactivation(x), 0, atol=1e-4).any() or (
                look.counts[k] == (layer.preactivation(x) >= 0).sum()
            )


@pytest.mark.parametrize("name", DOMAINS)
def test_typical_sizes(name):
    region = built(layer_of(2), DOMAINS[name])
    norms = region.rows.norm(dim=1)
    assert torch.allclose(norms, torch.full_like(norms, region.rows.shape[1] ** 0.5))
    Y = torch.randn(region.rows.shape[1], 1000, generator=torch.Generator().manual_seed(0))
    V = Y.flip(1)
    region.confine(Y, V)
    assert 0.3 < Y.norm(dim=0).square().mean() < 1.1


@pytest.mark.parametrize("name", [name for name in DOMAINS if name != "ball"])
def test_inner_points(name):
    G, h = DOMAINS[name].inequalities(6)
    assert (G @ inner_point(DOMAINS[name], 6) < h).all()


def test_the_inside_of_a_ball_is_decided_exactly():
    ball = DOMAINS["ball"]
    edge = np.full(6, 0.5)
    edge[0] = 2.5
    assert not inside(ball, edge)
    edge[0] = np.nextafter(2.5, 0)
    assert inside(ball, edge)


def test_rows_of_one_direction_and_zero_rows():
    weight = np.array([[1.0, 2.0], [0.0, 0.0], [3.0, 6.0], [-1.0, -2.0], [0.5, 1.0], [1.0, 0.0]])
    bias = np.array([1.0, 5.0, 4.0, 0.0, 0.25, 0.0])
    rows = search_rows(frame_of(ReLULayer(weight, bias)), bias)
    # Of the parallel rows the third has the largest bias for its norm.
    ratio = rows.bias / np.linalg.norm(rows.weight, axis=1)
    assert np.allclose(sorted(ratio), sorted([4 / np.sqrt(45), 0.0, 0.0]))


@pytest.mark.parametrize("name", ["space", "simplex"])
def test_chains_that_overflowed_are_not_taken(name):
    region = built(layer_of(4), DOMAINS[name])
    region.rows[0] = float("nan")
    (look, *_) = anneal(region, 1, 3, torch.Generator().manual_seed(0))
    assert (look.counts > 0).all()
    region.rows[:] = float("nan")
    (look, *_) = anneal(region, 1, 3, torch.Generator().manual_seed(0))
    assert (look.counts == 30).all()


def test_annealing_goes_downhill():
    region = built(layer_of(3, 0.0), DOMAINS["space"])
    looks = list(anneal(region, 800, 16, torch.Generator().manual_seed(1)))
    assert looks[-1].counts.float().mean() < looks[0].counts.float().mean() - 3
    assert all(torch.isfinite(look.Y).all() for look in looks)
