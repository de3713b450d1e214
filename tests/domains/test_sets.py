"""Membership, projection, inequalities and properties of the domains."""

import pickle

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unrelu.domains import Ball, Box, Domain, Orthant, Polytope, Shell, Space, Sphere
from unrelu.errors import ArgumentError

TRIANGLE = Polytope([[-1, 0], [0, -1], [1, 1]], [0, 0, 1])
# every kind of domain in the plane; those with a projection first
PROJECTABLE = [
    Space(),
    Orthant(),
    Box(-1, 1),
    Box([-1, 0], [np.inf, 0]),
    Ball(0.5, 2),
    Ball([1, -1], 0.5),
    Sphere(2),
    Shell(0.5, 2),
    Shell(0, 1),
]
DOMAINS = [*PROJECTABLE, TRIANGLE]
POLYHEDRAL = [domain for domain in DOMAINS if domain.polyhedral]

coordinates = st.floats(-1e3, 1e3)
points = arrays(np.float64, 2, elements=coordinates)
clouds = arrays(np.float64, (5, 2), elements=coordinates)


def name(value: object) -> str | None:
    return repr(value).replace("\n", "") if isinstance(value, Domain) else None


@pytest.mark.parametrize(
    ("domain", "inside", "outside"),
    [
        (Space(), [[0, 0], [-1e300, 1e300]], [[np.nan, 0], [np.inf, 0]]),
        (Orthant(), [[0, 0], [1, 2], [-0.0, 0]], [[-1e-300, 1], [np.inf, 1]]),
        (Box(0, 1), [[0, 1], [0.5, 0.5]], [[-1e-9, 0], [0, 1 + 1e-9], [np.nan, 0]]),
        (Box([0, -np.inf], [1, 5]), [[0, -1e300]], [[0, -np.inf], [2, 0], [0, 6]]),
        (Ball([1, 0], 2), [[3, 0], [1, 2], [1, 0]], [[3 + 1e-9, 0], [-1.1, 0]]),
        (Ball(0, 1e200), [[1e200, 0]], [[1e200, 1e200]]),
        (Sphere(5), [[3, 4], [-5, 0]], [[0, 0], [3, 4.1]]),
        (Shell(1, 5), [[3, 4], [1, 0], [2, 2]], [[0, 0.9], [3, 4.1]]),
        (TRIANGLE, [[0, 0], [0.5, 0.5]], [[-0.1, 0], [0.6, 0.5], [np.inf, 0]]),
    ],
    ids=name,
)
def test_membership(domain: Domain, inside: list[list[float]], outside: list[list[float]]):
    for convert in (np.array, lambda rows: torch.tensor(rows, dtype=torch.float64)):
        for rows, expected in ((inside, True), (outside, False)):
            answer = domain.contains(convert(rows))
            assert isinstance(answer, np.ndarray | torch.Tensor)
            assert answer.shape == (len(rows),) and answer.dtype in (np.bool_, torch.bool)
            assert answer.tolist() == [expected] * len(rows)
            assert bool(domain.contains(convert(rows[0]))) is expected


@pytest.mark.parametrize("domain", DOMAINS, ids=name)
def test_batches_are_leading_axes(domain: Domain, rng: np.random.Generator):
    x = rng.normal(size=(3, 4, 2))
    expected = [[bool(domain.contains(row)) for row in block] for block in x]
    assert domain.contains(x).tolist() == expected
    assert domain.contains(torch.from_numpy(x)).tolist() == expected


@pytest.mark.parametrize(
    ("domain", "point"),
    [
        (Orthant(), [-0.1, 0]),
        (Box(0, 1), [1.1, -0.1]),
        (Ball(0, 1), [0, 1.1]),
        (Sphere(1), [0, 0.9]),
        (Shell(1, 2), [0, 0.9]),
        (Polytope([[10, 0]], [10]), [1.1, 0]),
    ],
    ids=name,
)
def test_tolerance_is_a_distance(domain: Domain, point: list[float]):
    assert not domain.contains(point, tol=0.0999)
    assert domain.contains(point, tol=0.1001)


