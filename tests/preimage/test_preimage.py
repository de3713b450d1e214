"""Preimages of single outputs against elimination in rational arithmetic; certificates are checked apart."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import unrelu
from tests.frames.matrices import KINDS
from tests.preimage.checks import check_cone, check_preimage
from tests.recipes import RECIPES
from tests.reference import preimage as reference
from unrelu import Box, Orthant, Polytope, ReLULayer, preimage
from unrelu.preimage import Evidence, Kind, OutputError


def compare(weight, bias, x, domain=None) -> bool:
    """Compare with the reference; return whether anything was left undecided that small sizes allow."""
    result = preimage(ReLULayer(weight, bias), x, domain=domain)
    G, h = (None, None) if domain is None else domain.inequalities(weight.shape[1])
    kind, dimension = reference.preimage(weight, bias, reference.output(weight, bias, x), G, h)
    assert result.kind in {kind, "undecided"}
    assert result.dimension in {dimension, -1}
    assert result.evidence == (Evidence.NONE if result.kind == "undecided" else Evidence.EXACT)
    assert result.radius == 0 or result.proof.spanning is not None
    check_preimage(weight, bias, result, G)
    return (str(result.kind), result.dimension) != (kind, dimension)


def make(rng: np.random.Generator, kind: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A layer and a point of it."""
    n, m = int(rng.integers(1, 4)), int(rng.integers(0, 8))
    weight = rng.integers(-2, 3, (m, n)).astype(float)
    bias, x = rng.integers(-1, 2, m).astype(float), rng.integers(-1, 2, n).astype(float)
    if kind == "gaussian":
        weight, bias, x = (rng.standard_normal(size) for size in ((m, n), m, n))
    elif kind == "repeated" and m:
        weight = weight[rng.integers(0, m, m)] * rng.choice([1.0, -1, 2, 3], m)[:, None]
    elif kind == "origin":
        bias, x = np.zeros(m), np.zeros(n)
    elif kind == "low rank":
        weight = (rng.integers(-2, 3, (m, 1)) @ rng.integers(-2, 3, (1, n))).astype(float)
        weight[: m // 3] = rng.integers(-1, 2, (m // 3, n))
    elif kind == "on hyperplanes":
        bias = -(weight @ x) - rng.integers(0, 2, m) * rng.integers(0, 2, m)
    elif kind == "rounded hyperplanes":
        weight, x = rng.standard_normal((m, n)), rng.standard_normal(n)
        bias = -(weight @ x)
    return weight, bias, x


MADE = ["integers", "gaussian", "repeated", "origin", "low rank", "on hyperplanes", "rounded hyperplanes"]


@pytest.mark.parametrize("kind", MADE)
def test_small_layers(kind):
    rng = np.random.default_rng(MADE.index(kind))
    undecided = sum(compare(*make(rng, kind)) for _ in range(200))
    assert undecided == 0


@pytest.mark.parametrize("kind", MADE)
def test_small_layers_in_domains(kind):
    rng = np.random.default_rng(100 + MADE.index(kind))
    undecided = 0
    for k in range(120):
        weight, bias, x = make(rng, kind)
        domain = (Box(0, 1), Orthant(), Box(-np.inf, x.max()))[k % 3]
        x = domain.project(x)
        if k % 5 == 0:
            G = rng.integers(-1, 2, (3, len(x))).astype(float)
            x = np.round(x)
            domain = Polytope(G, G @ x + rng.integers(0, 2, 3))
        undecided += compare(weight, bias, x, domain)
    assert undecided == 0


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_that_fool_floating_point(kind):
    rng = np.random.default_rng(list(KINDS).index(kind))
    undecided = 0
    for k in range(60):
        weight = KINDS[kind](rng)[:7, :3]
        m, n = weight.shape
        x = rng.integers(0, 2, n) * (1.0 if k % 2 else rng.random(n))
        with np.errstate(all="ignore"):
            bias = np.where(np.isfinite(weight @ x), -(weight @ x), 0.0) * rng.integers(0, 2, m)
        undecided += compare(weight, bias, x, (None, Box(0, 1), Orthant())[k % 3])
    assert undecided == 0


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name]().weight.size <= 60])
def test_recipes(name):
    recipe = RECIPES[name]()
    for x in recipe.points[::5]:
        assert not compare(recipe.weight, recipe.bias, x)


@pytest.mark.parametrize("domain", [None, Box(0, 1), Orthant()])
def test_certificates_in_more_dimensions(domain, rng):
    """Floating point with bounds proves these; exact arithmetic agrees."""
    kinds = set()
    for k in range(12):
        weight = rng.standard_normal((18 + k, 14))
        x = np.maximum(rng.random(14) - 0.3, 0)
        bias = 0.5 * rng.standard_normal(18 + k)
        result = preimage(ReLULayer(weight, bias), x, domain=domain)
        check_preimage(weight, bias, result, None if domain is None else domain.inequalities(14)[0])
        kinds.add(result.kind)
    assert "undecided" not in kinds and len(kinds) > 1


