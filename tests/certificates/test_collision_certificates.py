"""Collisions: claims that hold are verified, smaller ones are refused, and the corrected input exists."""

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.recipes import RECIPES
from tests.reference import certificates as reference
from unrelu.certificates import (
    DomainRecord,
    LayerRecord,
    NetworkCollisionCertificate,
    certify_collision,
    from_json,
    verify,
)
from unrelu.errors import ArgumentError


def along(weight, bias, x, direction, reach=1.0):
    """A step inside the null space of the active rows, that keeps the others inactive."""
    z = weight @ x + bias
    active = weight[z > 0]
    d = direction - np.linalg.pinv(active) @ (active @ direction) if len(active) else direction
    slope = weight[z <= 0] @ d
    rising = slope > 0
    limit = np.min(-z[z <= 0][rising] / slope[rising], initial=1.0)
    return x + reach * limit * d


def true_difference(layer, x, other) -> Fraction:
    """Largest difference of the outputs in rational arithmetic."""
    weight = reference.matrix(layer)
    values = (reference.affine(weight, layer.bias, point) for point in (x, other))
    return max(abs(max(p, Fraction(0)) - max(q, Fraction(0))) for p, q in zip(*values, strict=True))


@pytest.mark.parametrize("domain", ["space", "box"])
@pytest.mark.parametrize("reach", [0.5, 1.0])
def test_random_layers(domain, reach, rng):
    """At a reach of 1 an inactive row is met: it is made exactly 0."""
    box = DomainRecord("box", 12, np.full(12, -30.0), np.full(12, 30.0))
    for _ in range(10):
        weight, bias = rng.standard_normal((8, 12)), rng.standard_normal(8)
        x = rng.standard_normal(12)
        other = along(weight, bias, x, rng.standard_normal(12), reach)
        layer = LayerRecord.dense(weight, bias)
        made = certify_collision(layer, box if domain == "box" else DomainRecord("space", 12), x, other)
        assert 0 < made.radius < 1e-13
        assert verify(made).valid and verify(made).grade == "exact"
        assert Fraction(made.difference) >= true_difference(layer, x, other)
        assert verify(from_json(made.to_json())) == verify(made)
        assert not verify(replace(made, radius=made.radius * 0.9)).valid
        assert not verify(replace(made, difference=made.difference * 0.9)).valid
        assert not verify(replace(made, other=made.x)).valid
        assert not verify(replace(made, other=made.other + 0.5)).valid
        moved = replace(layer, bias=layer.bias + np.eye(8)[np.argmax(weight @ x + bias)])
        assert verify(replace(made, layer=moved)).valid  # both outputs move alike
        values = layer.values.copy()
        values[12 * int(np.argmax(weight @ x + bias))] += 0.5
        assert not verify(replace(made, layer=replace(layer, values=values))).valid


def test_border_of_the_box(rng):
    """Entries at a bound stay there."""
    weight, bias = rng.standard_normal((6, 20)), np.full(6, 30.0)
    x = np.full(20, 0.5)
    other = along(weight, bias, x, 0.05 * rng.standard_normal(20))
    low, high = np.zeros(20), np.ones(20)
    low[3], high[7] = other[3], other[7]
    low[3], high[7] = min(low[3], 0.5) if other[3] > 0.5 else other[3], max(0.5, other[7])
    made = certify_collision(LayerRecord.dense(weight, bias), DomainRecord("box", 20, low, high), x, other)
    assert made.radius < 1e-13 and verify(made).grade == "exact"


def test_few_entries_differ(rng):
    weight, bias = rng.standard_normal((4, 30)), np.full(4, 9.0)
    x, step = rng.random(30), np.zeros(30)
    step[:6] = along(weight[:, :6], np.full(4, 9.0), np.zeros(6), rng.standard_normal(6))
    made = certify_collision(LayerRecord.dense(weight, bias), DomainRecord("space", 30), x, x + step)
    assert made.radius < 1e-13 and verify(made).grade == "exact"


def test_repeated_rows(rng):
    """Dependent equations, exactly."""
    weight = rng.standard_normal((3, 8))[[0, 1, 2, 0, 1]] * np.array([[1.0], [1.0], [1.0], [2.0], [-4.0]])
    x = rng.standard_normal(8)
    bias = np.zeros(5)
    other = along(weight, bias, x, rng.standard_normal(8), 0.5)
    made = certify_collision(LayerRecord.dense(weight, bias), DomainRecord("space", 8), x, other)
    assert made.radius < 1e-13 and verify(made).grade == "exact"


