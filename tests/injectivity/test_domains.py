"""Structure on polytopes and balls beyond what a tree could do; polytopes that are boxes, turned."""

import numpy as np
import pytest

from unrelu import Ball, Box, Polytope, ReLULayer, Verdict, decide, verify
from unrelu.certificates import InjectivityCertificate


def turned(n: int, rng) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((n, n)))[0]


@pytest.mark.parametrize(("bias", "injective"), [(1.2, True), (-0.5, False)])
def test_rows_always_active_on_a_polytope_of_many_inputs(bias, injective, rng):
    n = 80
    faces = turned(n, rng)
    domain = Polytope(np.vstack([faces, -faces]), np.ones(2 * n))
    rows = faces + 0.02 * rng.standard_normal((n, n)) @ faces / np.sqrt(n)
    layer = ReLULayer(rows, np.full(n, bias))
    decision = decide(layer, domain, time_limit=10)
    assert verify(decision.certificate, layer).valid
    assert (decision.verdict == Verdict.INJECTIVE) == injective
    if injective:
        assert len(decision.certificate.faces) == len(decision.certificate.always) == n
        assert verify(type(decision.certificate).from_json(decision.certificate.to_json())).valid


def test_pairs_and_always_active_rows_share_a_simplex(rng):
    simplex = Polytope(np.vstack([-np.eye(3), np.ones((1, 3))]), [0.0, 0.0, 0.0, 1.0])
    weight = np.array([[1.0, 2.0, 0.0], [-1.0, -1.0, -1.0], [5.0, -3.0, 1.0], [-10.0, 6.0, -2.0]])
    layer = ReLULayer(weight, [0.0, 1.0, -0.25, 0.5])
    decision = decide(layer, simplex)
    assert decision.verdict == Verdict.INJECTIVE
    assert "pairs" in decision.reason and "active on the whole domain" in decision.reason
    assert verify(decision.certificate, layer).valid


def test_a_ball_in_which_a_row_just_touches_the_border():
    layer = ReLULayer([[3.0, 4.0], [0.0, 1.0]], [5.0, 1.0])
    decision = decide(layer, Ball(0.0, 1.0))
    assert decision.verdict == Verdict.INJECTIVE
    assert decision.certificate.domain.kind == "ball" and verify(decision.certificate, layer).valid
    lower = ReLULayer([[3.0, 4.0], [0.0, 1.0]], [np.nextafter(5.0, 0), 1.0])
    assert decide(lower, Ball(0.0, 1.0), time_limit=2).verdict != Verdict.INJECTIVE


def test_a_ball_of_many_inputs(rng):
    weight = rng.standard_normal((120, 100))
    norms = np.linalg.norm(weight, axis=1)
    ball = Ball(0.0, 2.0)
    active = ReLULayer(weight, 2.01 * norms)
    decision = decide(active, ball)
    assert decision.verdict == Verdict.INJECTIVE and verify(decision.certificate, active).valid
    some = ReLULayer(weight, np.where(np.arange(120) < 60, 2.01 * norms, -1.9 * norms))
    decision = decide(some, ball)
    assert decision.verdict == Verdict.NOT_INJECTIVE and verify(decision.certificate, some).valid
    assert ball.contains(decision.collision.x) and ball.contains(decision.collision.original)


def test_the_tree_on_the_box_around_a_ball(rng):
    layer = ReLULayer(rng.standard_normal((30, 3)), rng.standard_normal(30) + 1.0)
    on_ball, on_box = decide(layer, Ball(0.0, 1.0)), decide(layer, Box(-1, 1))
    assert on_box.verdict == on_ball.verdict == Verdict.INJECTIVE
    if isinstance(on_ball.certificate, InjectivityCertificate):
        assert on_ball.certificate.domain.kind == "box" and "box around the ball" in on_ball.reason
