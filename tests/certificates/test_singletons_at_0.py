"""Certificates of points that are alone by rows that are 0 at them."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.families import changed_proofs
from tests.reference.preimage import output
from tests.reference.preimage import preimage as kind_of
from unrelu import ReLULayer, preimage
from unrelu.certificates import SingletonsCertificate, certify_singletons, from_json, verify


def at_points(layer: ReLULayer, points: np.ndarray, **options) -> SingletonsCertificate | None:
    """The certificate of points, by rows at 0 where others are not enough."""
    return certify_singletons(
        layer.record(), points, cones=lambda k: preimage(layer, points[k]).proof.tangent, **options
    )


@pytest.mark.parametrize("n", [1, 2, 3])
def test_points_that_are_alone_by_rows_at_0(n, rng):
    """There is a certificate if and only if elimination in Fractions says that all points are alone."""
    answers = Counter()
    for _ in range(60):
        weight = rng.integers(-2, 3, (int(rng.integers(n, 4 * n + 3)), n)).astype(float)
        layer = ReLULayer(weight, rng.integers(-1, 2, len(weight)).astype(float))
        points = rng.integers(-1, 2, (int(rng.integers(1, 4)), n)).astype(float)
        made = at_points(layer, points)
        outputs = [output(weight, layer.bias.numpy(), x) for x in points]
        alone = all(kind_of(weight, layer.bias.numpy(), y)[0] == "singleton" for y in outputs)
        assert (made is not None) == alone
        answers[made is not None, made is not None and len(made.cones) > 0] += 1
        if made is not None:
            assert verify(made, layer).grade == "exact"
            assert verify(from_json(made.to_json())) == verify(made)
    assert len(answers) == 3, answers


def test_changed_cones(rng):
    """Of a certificate with one point of either kind."""
    layer = ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    made = at_points(layer, np.array([[0.0, 0.0], [1.0, 2.0]]))
    assert (made.which.tolist(), len(made.sets), len(made.cones)) == ([1, 0], 1, 1)
    assert verify(made).reason == (
        "rows that are strictly active in each ball span R^n; "
        "at 1 of 2 points rows at 0 leave no direction to go"
    )
    (proof,) = made.cones
    fewer = replace(proof, implied=proof.implied[:2], multipliers=proof.multipliers[:2])
    wrong = replace(proof, equalities=np.array([0]), inequalities=np.array([1, 2]), implied=np.array([1, 2]))
    other = replace(proof, inequalities=proof.inequalities[:2])
    for change, reason in (
        ({"points": np.array([[1e-9, 0.0], [1.0, 2.0]])}, "point 0: an inequality is not 0"),
        ({"points": np.array([[0.0, -1.0], [1.0, 2.0]])}, "point 0: an inequality is not 0"),
        ({"radius": 0.1}, "cones: a radius of 0 was expected"),
        ({"cones": (wrong,)}, "an equality is not strictly active"),
        ({"cones": (fewer,)}, "proved to leave 2 dimensions"),
        ({"cones": (replace(proof, multipliers=-proof.multipliers),)}, "proved to leave 2 dimensions"),
        ({"cones": (replace(proof, multipliers=None),)}, "proved to leave 2 dimensions"),
        ({"cones": (other,)}, "an implied row is no inequality"),
        ({"cones": ()}, "rows: expected set numbers below 1"),
        ({"which": np.array([0, 0])}, "point 0: row 0 is not strictly active"),
        ({"which": np.array([1, 1])}, "point 1: an inequality is not 0"),
    ):
        found = verify(replace(made, **change))
        assert not found.valid and reason in found.reason, (change, found)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_no_proof_of_another_point_is_accepted_wrongly(seed):
    rng = np.random.default_rng(seed)
    weight, bias = rng.integers(-2, 3, (6, 2)).astype(float), rng.integers(-1, 2, 6).astype(float)
    layer, points = ReLULayer(weight, bias), rng.integers(-1, 2, (4, 2)).astype(float)
    found = [preimage(layer, x).proof.tangent for x in points]
    changed = [other for proof in found if proof is not None for other in changed_proofs(proof, rng)]
    none = np.zeros(0, dtype=np.int64)
    for x in points:
        alone = kind_of(weight, bias, output(weight, bias, x))[0] == "singleton"
        for proof in (*filter(None, found), *changed):
            made = SingletonsCertificate(
                layer.record(), x[None], 0.0, none, (), np.zeros(1, dtype=np.int64), (proof,)
            )
            assert alone or not verify(made).valid


def test_cones_are_not_taken_on_trust():
    """A proof that does not hold at its point is no proof, and with a radius none is asked for."""
    layer = ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
    good = preimage(layer, np.zeros(2)).proof.tangent
    for point, cones in ((np.zeros((1, 2)), lambda _: good), (np.ones((1, 2)) * -1, lambda _: good)):
        made = certify_singletons(layer.record(), point, cones=cones)
        assert (made is not None) == (point == 0).all()
    assert certify_singletons(layer.record(), np.zeros((1, 2)), 0.1, cones=lambda _: good) is None
    assert certify_singletons(layer.record(), np.zeros((1, 2))) is None