def test_comparison_is_in_float64():
    third = torch.tensor([1 / 3], dtype=torch.float32)
    assert bool(Box(0, 1 / 3).contains(third)) == (float(third) <= 1 / 3)
    assert not Box(0, 0.3).contains(np.array([0.3], np.float32))


@pytest.mark.parametrize("domain", PROJECTABLE, ids=name)
@example(x=np.array([5e-324, 5e-324]), others=np.zeros((5, 2)))
@given(x=points, others=clouds)
def test_projection_is_a_nearest_member(domain: Domain, x: np.ndarray, others: np.ndarray):
    p = domain.project(x)
    scale = 1 + np.abs(x).max()
    assert domain.contains(p, tol=1e-12 * scale)
    np.testing.assert_allclose(domain.project(p), p, atol=1e-12 * scale)
    members = domain.project(others)
    assert (np.linalg.norm(x - p) <= np.linalg.norm(x - members, axis=-1) + 1e-9 * scale).all()
    if domain.contains(x):
        np.testing.assert_array_equal(p, x)
    np.testing.assert_allclose(domain.project(torch.from_numpy(x)).numpy(), p, rtol=1e-15, atol=1e-15 * scale)


@pytest.mark.parametrize("domain", [d for d in PROJECTABLE if d.convex], ids=name)
@given(x=points, y=points)
def test_projection_on_a_convex_set_does_not_expand(domain: Domain, x: np.ndarray, y: np.ndarray):
    moved = np.linalg.norm(domain.project(x) - domain.project(y))
    assert moved <= np.linalg.norm(x - y) * (1 + 1e-9) + 1e-9


@pytest.mark.parametrize("domain", [d for d in PROJECTABLE if d.convex], ids=name)
@given(x=points, y=points, share=st.floats(0, 1))
def test_convex(domain: Domain, x: np.ndarray, y: np.ndarray, share: float):
    a, b = domain.project(x), domain.project(y)
    assert domain.contains(share * a + (1 - share) * b, tol=1e-9)


@pytest.mark.parametrize("domain", [d for d in DOMAINS if not d.convex], ids=name)
def test_not_convex(domain: Domain):
    """The middle of two members need not be one; a shell from radius 0 is a ball, but not said to be."""
    assert not domain.contains([0.0, 0.0]) or domain == Shell(0, 1)


def test_the_center_of_a_sphere_goes_to_the_first_axis():
    np.testing.assert_array_equal(Sphere(2).project(np.zeros((2, 3))), [[2, 0, 0]] * 2)
    np.testing.assert_array_equal(Shell(1, 2).project(np.zeros(3)), [1, 0, 0])
    np.testing.assert_array_equal(Ball(1, 2).project(np.ones(3)), [1, 1, 1])


@pytest.mark.parametrize("domain", PROJECTABLE, ids=name)
@pytest.mark.parametrize("scale", [1e-200, 1e200])
def test_projection_at_extreme_scales(domain: Domain, scale: float):
    p = domain.project(np.array([3.0, -4.0]) * scale)
    assert np.isfinite(p).all() and domain.contains(p, tol=1e-12)


def test_projection_keeps_kind_dtype_and_gradient():
    x = torch.tensor([[3.0, 4.0]], dtype=torch.float32, requires_grad=True)
    p = Ball(0, 1).project(x)
    assert p.dtype == torch.float32
    p.sum().backward()
    assert torch.isfinite(x.grad).all()
    assert Box(0, 1).project(np.array([[2, 3]])).dtype == np.float64
    assert Box(0, 1).project(np.ones((1, 2), np.float32)).dtype == np.float32
    assert Box([0, 0], [1, 2]).project(torch.tensor([[5, 5]])).tolist() == [[1, 2]]


