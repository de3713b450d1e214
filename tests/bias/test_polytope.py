"""Polytope bias estimation: known bodies, naive twins, soundness at many points, and what must be refused."""

from dataclasses import FrozenInstanceError
from itertools import permutations, product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls
from scipy.spatial import ConvexHull

from tests.recipes import RECIPES
from tests.reference import polytope as naive
from unrelu import Ball, Box, ReLULayer, Space, Sphere, analyse_points
from unrelu.bias import polytope
from unrelu.bias._cone import nonnegative_minimisers, spherical_minima
from unrelu.bias._cover import cover, most_facets
from unrelu.domains import Shell
from unrelu.errors import ArgumentError

PHI = (1 + 5**0.5) / 2


def gaussian(m: int, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((m, n))


def signs(n: int) -> np.ndarray:
    return np.array(list(product([1.0, -1.0], repeat=n)))


def cross_polytope(n: int) -> np.ndarray:
    return np.vstack([np.eye(n), -np.eye(n)])


def simplex(n: int) -> np.ndarray:
    """n + 1 unit vectors with products -1/n."""
    centred = np.eye(n + 1) - 1 / (n + 1)
    rows = centred @ np.linalg.svd(centred)[2][:n].T
    return rows / np.linalg.norm(rows, axis=1)[:, None]


def icosahedron() -> np.ndarray:
    corners = [np.roll([0, a, b * PHI], k) for k in range(3) for a in (1, -1) for b in (1, -1)]
    return np.array(corners) / np.hypot(1, PHI)


FRAMES = {
    "icosahedron": icosahedron(),
    "tetrahedron": simplex(3),
    "cross-polytope in 4": cross_polytope(4),
    "cube": signs(3),
    "cube in 4": signs(4),
    "cube in 5": signs(5),
    "cube in 6": signs(6),
    "permutohedron": np.array(list(permutations([-1.5, -0.5, 0.5, 1.5]))) @ simplex(3),
    "circle": np.array([[np.cos(t), np.sin(t)] for t in (0, 0.2, 0.9, 2, 3.5, 4, 5)]),
    **{
        f"gaussian {m} x {n}": gaussian(m, n)
        for m, n in [(9, 2), (20, 3), (30, 4), (40, 5), (40, 6), (32, 7)]
    },
    "rows of any size": gaussian(20, 3) * np.geomspace(1e-3, 1e3, 20)[:, None],
    "zero rows": np.insert(gaussian(20, 3), [3, 3, 9], 0.0, axis=0),
    "repeated rows": np.repeat(gaussian(14, 3), 3, axis=0) * np.tile([1.0, 4.0, 3.0], 14)[:, None],
    "one ulp apart": np.vstack([gaussian(20, 3), np.nextafter(gaussian(20, 3), np.inf)]),
    "integers": np.random.default_rng(5).integers(-2, 3, (40, 3)).astype(float),
    "integers in 4": np.random.default_rng(5).integers(-1, 2, (60, 4)).astype(float),
}


@pytest.mark.parametrize("name", FRAMES)
def test_rows_above_the_bias_span_everywhere(name, rng):
    weight = FRAMES[name]
    layer = ReLULayer(weight)
    points = naive.directions(weight, 3000, rng)
    radii = rng.random((len(points), 1))
    assert naive.spans(weight, polytope(layer).alpha, points)
    assert naive.spans(weight, polytope(layer, Sphere(3)).alpha, 3 * points)
    alpha = polytope(layer, Ball(radius=0.5)).alpha
    assert (alpha <= 0)[np.isfinite(alpha)].all()
    assert naive.spans(weight, alpha, np.vstack([0.5 * radii * points, 0.5 * points, 0 * points[:1]]))
    assert naive.spans(weight, polytope(layer, Shell(1, 2)).alpha, (1 + radii) * points)


@pytest.mark.parametrize("name", FRAMES)
def test_points_on_the_sphere_have_singleton_preimages(name, rng):
    """Below the bias, decided by the library's exact analysis of points."""
    weight = FRAMES[name]
    found = polytope(ReLULayer(weight))
    norms = np.linalg.norm(weight, axis=1)
    bias = np.where(np.isfinite(found.alpha), 1e-9 * norms - found.alpha, -10 * norms - 1)
    points = naive.directions(weight, 50, rng)
    assert (analyse_points(ReLULayer(weight, bias), points, n_jobs=1).singleton == 1).all()


@pytest.mark.parametrize(("m", "n", "seed"), [(7, 2, 0), (9, 3, 1), (12, 3, 2), (12, 4, 3), (13, 4, 9)])
@pytest.mark.parametrize(
    ("domain", "radii"), [(Sphere(2), (2, 2)), (Ball(radius=2), (0, 2)), (Shell(1, 2), (1, 2))]
)
def test_against_all_subsets(m, n, seed, domain, radii):
    weight = np.vstack([gaussian(m, n, seed), -gaussian(1, n, seed)])
    found = polytope(ReLULayer(weight), domain)
    assert found.alpha == pytest.approx(naive.bias(weight, *radii), rel=1e-12, abs=1e-12)
    unit = weight / np.linalg.norm(weight, axis=1)[:, None]
    assert found.facets == len(naive.facets(unit))


def test_icosahedron():
    found = polytope(ReLULayer(icosahedron()))
    assert found.alpha == pytest.approx(np.full(12, PHI / (1 + PHI**2)))
    assert found.facets == 20
    assert found.omnidirectional
    assert found.clearance == pytest.approx(0.7946544722917661)
    assert polytope(ReLULayer(icosahedron()), Ball()).alpha.tolist() == [0.0] * 12


def test_simplex():
    """All but one row at a time; products are negative, the minima lie inside faces."""
    assert polytope(ReLULayer(simplex(3))).alpha == pytest.approx(np.full(4, -1 / 3**0.5))
    assert polytope(ReLULayer(simplex(2))).alpha == pytest.approx(np.full(3, -1 / 2))
    alpha = polytope(ReLULayer(3 * simplex(3)), Ball(radius=2)).alpha
    assert alpha == pytest.approx(np.full(4, -6 / 3**0.5))


@pytest.mark.parametrize("n", [2, 3, 5, 7])
def test_cross_polytope_needs_no_bias_at_all(n):
    """Zeros are exact: with b = 0 the layer is on the safe side, not next to it."""
    assert polytope(ReLULayer(cross_polytope(n)), Ball(radius=5)).alpha.tolist() == [0.0] * (2 * n)


@pytest.mark.parametrize(("weight", "raise_by"), [(icosahedron(), 0.01), (simplex(3), 0.01)])
def test_largest_where_it_is_said_to_be(weight, raise_by, rng):
    alpha = polytope(ReLULayer(weight)).alpha
    for i in range(len(weight)):
        higher = alpha.copy()
        higher[i] += raise_by
        assert not naive.spans(weight, higher, naive.directions(weight, 5000, rng))


def test_not_the_largest_in_general():
    """The row at 330 degrees stands in for the one at 85 wherever that is far."""
    degrees = np.array([0, 85, 90, 150, 200, 250, 330])
    weight = np.column_stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    alpha = polytope(ReLULayer(weight)).alpha
    higher = alpha.copy()
    higher[1] += 0.5
    angle = np.radians(np.arange(0, 360, 0.01) + 0.005)
    assert naive.spans(weight, higher, np.column_stack([np.cos(angle), np.sin(angle)]))


@pytest.mark.parametrize("n", [3, 4])
def test_cut_facets_are_tighter_than_whole_ones(n, rng):
    """A cube's facet as a whole asks more of each of its corners than the simplices it is cut into."""
    unit = signs(n) / n**0.5
    hull = ConvexHull(unit)
    whole = np.full(len(unit), np.inf)
    for plane in np.unique(hull.equations.round(9), axis=0):
        corners = np.flatnonzero(np.abs(unit @ plane[:-1] + plane[-1]) < 1e-9)
        for i in corners:
            products = unit[corners] @ unit[i]
            length = np.linalg.norm(unit[corners].T @ nnls(unit[corners].T, -unit[i])[0])
            whole[i] = min(whole[i], products.min() if (products >= 0).all() else -length)
    points = naive.directions(unit, 3000, rng)
    cut = polytope(ReLULayer(unit)).alpha
    assert naive.spans(unit, whole - 1e-12, points)
    assert (cut >= whole - 1e-12).all()
    assert (cut > whole + 0.1).any()


def test_parallel_and_zero_rows_are_not_needed():
    weight = np.vstack([icosahedron(), 2 * icosahedron(), np.zeros((2, 3))])
    alpha = polytope(ReLULayer(weight)).alpha
    assert np.isinf(alpha[24:]).all()
    assert np.isfinite(alpha).sum() == 12
    assert (np.isfinite(alpha[:12]) != np.isfinite(alpha[12:24])).all()


@given(
    m=st.integers(8, 24),
    n=st.integers(2, 4),
    seed=st.integers(0, 10**6),
    exponent=st.integers(-60, 60),
    radius=st.floats(0.1, 10),
)
@settings(max_examples=40)
def test_what_must_not_change(m, n, seed, exponent, radius):
    """Rows times positive numbers, other order, rotated inputs, and the unit of length."""
    rng = np.random.default_rng(seed)
    half = rng.standard_normal((m, n))
    weight = np.vstack([half, -half + 0.1 * rng.standard_normal((m, n))])
    alpha = polytope(ReLULayer(weight)).alpha
    scale = np.exp2(rng.integers(-abs(exponent) - 1, abs(exponent) + 1, 2 * m))
    assert polytope(ReLULayer(scale[:, None] * weight)).alpha == pytest.approx(scale * alpha, rel=1e-9)
    assert polytope(ReLULayer(weight), Sphere(radius)).alpha == pytest.approx(radius * alpha, rel=1e-9)
    order = rng.permutation(2 * m)
    assert polytope(ReLULayer(weight[order])).alpha == pytest.approx(alpha[order], rel=1e-6, abs=1e-9)
    rotation = np.linalg.qr(rng.standard_normal((n, n)))[0]
    assert polytope(ReLULayer(weight @ rotation)).alpha == pytest.approx(alpha, rel=1e-6, abs=1e-9)
    ball = polytope(ReLULayer(weight), Ball(radius=radius)).alpha
    assert ball[np.isfinite(ball)] == pytest.approx(
        np.minimum(0, radius * alpha)[np.isfinite(ball)], rel=1e-9
    )


@given(n=st.integers(2, 7), seed=st.integers(0, 10**6), spread=st.floats(0.05, 3))
@settings(max_examples=60)
def test_minima_on_a_cone(n, seed, spread):
    """Never above the true minimum, hardly below it; narrow, wide and obtuse cones."""
    rng = np.random.default_rng(seed)
    v = spread * rng.standard_normal((n, n)) + np.eye(n)[0]
    v /= np.linalg.norm(v, axis=1)[:, None]
    if np.linalg.cond(v) > 1e5:
        return
    clearance = 1 / np.linalg.norm(np.linalg.solve(v, np.ones(n)))
    found = spherical_minima(v[None], np.array([clearance * (1 - 1e-9)]))[0]
    exact = np.array([naive.least_product(row, v) for row in v])
    assert (found <= exact + 1e-15).all()
    assert found == pytest.approx(exact, abs=1e-9)


def test_non_negative_minimisers(rng):
    a = rng.standard_normal((200, 9, 8))
    gram, linear = a.mT @ a, rng.standard_normal((200, 8))
    c = nonnegative_minimisers(gram, linear)
    gradient = np.einsum("kij,kj->ki", gram, c) + linear
    assert (c >= 0).all() and (gradient > -1e-9).all()
    assert np.abs(c * gradient).max() < 1e-9


def test_most_facets():
    assert [most_facets(m, 2) for m in (3, 10)] == [3, 10]
    assert [most_facets(m, 3) for m in (4, 12)] == [4, 20]
    assert [most_facets(n + 1, n) for n in range(2, 12)] == list(range(3, 13))
    assert [most_facets(m, 4) for m in (6, 8)] == [9, 20]


@pytest.mark.parametrize("shift", range(3))
def test_a_wrong_hull_is_noticed(monkeypatch, shift):
    """Whatever the hull's code says is checked: a missing facet, swapped neighbours, a facet turned over."""

    class Wrong(ConvexHull):
        def __init__(self, points):
            super().__init__(points)
            simplices, neighbors = self.simplices.copy(), self.neighbors.copy()
            if shift == 0:
                simplices[0] = simplices[1]
            elif shift == 1:
                neighbors[0] = np.roll(neighbors[0], 1)
            else:
                simplices[simplices == 0], simplices[simplices == 1] = 1, 0
            self._simplices, self.neighbors = simplices, neighbors

        @property
        def simplices(self):
            return self._simplices

        @simplices.setter
        def simplices(self, value):
            self._simplices = value

    monkeypatch.setattr("unrelu.bias._cover.ConvexHull", Wrong)
    with pytest.raises(ArgumentError, match="undecided"):
        cover(gaussian(20, 3) / np.linalg.norm(gaussian(20, 3), axis=1)[:, None])


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.abs(gaussian(12, 3)), "all negative"),
        (np.vstack([cross_polytope(3)[:5], [[-1, -1, 0]]]), "undecided whether"),
        (np.vstack([cross_polytope(3)[:5], [[-1, 0, -1e-12]]]), "undecided whether"),
        (np.vstack([cross_polytope(3)[:5], [[-1, 0, 1e-3]]]), "undecided|all negative"),
        (np.ones((8, 3)), "flat"),
        (gaussian(9, 2) @ gaussian(2, 3), "flat"),
        (np.insert(gaussian(9, 2), 1, 0.5, axis=1), "all negative"),
        (gaussian(3, 3), "more than n = 3, got 3"),
        (np.vstack([gaussian(3, 3), np.zeros((5, 3))]), "more than n = 3, got 3"),
        (gaussian(100, 10), r"m = 100 rows in dimension n = 10 may have .* max_facets = 2000000"),
        (gaussian(2000, 784), "n = 784"),
        (gaussian(9, 1), "at least 2 inputs"),
        (np.sign(gaussian(20, 3)) * 1.7e308, "too large"),
    ],
)
@pytest.mark.parametrize("domain", [Sphere(), Ball()])
def test_refused_with_the_reason(weight, message, domain):
    with pytest.raises(ArgumentError, match=rf"^layer: .*({message})"):
        polytope(ReLULayer(weight), domain)


