"""Certificates of preimages: true ones are verified, changed ones only if what they state is true."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from tests.certificates import families
from tests.certificates.families import CROSS
from tests.frames.matrices import KINDS
from tests.preimage.test_preimage import MADE
from tests.recipes import RECIPES
from tests.reference import certificates as reference
from unrelu import Box, ReLULayer, preimage
from unrelu.certificates import DomainRecord, LayerRecord, PreimageCertificate, from_json, verify


def verified(made) -> str:
    """Check a certificate, before and after a round trip, and return its grade."""
    found = verify(made)
    assert found.valid, (found, made)
    assert verify(from_json(made.to_json())) == found
    return found.grade


@pytest.mark.parametrize("kind", MADE)
def test_points(kind):
    for made in families.of_points(kind, 40):
        assert verified(made) == "exact"
        assert reference.verify_at_point(made)


@pytest.mark.parametrize("kind", MADE)
def test_outputs(kind):
    grades = Counter()
    for made in families.of_outputs(kind, 40):
        if made is not None:
            grades[verified(made)] += 1
            if verify(made).grade == "exact":
                assert reference.is_true(made)
    assert grades["exact"] > 12


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_that_fool_floating_point(kind):
    for made in families.of_matrices_that_fool_floating_point(kind, 40):
        assert verified(made) == "exact"


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name]().weight.size <= 60])
def test_recipes(name):
    recipe = RECIPES[name]()
    for x in recipe.points[::5]:
        made = preimage(recipe.layer, x).certificate
        assert verified(made) == ("exact" if recipe.layer.linear.exact else "float")
        assert verify(made, recipe.layer).valid


@pytest.mark.parametrize("domain", [None, Box(0, 1)])
def test_more_dimensions(domain, rng):
    kinds = set()
    for m in (12, 20, 30, 60):
        weight, bias = rng.standard_normal((m, 14)), 0.5 * rng.standard_normal(m)
        x = np.maximum(rng.random(14) - 0.3, 0)
        made = families.certificate(weight, bias, x, domain=domain)
        assert verified(made) == "exact" and reference.verify_at_point(made)
        of_output = families.certificate(weight, bias, y=np.maximum(weight @ x + bias, 0), domain=domain)
        assert of_output is None or verified(of_output) in {"exact", "float"}
        kinds.add(made.kind)
    assert len(kinds) > 1


def test_the_layer_given_counts(rng):
    weight, bias = rng.standard_normal((9, 4)), rng.standard_normal(9)
    layer = ReLULayer(weight, bias)
    made = preimage(layer, rng.standard_normal(4)).certificate
    bare = from_json(made.to_json(rows=False))
    assert "does not hold its numbers" in verify(bare).reason
    assert verify(bare, layer).valid and verify(bare, layer.record()).valid
    assert verify(bare, {"relu": layer}).valid
    other = ReLULayer(weight, np.nextafter(bias, np.inf))
    assert "other numbers" in verify(made, other).reason
    assert "no layer of this name" in verify(made, {"another": layer}).reason


def test_rounded_numbers_are_graded_so(rng):
    record = LayerRecord.dense(rng.standard_normal((9, 4)), np.zeros(9), exact=False)
    active = np.flatnonzero(reference.matrix(record) @ np.ones(4) > 0)
    made = PreimageCertificate(
        record, DomainRecord("space", 4), np.ones(4), None, "singleton", 0, spanning=active
    )
    assert (verify(made).valid, verify(made).grade) == (len(active) >= 4, "float")


def test_in_words(rng):
    made = families.certificate(CROSS, -np.ones(4), np.zeros(2))
    assert verify(made).statement == (
        "the preimage of relu(W x + b) at the given x in R^2 is bounded of dimension 2"
    )
    empty = families.certificate(np.eye(2), np.ones(2), y=np.zeros(2), domain=Box(0, 1))
    assert verify(empty).statement == "no input in [0, 1]^2 has the given output y of relu(W x + b)"


def test_row_numbers_of_any_type():
    made = families.certificate(CROSS, -np.ones(4), np.zeros(2))
    floats = replace(made.tangent, equalities=np.zeros(0), implied=np.zeros(0), inequalities=np.zeros(0))
    assert verify(replace(made, tangent=floats)).valid


def test_wrong_shapes_raise_nothing(rng):
    made = families.certificate(CROSS, -np.ones(4), np.zeros(2))
    for change in (
        {"x": np.zeros(3)},
        {"x": np.array([np.nan, 0.0])},
        {"x": None},
        {"dimension": 3},
        {"kind": "enormous"},
        {"domain": DomainRecord("orthant", 5)},
        {"tangent": replace(made.tangent, direction=np.zeros(7))},
        {"recession": replace(made.recession, implied=np.array([99]))},
    ):
        found = verify(replace(made, **change))
        assert not found.valid and found.reason.startswith("certificate."), found


@pytest.mark.parametrize("m", [100, 1000])
def test_pixels(m, rng):
    """As many pixels as MNIST has, most of them 0."""
    weight, bias = rng.standard_normal((m, 784)) / 28, 0.1 * rng.standard_normal(m)
    x = np.clip(3 * rng.random(784) - 2, 0, 1)
    made = families.certificate(weight, bias, x, domain=Box(0, 1))
    assert verify(made).grade == "exact"
    assert made.dimension == 784 - int((weight @ x + bias > 0).sum())
    assert m > 100 or not verify(replace(made, dimension=made.dimension - 1)).valid
