"""Changed certificates are accepted only if what they state is true."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.certificates import families
from tests.certificates.families import CROSS
from tests.reference import certificates as reference
from unrelu.certificates import verify


@pytest.mark.parametrize("kind", ["integers", "gaussian", "repeated", "on hyperplanes", "low rank"])
def test_changed_certificates_of_points(kind):
    """What is still accepted is true; whatever is changed in a claim or a point is refused if it is false."""
    rng, seen = np.random.default_rng(0), Counter()
    for made in families.of_points(kind, 6, seed=5):
        for field, mutant in families.mutants(made, rng):
            valid = verify(mutant).valid
            seen[field, valid] += 1
            if valid:
                assert reference.is_true(mutant), (field, mutant)
                # Corrections differ: the twin takes the nearest vector, the verifier any near enough.
                assert field in {"tangent", "recession"} or reference.verify_at_point(mutant)
    for field in ("kind", "dimension", "layer", "x", "tangent", "recession"):
        assert seen[field, False] > 3, (field, seen)
    assert seen["kind", True] == 0 and seen["dimension", True] == 0


@pytest.mark.parametrize("kind", ["integers", "repeated", "on hyperplanes"])
def test_changed_certificates_of_outputs(kind):
    rng, seen = np.random.default_rng(0), Counter()
    for made in families.of_outputs(kind, 7):
        for field, mutant in families.mutants(made, rng) if made else ():
            found = verify(mutant)
            seen[field, found.valid] += 1
            if found.valid and found.grade == "exact":
                assert reference.is_true(mutant), (field, mutant)
    for field in ("kind", "y", "output"):
        assert seen[field, False] > 3, (field, seen)


def test_broken_proofs_are_refused():
    """Each part is needed, and must be right."""
    made = families.certificate(CROSS, -np.ones(4), np.zeros(2))
    assert (made.kind, made.dimension) == ("bounded", 2) and verify(made).valid
    recession = made.recession
    for change in (
        {"multipliers": -recession.multipliers},
        {"multipliers": recession.multipliers * [1, 1, 1, -1]},
        {"multipliers": None},
        {"implied": recession.implied[:3], "multipliers": recession.multipliers[:3]},
        {"equalities": np.array([0])},
        {"inequalities": recession.inequalities[:3]},
        {"dimension": 1},
    ):
        assert not verify(replace(made, recession=replace(recession, **change))).valid, change
    assert not verify(replace(made, recession=None)).valid
    assert not verify(replace(made, tangent=None)).valid
    assert not verify(replace(made, tangent=replace(made.tangent, dimension=1))).valid
    free = families.certificate(CROSS[:2], -np.ones(2), np.zeros(2))
    assert free.kind == "unbounded" and verify(free).valid
    for direction in (None, np.zeros(2), np.array([1.0, 0.0])):
        proof = replace(free.recession, direction=direction, implied=np.zeros(0, int), dimension=-1)
        assert not verify(replace(free, recession=replace(proof, multipliers=None))).valid