@pytest.mark.parametrize("domain", [Space(), Box(0, 1), Ball([0.0, 1.0, 0.0], 1.0)])
def test_other_domains_are_refused(domain):
    with pytest.raises(ArgumentError, match=r"^domain: expected a"):
        polytope(ReLULayer(icosahedron()), domain)


def test_budget_is_the_caller_s():
    layer = ReLULayer(gaussian(20, 4))
    with pytest.raises(ArgumentError, match="max_facets = 100"):
        polytope(layer, max_facets=100)
    assert polytope(layer, max_facets=1000).facets < 170


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_recipes_are_answered_soundly_or_refused(name, rng):
    case = RECIPES[name]()
    try:
        alpha = polytope(case.layer).alpha
    except ArgumentError:
        return
    size = np.abs(case.weight).max(axis=1, keepdims=True)
    size[size == 0] = 1.0
    points = naive.directions(case.weight / size, 1000, rng)
    assert naive.spans(case.weight / size, alpha / size[:, 0], points)


def test_huge_and_tiny_rows():
    weight = FRAMES["gaussian 20 x 3"]
    alpha = polytope(ReLULayer(weight)).alpha
    scale = np.geomspace(1e-200, 1e200, 20)
    assert polytope(ReLULayer(weight * scale[:, None])).alpha / scale == pytest.approx(alpha)


def test_small_convolution_and_single_precision(rng):
    torch.manual_seed(0)
    module = torch.nn.Conv1d(1, 12, 2, padding=1)
    layer = ReLULayer.from_module(module, (1, 3))
    found = polytope(layer.to(dtype=torch.float32))
    assert found.alpha.shape == (48,) and found.alpha.dtype == np.float64
    weight = layer.dense().numpy()
    assert naive.spans(weight, found.alpha, naive.directions(weight, 3000, rng))


def test_result_is_frozen():
    found = polytope(ReLULayer(icosahedron()))
    assert found.domain == Sphere() and "20 cones of 3 rows" in found.reason
    with pytest.raises(FrozenInstanceError):
        found.facets = 0


@pytest.mark.slow
def test_cube_with_many_coplanar_rows():
    found = polytope(ReLULayer(signs(8)), max_facets=10**10)
    assert found.clearance == pytest.approx(8**-0.5)
    points = naive.directions(signs(8), 1000, np.random.default_rng(0))
    assert naive.spans(signs(8), found.alpha, points)
