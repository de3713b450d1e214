"""Collisions of one layer against enumeration of all borders."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import unrelu
from tests.preimage.collisions.checks import check_collision
from tests.recipes import RECIPES
from tests.reference import collide as reference
from tests.reference import preimage as reference_preimage
from unrelu import Box, Orthant, Polytope, ReLULayer, collide, preimage

CUBE = Box(-2.0, 2.0)


def make(rng, kind):
    """A layer, a point and a target."""
    n, m = int(rng.integers(2, 5)), int(rng.integers(1, 6))
    weight, bias = rng.standard_normal((m, n)), rng.standard_normal(m)
    x, target = rng.uniform(-1, 1, n), rng.uniform(-2, 2, n)
    if kind == "integers":
        weight, bias = rng.integers(-2, 3, (m, n)).astype(float), rng.integers(-1, 2, m).astype(float)
        x, target = rng.integers(-1, 2, n).astype(float), rng.integers(-2, 3, n).astype(float)
    elif kind == "repeated":
        weight = weight[rng.integers(0, m, m)] * rng.choice([1.0, 2.0, 4.0], m)[:, None]
        bias = np.zeros(m)
    elif kind == "on hyperplanes":
        weight, x = rng.integers(-2, 3, (m, n)).astype(float), rng.integers(-1, 2, n).astype(float)
        bias = -(weight @ x)
    return weight, bias, x, target


KINDS = ["gaussian", "integers", "repeated", "on hyperplanes"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("objective", ["nearest", "linear", "along"])
def test_optimum_by_enumeration(kind, objective):
    rng = np.random.default_rng(KINDS.index(kind))
    seen = 0
    for _ in range(25):
        weight, bias, x, target = make(rng, kind)
        layer = ReLULayer(weight, bias)
        G, h = CUBE.inequalities(len(x))
        steps = reference.constraints(weight, bias, x, G, h)
        if objective == "along":
            found = collide(layer, x, along=target, domain=CUBE) if target.any() else None
        else:
            kind_of = "euclidean" if objective == "nearest" else "linear"
            found = collide(layer, x, towards=target, domain=CUBE, objective=kind_of)
        if found is None:
            singleton = reference_preimage.preimage(
                weight, bias, reference_preimage.output(weight, bias, x), G, h
            )
            assert singleton == ("singleton", 0) or not target.any()
            continue
        check_collision(layer, x, found, CUBE)
        if "no input but the original" in found.reason:
            assert found.optimal_gap is None
            best = reference.nearest(*steps, target - x) if objective == "nearest" else 0.0
            here = np.linalg.norm(target - x) if objective == "nearest" else 0.0
            most = reference.farthest(*steps, target) if objective != "nearest" else 0.0
            assert here == pytest.approx(best, abs=1e-6) and most == pytest.approx(0, abs=1e-6)
            continue
        seen += 1
        assert 0 <= found.optimal_gap <= 1e-6
        if objective == "nearest":
            best = reference.nearest(*steps, target - x)
            assert np.linalg.norm(found.x - target) == pytest.approx(best, abs=1e-6)
            assert np.linalg.norm(found.x - target) - found.optimal_gap <= best + 1e-9
        else:
            best = reference.farthest(*steps, target)
            assert target @ (found.x - x) == pytest.approx(best, abs=1e-6)
            assert target @ (found.x - x) + found.optimal_gap >= best - 1e-9
    assert seen >= 5


def test_farthest_is_local_but_good(rng):
    shares = []
    for _ in range(15):
        weight, bias, x, _ = make(rng, "gaussian")
        found = collide(ReLULayer(weight, bias), x, domain=CUBE)
        if found is None:
            continue
        check_collision(ReLULayer(weight, bias), x, found, CUBE)
        assert found.optimal_gap is None and "local" in found.reason
        longest = reference.longest(*reference.constraints(weight, bias, x, *CUBE.inequalities(len(x))))
        shares.append(found.distance / longest)
    assert len(shares) > 5 and max(shares) <= 1 + 1e-6
    assert np.mean(np.array(shares) > 1 - 1e-6) > 0.8


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    recipe = RECIPES[name]()
    for x in recipe.points[::6]:
        singleton = preimage(recipe.layer, x).kind
        try:
            found = collide(recipe.layer, x, towards=np.roll(x, 1) + 0.5)
        except unrelu.errors.UnreluError:
            assert name in HARD
            continue
        assert (found is None) == (singleton == "singleton")
        if found is not None:
            check_collision(recipe.layer, x, found, proved=name not in HARD)


HARD = {
    "nearly_dependent",
    "huge_rows",
    "tiny_rows",
    "overflowing",
    "cancelling",
    "one_ulp_apart",
    "subnormal_rows",
    "subnormal_column",
}


@pytest.mark.parametrize("domain", [Box(0, 1), Orthant(), Box(np.array([0.0] * 12), np.inf)])
def test_pixels_at_the_border(domain, rng):
    for _ in range(6):
        weight, bias = rng.standard_normal((9, 12)), 0.5 * rng.standard_normal(9)
        x, target = np.maximum(rng.random(12) - 0.4, 0), rng.random(12)
        layer = ReLULayer(weight, bias)
        found = collide(layer, x, towards=target, domain=domain)
        if found is None:
            assert preimage(layer, x, domain=domain).kind == "singleton"
            continue
        check_collision(layer, x, found, domain)
        assert (found.x[(x == 0) & (found.x < 1e-7)] == 0).all()


def test_polytope(rng):
    G = rng.standard_normal((20, 6))
    for _ in range(6):
        weight, bias, x = rng.standard_normal((5, 6)), rng.standard_normal(5), 0.3 * rng.standard_normal(6)
        domain = Polytope(G, np.maximum(G @ x + 0.05, 0.5))
        found = collide(ReLULayer(weight, bias), x, towards=-x, domain=domain)
        check_collision(ReLULayer(weight, bias), x, found, domain)
        steps = reference.constraints(weight, bias, x, *domain.inequalities())
        best = min(np.linalg.norm(d + 2 * x) for d in reference.candidates(*steps, -2 * x))
        assert found.target_distance == pytest.approx(best, abs=1e-6)


def test_singletons():
    layer = ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    assert collide(layer, np.array([1.0, 2.0])) is None
    assert collide(layer, np.zeros(2), towards=np.ones(2)) is None
    # One dimension is left over, and the domain closes it.
    assert collide(layer, np.array([0.5, 0.0]), domain=Box(0, 1)) is None
    assert collide(layer, np.full(2, 0.25), along=np.ones(2), domain=Box(0.25, 0.25)) is None


def test_unbounded_along_a_direction():
    layer = ReLULayer(np.array([[1.0, 0.0, 0.0]]))
    x = np.array([4.0, 0.0, -1.0])
    found = collide(layer, x, along=np.array([0.0, 3.0, 4.0]))
    check_collision(layer, x, found)
    assert "unbounded" in found.reason and found.optimal_gap is None
    assert np.abs(found.x - x).max() == pytest.approx(40.0)
    bounded = collide(layer, x, along=np.array([0.0, 3.0, 0.0]), domain=Box(-5, 5))
    assert bounded.x[1] == pytest.approx(5) and bounded.optimal_gap < 1e-6


def test_where_the_original_is_best():
    layer = ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0.0, -1.0]))
    x = np.array([1.0, 1.0])  # the second row is at its border
    found = collide(layer, x, towards=np.array([1.0, 3.0]))
    assert "original" in found.reason and found.optimal_gap is None
    check_collision(layer, x, found)
    assert found.x[1] < 0


def test_the_tip_of_a_ray():
    """Of a line through x one half lies in the domain, and the target is beyond the other one.

    For the last five seeds no direction that is tried at first leads into the domain.
    """
    for seed in (*range(20), 104, 229, 299, 304, 367):
        rng = np.random.default_rng(seed)
        weight, x = rng.standard_normal((11, 12)), rng.uniform(-1, 1, 12)
        v = np.linalg.svd(weight)[2][-1]
        x[0] = 2.0
        layer = ReLULayer(weight, 1 - weight @ x)
        found = collide(layer, x, towards=x + np.sign(v[0]) * v, domain=CUBE)
        assert "original" in found.reason
        check_collision(layer, x, found, CUBE)


def test_convolution_keeps_shapes():
    torch.manual_seed(1)
    module = torch.nn.Conv2d(2, 1, 3, padding=1).double()
    layer = ReLULayer.from_module(module, (2, 5, 5))
    x, target = torch.rand(2, 5, 5), torch.rand(2, 5, 5)
    found = collide(layer, x, towards=target, domain=Box(0, 1))
    assert isinstance(found.x, torch.Tensor) and found.x.shape == x.shape and found.x.dtype == torch.float64
    with torch.no_grad():
        same = torch.relu(module(found.x[None])) - torch.relu(module(x.double()[None]))
    assert same.abs().max() < 1e-14
    check_collision(layer, x.double().numpy(), found, Box(0, 1))
    flat = collide(layer, x.reshape(-1).numpy(), towards=target.numpy(), domain=Box(0, 1))
    assert isinstance(flat.x, np.ndarray) and flat.x.shape == (50,)
    assert flat.x == pytest.approx(found.x.numpy().ravel(), abs=1e-9)


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.sampled_from([1e-12, 1.0, 1e12]))
def test_scaling_the_inputs_scales_the_answer(seed, scale):
    rng = np.random.default_rng(seed)
    weight, bias, x, target = make(rng, "gaussian")
    one = collide(ReLULayer(weight, bias), x, towards=target, domain=CUBE)
    other = collide(
        ReLULayer(weight, bias * scale), x * scale, towards=target * scale, domain=Box(-2 * scale, 2 * scale)
    )
    assert (one is None) == (other is None)
    if one is not None and one.optimal_gap is not None and other.optimal_gap is not None:
        assert other.target_distance == pytest.approx(one.target_distance * scale, rel=1e-6, abs=1e-7 * scale)


@settings(max_examples=20)
@given(st.integers(0, 10**6))
def test_rows_may_be_scaled_permuted_and_repeated(seed):
    rng = np.random.default_rng(seed)
    weight, bias, x, target = make(rng, "gaussian")
    index = rng.permutation(np.append(np.arange(len(bias)), rng.integers(0, len(bias), 3)))
    factor = 2.0 ** rng.integers(-40, 40, len(index))
    one = collide(ReLULayer(weight, bias), x, towards=target, domain=CUBE)
    other = collide(
        ReLULayer(weight[index] * factor[:, None], bias[index] * factor), x, towards=target, domain=CUBE
    )
    assert (one is None) == (other is None)
    if one is not None and one.optimal_gap is not None and other.optimal_gap is not None:
        assert other.target_distance == pytest.approx(one.target_distance, abs=1e-6)


def test_time_limit_returns_what_there_is(rng):
    layer = ReLULayer(rng.standard_normal((60, 200)))
    found = collide(layer, rng.random(200), domain=Box(0, 1), time_limit=0.5)
    assert found is None or found.distance > 0


def test_the_frame_is_shared(rng):
    layer = ReLULayer(rng.standard_normal((5, 8)))
    x = rng.random(8)
    frame = unrelu.frames.frame_of(layer)
    assert np.array_equal(collide(layer, x, frame=frame).x, collide(layer, x).x)
    assert not np.array_equal(collide(layer, x, seed=3, domain=CUBE).x, x)


LAYER = ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0]]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"x": np.zeros(3)}, r"x: expected one sample of shape \(2,\)"),
        ({"x": np.zeros((1, 2))}, "x: expected one sample"),
        ({"x": np.array([np.nan, 0.0])}, "x: expected finite"),
        ({"towards": np.zeros(3)}, "towards: expected one sample"),
        ({"towards": np.array([np.inf, 0.0])}, "towards: expected finite"),
        ({"along": np.zeros(2)}, "along: expected a direction"),
        ({"towards": np.ones(2), "along": np.ones(2)}, "at most one"),
        ({"domain": unrelu.Ball(np.zeros(2), 1.0)}, "domain: expected a Box"),
        ({"domain": "box"}, "domain: expected a Box"),
        ({"domain": Box(1, 2)}, "x: expected a point of the domain"),
        ({"domain": Polytope(np.eye(2), np.array([-1.0, 1.0]))}, "x: expected a point of the domain"),
        ({"domain": Box(np.zeros(3), np.ones(3))}, "expected 3"),
        ({"objective": "manhattan"}, "objective: expected one of euclidean, linear"),
        ({"time_limit": 0}, "time_limit: expected a positive number"),
        ({"layer": "layer"}, "layer: expected a ReLULayer or a Network"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(unrelu.errors.ArgumentError, match=message):
        collide(**{"layer": LAYER, "x": np.zeros(2), **arguments})