@pytest.mark.parametrize("domain", POLYHEDRAL, ids=name)
@given(x=points)
def test_inequalities_say_what_membership_says(domain: Domain, x: np.ndarray):
    G, h = domain.inequalities(2)
    assert G.dtype == h.dtype == np.float64 and G.shape == (len(h), 2)
    assert np.isfinite(G).all() and np.isfinite(h).all()
    assert (G @ x <= h).all() == domain.contains(x)


def test_inequalities_of_the_space_are_none():
    G, h = Space().inequalities(7)
    assert G.shape == (0, 7) and h.shape == (0,)


@pytest.mark.parametrize("domain", [d for d in DOMAINS if not d.polyhedral], ids=name)
def test_no_inequalities(domain: Domain):
    with pytest.raises(ArgumentError, match=f"{type(domain).__name__} .*not polyhedral"):
        domain.inequalities(2)


@pytest.mark.parametrize(
    ("domain", "bounded"),
    [
        (Space(), False),
        (Orthant(), False),
        (Box(0, 1), True),
        (Box(0, [1, np.inf]), False),
        (Box(-np.inf, 0), False),
        (Ball(), True),
        (Sphere(), True),
        (Shell(1, 2), True),
        (TRIANGLE, True),
        (Polytope(np.zeros((0, 3)), []), False),
        (Polytope([[1, 0], [-1, 0]], [1, 1]), False),
        (Polytope([[1, 0], [0, 1], [-1, 0]], 1), False),
        (Polytope([[1e-9, 0], [0, 1e9], [-1, 0], [0, -1], [0, 0]], 1), True),
    ],
    ids=name,
)
def test_bounded(domain: Domain, bounded: bool):
    assert domain.bounded is bounded


def test_a_polytope_has_no_projection():
    with pytest.raises(ArgumentError, match="Polytope has no closed-form projection"):
        TRIANGLE.project([0, 0])


def test_dimension():
    assert [d.dimension for d in (Space(), Orthant(), Box(0, 1), Ball(), Sphere(), Shell(1, 2))] == [None] * 6
    assert Box([0], 1).dimension == 1
    assert Box(0, torch.ones(3)).dimension == 3
    assert Ball([1, 2], 1).dimension == 2
    assert TRIANGLE.dimension == 2
    assert Box(0, [1, 2]).resolve_dimension() == 2


def test_vectors_of_parameters():
    lo, hi = Box(0, [1, np.inf]).bounds()
    assert lo.tolist() == [0, 0] and hi.tolist() == [1, np.inf]
    assert Box(0, 1).bounds(3)[1].tolist() == [1, 1, 1]
    assert Ball(2, 1).center_point(2).tolist() == [2, 2]


def test_domains_are_values():
    assert Box(0, 1) == Box(0.0, np.float32(1)) and hash(Box(0, 1)) == hash(Box(0.0, 1.0))
    assert Box([0, 0], [1, 1]) == Box(torch.zeros(2), np.ones(2, int))
    assert Box(0, 1) != Box([0, 0], [1, 1]) and Ball(0, 1) != Sphere(1) and Space() == Space()
    assert Polytope(TRIANGLE.G, TRIANGLE.h) == TRIANGLE
    assert TRIANGLE.bounded and pickle.loads(pickle.dumps(TRIANGLE)) == TRIANGLE
    assert repr(Ball(0, 2)) == "Ball(center=0.0, radius=2.0)"


