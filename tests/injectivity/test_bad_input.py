"""Layers and domains at the edge of what floating point holds: right verdicts, or one clear line."""

import numpy as np
import pytest

from tests.recipes import RECIPES
from tests.reference.cells import unspanned_point
from tests.reference.injectivity import is_injective_on_the_line
from unrelu import Ball, Box, Orthant, Polytope, ReLULayer, Space, Verdict, decide, verify
from unrelu.errors import ArgumentError


def domains(n: int) -> dict:
    simplex = Polytope(np.vstack([-np.eye(n), np.ones((1, n))]), np.ones(n + 1))
    return {
        "space": Space(),
        "orthant": Orthant(),
        "box": Box(-1, 1),
        "half-infinite box": Box(0.25, np.inf),
        "ball": Ball(0.0, 1.0),
        "polytope": simplex,
    }


def decided(layer: ReLULayer, domain, verdict: Verdict | None = None, seconds: float = 5.0):
    """Decide, and check the proof; a verdict that is not expected must at least be open."""
    decision = decide(layer, domain, time_limit=seconds)
    if decision.verdict != Verdict.UNKNOWN:
        checked = verify(decision.certificate, layer)
        assert checked.valid and checked.grade == decision.grade
    if verdict is not None:
        assert decision.verdict == verdict, decision.reason
    return decision


NOWHERE = {
    "no rows": (np.zeros((0, 2)), np.zeros(0)),
    "zeros": (np.zeros((5, 2)), np.ones(5)),
    "a zero column": (np.array([[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0]]), np.full(3, 9.0)),
    "one row": (np.ones((1, 3)), np.ones(1)),
    "one row of huge weights": (np.full((1, 3), 1e308), np.ones(1)),
    "one row of the smallest weights": (np.full((1, 2), 5e-324), np.zeros(1)),
    "low rank": (np.outer(np.arange(1.0, 9.0), [1.0, 2.0, 3.0]), np.ones(8)),
    "low rank, huge": (np.outer(np.arange(1.0, 9.0), [1.0, 2.0, 3.0]) * 2.0**1018, np.ones(8)),
}


@pytest.mark.parametrize("name", NOWHERE)
@pytest.mark.parametrize("kind", domains(1))
def test_rows_that_span_nowhere(name, kind):
    layer = ReLULayer(*NOWHERE[name])
    decision = decided(layer, domains(layer.n)[kind], Verdict.NOT_INJECTIVE)
    if decision.collision is None:  # steps below the smallest number there is
        assert "smallest" in name and "no two float64 inputs" in decision.reason
    else:
        assert decision.collision.distance > 0


PAIRS = np.array([[2.0, 1.0], [-2.0, -1.0], [1.0, 1.0], [-1.0, -1.0]])
EVERYWHERE = {
    "repeated rows": (np.repeat(PAIRS, 3, axis=0), np.tile([0.0, 1.0, 2.0], 4)),
    "products overflow": (PAIRS * 2.0**664, np.zeros(4)),
    "products overflow with bias": (PAIRS * 2.0**664, np.full(4, 1e200)),
    "subnormal": (PAIRS * 5e-324, np.zeros(4)),
    "the largest": (PAIRS * 2.0**1022, np.full(4, 1e308)),
    "a tiny column": (PAIRS * [1.0, 2.0**-1073], np.zeros(4)),
    "many rows": (np.vstack([PAIRS, np.random.default_rng(0).standard_normal((3000, 2))]), np.ones(3004)),
}


@pytest.mark.parametrize("name", EVERYWHERE)
@pytest.mark.parametrize("kind", domains(1))
def test_rows_that_span_everywhere(name, kind):
    layer = ReLULayer(*EVERYWHERE[name])
    decided(layer, domains(layer.n)[kind], Verdict.INJECTIVE)


@pytest.mark.parametrize("kind", [kind for kind in domains(1) if kind != "ball"])
@pytest.mark.parametrize("seed", range(12))
def test_one_input(kind, seed):
    rng = np.random.default_rng(seed)
    m = int(rng.choice([0, 1, 2, 3, 400]))
    weight = rng.choice([-1.0, 1.0, 0.0, 3e-308, 1e300], (m, 1))
    bias = rng.choice([0.0, -1.0, 1.0, 1e-300], m) * (seed % 3 > 0) - seed % 2
    domain = domains(1)[kind]
    point = unspanned_point(weight, bias, *domain.inequalities(1))
    decided(ReLULayer(weight, bias), domain, Verdict.INJECTIVE if point is None else Verdict.NOT_INJECTIVE)
    if kind == "space":
        assert is_injective_on_the_line(weight, bias) == (point is None)


@pytest.mark.parametrize("kind", domains(1))
@pytest.mark.parametrize("n", [1, 2, 3])
def test_very_many_rows(kind, n, rng):
    layer = ReLULayer(rng.standard_normal((20_000, n)), rng.standard_normal(20_000))
    decided(layer, domains(n)[kind], Verdict.INJECTIVE, 60.0)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    recipe = RECIPES[name]()
    layer = recipe.layer
    if layer.n > 3:
        decided(layer, Space())
        return
    for domain in domains(layer.n).values():
        decision = decided(layer, domain, seconds=2.0)
        if domain.polyhedral and decision.verdict != Verdict.UNKNOWN:
            point = unspanned_point(recipe.weight, recipe.bias, *domain.inequalities(layer.n))
            assert (decision.verdict == Verdict.INJECTIVE) == (point is None)


@pytest.mark.parametrize(
    ("domain", "told"),
    [
        (Box(0.0, [0.0, 1.0]), r"equal bounds of coordinate 0; fold inputs that never change into the bias"),
        (Box([0.0, 2.0], [1.0, 2.0]), "equal bounds of coordinate 1"),
        (Polytope([[1.0, 0.0], [-1.0, 0.0]], [-1.0, -1.0]), "polyhedron with inner points, found none"),
        (Polytope([[1.0, 0.0], [-1.0, 0.0]], [0.0, 0.0]), "polyhedron with inner points, found none"),
    ],
)
def test_domains_without_inner_points(domain, told):
    with pytest.raises(ArgumentError, match=f"^domain: expected a .*{told}"):
        decide(ReLULayer(np.array([[1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])), domain)


def test_a_box_without_inner_points_on_which_all_rows_are_active():
    decided(ReLULayer(np.eye(2)), Box(0.0, [0.0, 1.0]), Verdict.INJECTIVE)


@pytest.mark.parametrize("domain", [Box(1.0, np.nextafter(1.0, 2)), Ball(1e100, 1e-300)])
def test_domains_whose_inner_points_are_no_floats(domain):
    decision = decided(ReLULayer(np.ones((1, 2))), domain, Verdict.NOT_INJECTIVE)
    assert decision.collision is None and "no two float64 inputs" in decision.reason


@pytest.mark.parametrize(
    ("weight", "bias", "told"),
    [
        ([[1.0, np.nan]], [0.0], "weight"),
        ([[1.0, np.inf]], [0.0], "weight"),
        ([[1.0, 1.0]], [np.nan], "bias"),
        ([[1.0, 1.0]], [-np.inf], "bias"),
        ([[1.0, 1.0]], [1.0, 2.0], "bias"),
        (np.zeros((3, 0)), np.zeros(3), "weight"),
        ([1.0, 2.0], [0.0], "weight"),
    ],
)
def test_no_layer(weight, bias, told):
    with pytest.raises(ArgumentError, match=told) as error:
        decide(ReLULayer(np.array(weight), np.array(bias)))
    assert "\n" not in str(error.value)