def test_cases_of_the_theorem():
    cross = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    layer = ReLULayer(cross, -np.ones(4))
    assert preimage(layer, np.array([2.0, 2.0])).kind == Kind.SINGLETON  # k = 0
    inside = preimage(layer, np.zeros(2))
    assert (inside.kind, inside.dimension) == (Kind.BOUNDED, 2)
    edge = preimage(layer, np.array([2.0, 0.0]))
    assert (edge.kind, edge.dimension) == (Kind.BOUNDED, 1)
    pinned = preimage(ReLULayer(cross), np.zeros(2))  # k = 2 and yet a singleton: Theorem 4 (ii)
    assert (pinned.kind, pinned.dimension) == (Kind.SINGLETON, 0)
    assert pinned.proof.spanning is None
    strip = preimage(ReLULayer(cross[:2], -np.ones(2)), np.zeros(2))
    assert (strip.kind, strip.dimension) == (Kind.UNBOUNDED, 2)
    line = preimage(ReLULayer(cross[:2]), np.zeros(2))
    assert (line.kind, line.dimension) == (Kind.UNBOUNDED, 1)


def test_radius_is_that_of_the_analysis(rng):
    layer = ReLULayer(rng.standard_normal((20, 4)), rng.standard_normal(20))
    x = rng.standard_normal((30, 4))
    radii = unrelu.analyse_points(layer, x).radius
    found = [preimage(layer, point) for point in x]
    assert [result.radius for result in found] == pytest.approx(radii, rel=1e-12)
    assert any(radii > 0)


@pytest.mark.parametrize("seed", range(3))
def test_outputs_of_whole_numbers(seed):
    """Feasible or not, exactly; a refusal comes with multipliers that prove it."""
    rng = np.random.default_rng(seed)
    for _ in range(60):
        n, m = int(rng.integers(1, 4)), int(rng.integers(1, 7))
        weight, bias = rng.integers(-2, 3, (m, n)).astype(float), rng.integers(-2, 3, m).astype(float)
        y = rng.integers(0, 3, m) * rng.integers(0, 2, m).astype(float)
        kind, dimension = reference.preimage(weight, bias, y.tolist())
        if kind == "empty":
            with pytest.raises(OutputError, match="no input") as refusal:
                preimage(ReLULayer(weight, bias), y=y)
            check_refusal(weight, bias, y, refusal.value.certificate.output)
            continue
        result = preimage(ReLULayer(weight, bias), y=y)
        assert (str(result.kind), result.dimension) == (kind, dimension)
        assert result.evidence == Evidence.EXACT
        check_preimage(weight, bias, result)
        proof = result.proof.output
        check_system(weight, bias, y, proof)
        assert m + 1 not in proof.implied and proof.direction is not None
        assert ReLULayer(weight, bias).apply(result.x) == pytest.approx(y, abs=1e-9)


def check_system(weight, bias, y, proof) -> None:
    """The homogenised system is that of the output, and what is said of its cone is true."""
    m, n = weight.shape
    both, above = np.zeros((2, n + 2))
    both[-2:], above[-2] = (1, -1), -1
    matrix = np.vstack([np.column_stack([weight, bias, -y]), both, above])
    assert set(proof.equalities.tolist()) == {*np.flatnonzero(y > 0).tolist(), m}
    assert set(proof.inequalities.tolist()) <= {*np.flatnonzero(y == 0).tolist(), m + 1}
    check_cone(matrix, proof)


def check_refusal(weight, bias, y, proof) -> None:
    """The last row of the homogenised system is 0 wherever the others hold."""
    check_system(weight, bias, y, proof)
    m = len(weight)
    assert proof.dimension == 0 or (m + 1 in proof.implied and proof.multipliers is not None)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_outputs_with_rounding(dtype, rng):
    layer = ReLULayer(rng.standard_normal((14, 6)), 0.3 * rng.standard_normal(14))
    for x in rng.standard_normal((30, 6)):
        expected = preimage(layer, x)
        single = ReLULayer(layer.dense().numpy().astype(dtype), layer.bias.numpy())
        result = preimage(layer if dtype == np.float64 else single, y=layer.apply(x).astype(dtype))
        assert result.kind == expected.kind
        assert result.dimension == expected.dimension
        if result.kind == Kind.SINGLETON:
            assert result.x == pytest.approx(x, rel=1e-3 if dtype == np.float32 else 1e-9)


def test_outputs_too_far_from_any(rng):
    layer = ReLULayer(rng.standard_normal((10, 3)), 5 * np.ones(10))
    y = layer.apply(rng.standard_normal(3) / 10)
    assert preimage(layer, y=y).evidence == Evidence.FLOAT
    with pytest.raises(OutputError, match="no input"):
        preimage(layer, y=y + rng.random(10) / 100)
    assert preimage(layer, y=y, domain=Box(-10, 10)).kind == Kind.SINGLETON
    with pytest.raises(OutputError, match="no input"):
        preimage(layer, y=y, domain=Box(10, 20))