def test_no_exact_collision_is_claimed_where_there_is_none(rng):
    weight = rng.standard_normal((6, 3))
    layer = LayerRecord.dense(weight, np.full(6, 50.0))
    x = rng.standard_normal(3)
    made = certify_collision(layer, DomainRecord("space", 3), x, x + 1e-3)
    assert math.isinf(made.radius)
    assert (verify(made).valid, verify(made).grade) == (True, "float")
    assert verify(from_json(made.to_json())) == verify(made)
    assert not verify(replace(made, radius=1e9)).valid


@given(st.integers(0, 10**6))
def test_whole_numbers(seed):
    """Claims that are verified are true; here collisions are exact."""
    rng = np.random.default_rng(seed)
    weight, bias = rng.integers(-2, 3, (4, 4)).astype(float), rng.integers(-1, 2, 4).astype(float)
    x, other = rng.integers(-2, 3, (2, 4)).astype(float)
    layer, domain = LayerRecord.dense(weight, bias), DomainRecord("space", 4)
    if (x == other).all():
        with pytest.raises(ArgumentError, match="same point"):
            certify_collision(layer, domain, x, other)
        return
    made = certify_collision(layer, domain, x, other)
    assert made.difference == true_difference(layer, x, other)
    assert verify(made).valid
    assert made.difference > 0 or made.radius == 0
    if made.difference > 0 and math.isfinite(made.radius):
        assert made.radius > 0


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name]().weight.size <= 60])
def test_recipes(name):
    recipe = RECIPES[name]()
    layer, domain = recipe.layer.record(), DomainRecord("space", recipe.layer.n)
    for x, other in zip(recipe.points[:6], recipe.points[6:12], strict=False):
        if (x != other).any():
            assert verify(certify_collision(layer, domain, x, other), recipe.layer).valid


@pytest.mark.parametrize(
    ("x", "other", "message"),
    [
        (np.zeros(2), np.zeros(2), "same point"),
        (np.zeros(2), np.full(2, 2.0), "other lies outside"),
        (np.full(2, -1.0), np.zeros(2), "x lies outside"),
        (np.zeros(3), np.zeros(2), "x: expected shape"),
    ],
)
def test_refused(x, other, message):
    box = DomainRecord("box", 2, np.zeros(2), np.ones(2))
    with pytest.raises(ArgumentError, match=message):
        certify_collision(LayerRecord.dense(np.eye(2), np.zeros(2)), box, x, other)


def test_networks(rng):
    """Two layers and an affine map, against rational arithmetic."""
    maps = [(rng.standard_normal((6, 4)), rng.standard_normal(6)), (rng.standard_normal((5, 6)), np.ones(5))]
    layers = tuple(LayerRecord.dense(*pair, name=f"l{k}", node=f"n{k}") for k, pair in enumerate(maps))
    last = LayerRecord.dense(rng.standard_normal((2, 5)), np.zeros(2), name="last", node="out")
    x, other = rng.standard_normal((2, 4))
    outputs = []
    for point in (x, other):
        values = [Fraction(v) for v in point.tolist()]
        for record in (*layers, last):
            dense = reference.matrix(record).tolist()
            values = [
                sum((Fraction(a) * v for a, v in zip(row, values, strict=True)), Fraction(b))
                for row, b in zip(dense, record.bias.tolist(), strict=True)
            ]
            values = values if record is last else [max(v, Fraction(0)) for v in values]
        outputs.append(values)
    exact = max(abs(p - q) for p, q in zip(*outputs, strict=True))
    bound = math.nextafter(float(exact), math.inf)
    domain = DomainRecord("space", 4)
    made = NetworkCollisionCertificate(layers, last, domain, x, other, bound)
    assert verify(made).valid and verify(made).grade == "exact"
    named = {layer.node: layer for layer in (*layers, last)}
    assert verify(from_json(made.to_json(rows=False)), named).valid
    assert not verify(replace(made, difference=math.nextafter(bound, 0) * (1 - 1e-15))).valid
    assert not verify(replace(made, layers=layers[::-1])).valid
    assert not verify(replace(made, last=None)).valid or exact > 0
    assert verify(replace(made, layers=(replace(layers[0], exact=False), layers[1]))).grade == "float"
    assert not verify(replace(made, domain=DomainRecord("orthant", 4))).valid
    assert not verify(replace(made, other=x)).valid