def test_domains_keep_their_parameters():
    lo = np.zeros(2)
    box = Box(lo, 1)
    lo[0] = 9
    assert box == Box([0, 0], 1)
    with pytest.raises(ValueError, match="read-only"):
        box.lo[0] = 9
    with pytest.raises(AttributeError):
        box.lo = 9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Box(1, 0), r"lo: expected lo <= hi .* got 1\.0 and 0\.0"),
        (lambda: Box([0, 2], 1), r"got 2\.0 and 1\.0"),
        (lambda: Box([0, 0], [1, 1, 1]), "hi: expected 2 bounds, as many as lo has, got 3"),
        (lambda: Box(np.nan, 1), "lo: expected numbers without NaN"),
        (lambda: Box(np.inf, np.inf), "with a number between"),
        (lambda: Box(-np.inf, -np.inf), "with a number between"),
        (lambda: Box([[0]], 1), r"lo: expected a number or a vector, got shape \(1, 1\)"),
        (lambda: Box([], 1), "lo: expected a number or a vector"),
        (lambda: Box("0", 1), "lo: expected real numbers, got dtype <U1"),
        (lambda: Box(0, 1j), "hi: expected real numbers, got dtype complex128"),
        (lambda: Box(False, True), "lo: expected real numbers, got dtype bool"),
        (lambda: Box([[0], [1, 2]], 1), "lo: expected numbers in a regular array"),
        (lambda: Box(None, 1), "lo: expected real numbers, got dtype object"),
        (lambda: Ball(0, 0), "radius: expected a positive number, got 0"),
        (lambda: Ball(0, -1), "radius: expected a positive number"),
        (lambda: Ball(0, np.inf), "radius: expected finite numbers, got inf"),
        (lambda: Ball(0, [1, 2]), "radius: expected a positive number"),
        (lambda: Ball([0, np.inf], 1), "center: expected finite numbers"),
        (lambda: Sphere(0), "radius: expected a positive number"),
        (lambda: Sphere(np.nan), "radius: expected finite numbers, got nan"),
        (lambda: Shell(2, 1), r"inner: expected at most outer = 1\.0, got 2\.0"),
        (lambda: Shell(-1, 1), "inner: expected a number that is not negative"),
        (lambda: Shell(0, 0), "outer: expected a positive number"),
        (lambda: Polytope([1, 2], 1), "G: expected a matrix"),
        (lambda: Polytope(np.ones((2, 0)), 1), "G: expected a matrix"),
        (lambda: Polytope([[1, 2]], [1, 2]), "h: expected 1 numbers, one for each row of G, got 2"),
        (lambda: Polytope([[1, 2]], []), "h: expected 1 numbers"),
        (lambda: Polytope([[1, np.nan]], 1), "G: expected finite numbers"),
        (lambda: Polytope([[1, 2]], np.inf), "h: expected finite numbers"),
        (lambda: Box(0, 1).contains(0.5), r"x: expected points of shape \(\.\.\., n\), got shape \(\)"),
        (lambda: Box(0, 1).contains(np.ones((3, 0))), "x: expected points"),
        (lambda: Box([0, 0], 1).contains([1, 2, 3]), "x: expected points with 2 coordinates, got 3"),
        (lambda: Ball([0, 0], 1).project(torch.ones(3)), "x: expected points with 2 coordinates, got 3"),
        (lambda: Space().contains(["a"]), "x: expected real numbers"),
        (lambda: Space().contains(torch.ones(2, dtype=torch.complex64)), "x: expected real numbers"),
        (lambda: Space().contains(torch.ones(2, dtype=torch.bool)), "x: expected real numbers"),
        (lambda: Space().contains([1.0], tol=-1), "tol: expected a number that is not negative"),
        (lambda: Space().contains([1.0], tol=np.nan), "tol: expected finite"),
        (lambda: Box(0, 1).inequalities(), "n: expected the dimension, which Box does not fix"),
        (lambda: Box([0, 0], 1).inequalities(3), "n: expected 2, the dimension of Box, got 3"),
        (lambda: Space().inequalities(0), "n: expected a whole number of at least 1, got 0"),
        (lambda: Space().inequalities(2.0), "n: expected a whole number"),
    ],
)
def test_bad_arguments(make: object, message: str):
    with pytest.raises(ArgumentError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)