def test_outputs_at_the_border_up_to_rounding(rng):
    """Pixels at 0 are not exactly there when computed back: that is no reason to refuse."""
    layer = ReLULayer(rng.standard_normal((12, 3)), 5 * np.ones(12))
    x = np.array([0.3, 0.0, 0.7])
    result = preimage(layer, y=layer.apply(x), domain=Box(0, 1))
    assert result.kind in {"singleton", "undecided"}
    assert preimage(layer, x, domain=Box(0, 1)).kind == "singleton"
    with pytest.raises(OutputError, match="no input"):
        preimage(layer, y=layer.apply(x - 0.01), domain=Box(0, 1))


@given(st.integers(0, 10**6))
def test_positive_scaling_and_order_of_rows_change_nothing(seed):
    rng = np.random.default_rng(seed)
    weight, bias, x = make(rng, "on hyperplanes")
    before = preimage(ReLULayer(weight, bias), x)
    scale = 2.0 ** rng.integers(-40, 40, len(weight)) * rng.integers(1, 6, len(weight))
    order = rng.permutation(len(weight))
    after = preimage(ReLULayer((weight * scale[:, None])[order], (bias * scale)[order]), x)
    assert (before.kind, before.dimension) == (after.kind, after.dimension)


@given(st.integers(0, 10**6))
def test_lower_biases_of_inactive_rows(seed):
    """The preimage grows with room to move, and its directions to infinity stay the same."""
    rng = np.random.default_rng(seed)
    weight, bias, x = make(rng, "on hyperplanes")
    before = preimage(ReLULayer(weight, bias), x)
    inactive = weight @ x + bias <= 0
    after = preimage(ReLULayer(weight, bias - inactive * rng.integers(0, 3, len(bias))), x)
    assert after.dimension >= before.dimension
    assert (after.kind == Kind.UNBOUNDED) == (before.kind == Kind.UNBOUNDED)


@given(st.integers(0, 10**6))
def test_a_domain_never_enlarges(seed):
    rng = np.random.default_rng(seed)
    weight, bias, x = make(rng, "integers")
    free = preimage(ReLULayer(weight, bias), x)
    boxed = preimage(ReLULayer(weight, bias), x, domain=Box(-1, 1))
    assert boxed.kind != Kind.UNBOUNDED
    assert boxed.dimension <= free.dimension


IDENTITY = ReLULayer(np.eye(3))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "exactly one"),
        ({"x": np.ones(3), "y": np.ones(3)}, "exactly one"),
        ({"x": np.array([1.0, np.nan, 0.0])}, "finite"),
        ({"y": np.array([1.0, np.inf, 0.0])}, "finite"),
        ({"y": np.array([1.0, -1.0, 0.0])}, "1 negative"),
        ({"x": np.ones(4)}, "shape"),
        ({"y": np.ones(2)}, "shape"),
        ({"x": np.ones((2, 3))}, "one sample"),
        ({"y": np.ones((1, 3))}, "one sample"),
        ({"x": np.full(3, 2.0), "domain": Box(0, 1)}, "outside"),
        ({"x": -np.ones(3), "domain": Orthant()}, "outside"),
        ({"x": np.ones(3), "domain": unrelu.Ball(0.0, 9.0)}, "Ball .* not polyhedral"),
        ({"x": np.ones(3), "domain": unrelu.Sphere(1.0)}, "Sphere .* not polyhedral"),
        ({"x": np.ones(3), "domain": Box(np.zeros(2), 1)}, "dimension"),
        ({"x": np.ones(3), "domain": "box:0,1"}, "expected a domain"),
    ],
)
def test_refused(arguments, message):
    with pytest.raises(unrelu.errors.ArgumentError, match=message):
        preimage(IDENTITY, **arguments)


def test_tensors_images_and_single_precision(rng):
    kernel = torch.from_numpy(rng.standard_normal((1, 1, 2, 2)).astype(np.float32))
    layer = ReLULayer(unrelu.layers.Convolution(kernel, (1, 3, 3)))
    x = torch.from_numpy(rng.random((1, 3, 3)).astype(np.float32))
    result = preimage(layer, x)
    assert isinstance(result.x, np.ndarray) and result.x.shape == (9,)
    assert preimage(layer, y=layer.apply(x)).kind == result.kind
    weight, bias = layer.dense().double().numpy(), layer.bias.double().numpy()
    check_preimage(weight, bias, result)


def test_rows_that_are_rounded_products():
    recipe = RECIPES["product"]()
    factor = unrelu.layers.Dense(torch.full((5, 5), 0.1, dtype=torch.float64))
    layer = ReLULayer(unrelu.layers.compose(recipe.layer.linear, factor), -np.ones(10))
    result = preimage(layer, np.ones(5))
    assert result.evidence == (Evidence.EXACT if layer.linear.exact else Evidence.FLOAT)
