"""Certificates of points: all that can be proved is, and nothing that is false."""

import base64
import json
import time
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.schema import follows_schema
from tests.frames.matrices import KINDS
from tests.recipes import RECIPES
from tests.reference import certificates as reference
from unrelu import ReLULayer, preimages
from unrelu.certificates import (
    LayerRecord,
    LayerReference,
    SingletonsCertificate,
    certify_singletons,
    from_json,
    verify,
)
from unrelu.certificates._margins import stays_active
from unrelu.errors import ArgumentError

DIAMOND = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])


def compared(record: LayerRecord, points: np.ndarray, radius: float) -> bool:
    """Compare margins and answer with the twin; check the certificate; return whether there is one."""
    active = stays_active(record, np.arange(record.m), points, radius)
    twin = [reference.active_within(record, x, radius) for x in points]
    assert [np.flatnonzero(row).tolist() for row in active] == twin
    made = certify_singletons(record, points, radius)
    assert (made is not None) == reference.have_active_frames(record, points, radius)
    if made is not None:
        found = verify(made)
        assert found.valid and found.grade == ("exact" if record.exact else "float"), found
        assert verify(from_json(made.to_json())) == found
    return made is not None


@pytest.mark.parametrize("n", [1, 2, 5])
def test_random_layers(n, rng):
    answers = set()
    for k in range(40):
        m = int(rng.integers(n, 6 * n + 3))
        weight, bias = rng.standard_normal((m, n)), rng.standard_normal(m)
        record = LayerRecord.dense(np.round(weight) if k % 3 == 0 else weight, bias)
        points = rng.standard_normal((1 + k % 4, n)) * 0.5
        answers.add(compared(record, points, (0.0, 0.05, 1.0)[k % 3]))
    assert answers == {True, False}


@pytest.mark.parametrize("name", [name for name in RECIPES if RECIPES[name]().weight.size <= 60])
@pytest.mark.parametrize("radius", [0.0, 0.1])
def test_recipes(name, radius):
    recipe = RECIPES[name]()
    record = recipe.layer.record()
    for x in recipe.points[::3]:
        compared(record, x[None], radius)
    compared(record, recipe.points[:3], radius)


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_that_fool_floating_point(kind, rng):
    for k in range(12):
        weight = KINDS[kind](rng)[:7, :3]
        bias = rng.integers(-1, 2, len(weight)).astype(float)
        points = rng.integers(0, 2, (2, weight.shape[1])) * (1.0 if k % 2 else rng.random())
        compared(LayerRecord.dense(weight, bias), points, (0.0, 1e-3, 1e-300)[k % 3])


def test_sparse_rows(rng):
    """Most entries are 0: rows are multiplied one by one."""
    n = 40
    weight = np.zeros((3 * n, n))
    weight[np.arange(3 * n), np.tile(np.arange(n), 3)] = rng.standard_normal(3 * n)
    weight[np.arange(2 * n), rng.integers(0, n, 2 * n)] += 1.0
    record = LayerRecord.dense(weight, np.full(3 * n, 9.0))
    points = rng.standard_normal((2, n))
    assert [compared(record, points, radius) for radius in (0.1, 90.0)] == [True, False]


@pytest.mark.parametrize("factor", [1.0, 1e-200, 1e150])
def test_scales(factor, rng):
    """Positive factors of rows change nothing; those of the input change the radius alike."""
    weight, points = rng.standard_normal((24, 3)), rng.standard_normal((4, 3))
    bias = np.abs(weight).sum(axis=1)
    scales = np.exp2(rng.integers(-300, 300, 24))
    made = [
        certify_singletons(LayerRecord.dense(scales[:, None] * weight, scales * bias), points, 0.25),
        certify_singletons(LayerRecord.dense(weight, bias * factor), points * factor, 0.25 * factor),
    ]
    for one in made:
        assert verify(one).grade == "exact"


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_margins_at_any_scale(seed):
    """Rows, points, offsets and radii near the ends of the range, and values that cancel but for a digit."""
    rng = np.random.default_rng(seed)
    n, powers = int(rng.integers(1, 4)), rng.integers(-1040, 900, 4)
    weight = np.ldexp(rng.integers(-3, 4, (6, n)) + 0.5 * rng.random((6, n)), powers[0])
    points = np.ldexp(rng.integers(-3, 4, (3, n)) + rng.integers(0, 2) * rng.random((3, n)), powers[1])
    with np.errstate(all="ignore"):
        bias = np.nan_to_num(-(weight @ points[0]), posinf=1e300, neginf=-1e300)
    moved = np.array([bias, np.nextafter(bias, 1e308), np.nextafter(bias, -1e308), bias * 2.0**-9])
    record = LayerRecord.dense(weight, moved[rng.integers(0, 4, 6), np.arange(6)])
    for radius in (0.0, 5e-324, float(np.ldexp(1.0, powers[3]))):
        active = stays_active(record, np.arange(6), points, radius)
        twin = [reference.active_within(record, x, radius) for x in points]
        assert [np.flatnonzero(row).tolist() for row in active] == twin


def test_the_margin_counts_to_the_last_digit():
    """A row of norm 5 at a distance of 1 from the point: a radius of 1 is too much, one below is not."""
    weight, bias = np.array([[3.0, 4.0], [4.0, -3.0]]), np.array([5.0, 5.0])
    record, origin = LayerRecord.dense(weight, bias), np.zeros((1, 2))
    assert certify_singletons(record, origin, 1.0) is None
    made = certify_singletons(record, origin, np.nextafter(1.0, 0.0))
    assert verify(made).valid
    assert "not strictly active in the whole ball" in verify(replace(made, radius=1.0)).reason
    nearer = replace(made, points=np.array([[-2e-16, 0.0]]))
    assert "point 0: row 0" in verify(nearer).reason
    lower = LayerRecord.dense(weight, np.nextafter(bias, 0.0))
    assert not verify(replace(made, layer=lower)).valid


def test_points_share_rows(rng):
    """One set for all where rows are active everywhere, one for each side of a hyperplane elsewhere."""
    always = np.hstack([np.eye(5), np.zeros((5, 1))])
    sides = np.array([[0.0] * 5 + [1.0], [0.0] * 5 + [-1.0]])
    record = LayerRecord.dense(np.vstack([always, sides]), np.array([9.0] * 5 + [0.0, 0.0]))
    points = rng.uniform(-1, 1, (200, 6))
    made = certify_singletons(record, points)
    assert (made.common.tolist(), len(made.sets), verify(made).valid) == ([0, 1, 2, 3, 4], 2, True)
    assert np.array_equal(made.which == made.which[0], (points[:, 5] > 0) == (points[0, 5] > 0))
    above = certify_singletons(record, np.abs(points))
    assert (len(above.common), len(above.sets), sum(map(len, above.sets))) == (6, 1, 0)


def test_all_that_preimages_find_within_the_radius(rng):
    layer = ReLULayer(rng.standard_normal((60, 6)), rng.standard_normal(60))
    points = rng.standard_normal((40, 6))
    least = preimages(layer, points).radii.min()
    made = certify_singletons(layer.record(), points, np.nextafter(least, 0.0))
    assert len(made.sets) > 1 and verify(made, layer).grade == "exact"


@pytest.fixture
def made() -> SingletonsCertificate:
    """Two points on two sides of two lines."""
    return certify_singletons(LayerRecord.dense(DIAMOND, np.zeros(4)), [[1.0, 2.0], [-1.0, 2.0]], 0.5)


def test_changed_proofs(made):
    assert (made.common.tolist(), [part.tolist() for part in made.sets]) == ([1], [[0], [2]])
    for change, reason in (
        ({"common": made.common[:0]}, "were not proved to span"),
        ({"sets": (made.sets[0], made.sets[1][:0])}, "set 1: the rows were not proved to span"),
        ({"sets": (made.sets[0], np.array([1]))}, "set 1: the rows were not proved to span"),
        ({"sets": (made.sets[0], np.array([3]))}, "point 1: row 3 is not strictly active"),
        ({"common": np.array([3])}, "point 0: row 3 is not strictly active"),
        ({"which": np.array([0, 0])}, "point 1: row 0 is not strictly active"),
        ({"which": made.which[::-1]}, "point 0: row 2"),
        ({"radius": 1.0}, "point 0: row 0"),
        ({"points": made.points[::-1]}, "point 0: row 0"),
    ):
        found = verify(replace(made, **change))
        assert not found.valid and reason in found.reason, (change, found)


def test_time_limit_and_reports(rng):
    layer, points = ReLULayer(rng.standard_normal((60, 6))), rng.standard_normal((40, 6))
    seen: list[int] = []
    assert certify_singletons(layer.record(), points, report=seen.append) is not None
    assert seen[-1] == 40 and seen == sorted(seen) and len(seen) > 1
    assert certify_singletons(layer.record(), points, deadline=time.monotonic()) is None


def test_a_repeated_row_does_not_span():
    record = LayerRecord.dense(np.array([[1.0, 1.0], [2.0, 2.0], [0.0, 1.0]]), np.ones(3))
    made = certify_singletons(record, np.zeros((1, 2)))
    assert made.common.tolist() == [0, 2]
    assert "span" in verify(replace(made, common=np.array([0, 1]))).reason


def test_what_cannot_be_read_raises_nothing(made):
    for change in (
        {"points": np.array([[1.0, np.nan], [0.0, 0.0]])},
        {"points": np.zeros((2, 3))},
        {"points": np.zeros((0, 2))},
        {"radius": np.nan},
        {"radius": -0.5},
        {"common": np.array([4])},
        {"common": np.array([-1])},
        {"common": np.array([2**32 + 1])},
        {"sets": (np.array([0]), np.array([-2]))},
        {"sets": ()},
        {"which": np.array([0, 2])},
        {"which": np.array([0])},
    ):
        found = verify(replace(made, **change))
        assert not found.valid and found.statement == "a statement that cannot be read", (change, found)


def test_the_layer_given_counts(made):
    bare = from_json(made.to_json(rows=False))
    assert isinstance(bare.layer, LayerReference) and "does not hold" in verify(bare).reason
    layer = ReLULayer(DIAMOND)
    assert verify(bare, layer).valid and verify(bare, {"relu": layer}).grade == "exact"
    other = ReLULayer(DIAMOND, np.array([0.0, 0.0, 0.0, 5e-324]))
    assert "other numbers" in verify(made, other).reason
    rounded = LayerRecord.dense(DIAMOND, np.zeros(4), exact=False)
    assert verify(replace(made, layer=rounded)).grade == "float"


def test_in_words(made):
    assert verify(made).statement == (
        "each input within 0.5 of one of 2 points is the only one in R^2 with its output of relu(W x + b)"
    )
    alone = replace(made, points=made.points[:1], which=made.which[:1], sets=made.sets[:1], radius=0.0)
    assert verify(alone).statement == (
        "each one of 1 point is the only one in R^2 with its output of relu(W x + b)"
    )


def test_schema(made):
    for key, less in follows_schema(made):
        with pytest.raises(ArgumentError, match=rf"certificate\.{key}"):
            from_json(json.dumps(less))


def packed(numbers, kind: str) -> str:
    """Numbers as certificates hold them."""
    return base64.b64encode(zlib.compress(np.array(numbers, kind).tobytes())).decode()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("count", 0, "count: expected a whole number from 1"),
        ("count", 3, "rows: expected"),
        ("radius", -1.0, "radius: expected a number of at least 0"),
        ("radius", "0.5", "radius: expected finite numbers"),
        ("common", 5, "common: expected a whole number from 0 to 4"),
        ("sets", 3, "sets: expected a whole number from 0 to 2"),
        ("further", 1, "rows: expected"),
        ("rows", packed([1, 3, -1, 0, 2, 0, 1], "<i4"), "rows: expected sets of 2 rows in all"),
        ("rows", packed([1, 1, 1, 0, 4, 0, 1], "<i4"), "rows: expected row numbers below 4"),
        ("rows", packed([1, 1, 1, 0, 2, 0, 2], "<i4"), "rows: expected set numbers below 2"),
        ("points", packed([1, 2, 3, np.nan], "<f8"), "points: expected finite numbers"),
        ("points", packed([1, 2, 3, np.inf], "<f8"), "points: expected finite numbers"),
        ("points", packed([1, 2, 3], "<f8"), "points: expected 32 bytes"),
        ("points", packed(np.zeros(10**6), "<f8"), "points: expected 32 bytes"),
        ("points", [1, 2, 3, 4], "points: expected a string"),
    ],
)
def test_malformed(made, key, value, message):
    content = json.loads(made.to_json()) | {key: value}
    with pytest.raises(ArgumentError, match=rf"certificate\.{message}"):
        from_json(json.dumps(content))


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=60)
@given(st.data())
def test_numbers_come_back_the_same(data):
    n, m = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    count = data.draw(st.integers(1, 5))
    points = np.array(data.draw(st.lists(FLOATS, min_size=count * n, max_size=count * n)))
    rows = st.lists(st.integers(0, m - 1), unique=True).map(lambda v: np.array(v, dtype=np.int64))
    sets = tuple(data.draw(st.lists(rows, min_size=1, max_size=count)))
    which = np.array(data.draw(st.lists(st.integers(0, len(sets) - 1), min_size=count, max_size=count)))
    radius = data.draw(st.floats(0, allow_nan=False, allow_infinity=False))
    layer = LayerRecord.dense(np.ones((m, n)), np.zeros(m))
    made = SingletonsCertificate(layer, points.reshape(count, n), radius, data.draw(rows), sets, which)
    back = SingletonsCertificate.from_json(made.to_json())
    assert back.points.tobytes() == made.points.tobytes() and back.points.shape == made.points.shape
    assert (back.radius, back.layer.sha256) == (radius, layer.sha256)
    for name in ("common", "which"):
        assert np.array_equal(getattr(back, name), getattr(made, name))
    assert [part.tolist() for part in back.sets] == [part.tolist() for part in sets]
    found = verify(made)
    assert verify(back) == found
    if found.valid:
        assert reference.have_active_frames(layer, made.points, radius)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.1]))
def test_permutation_and_more_rows(seed, radius):
    """The order of rows does not matter, and rows appended never hurt."""
    rng = np.random.default_rng(seed)
    weight, bias = rng.integers(-2, 3, (9, 3)).astype(float), rng.standard_normal(9)
    points, order = rng.standard_normal((3, 3)), rng.permutation(9)
    record = LayerRecord.dense(weight, bias)
    made = certify_singletons(record, points, radius)
    turned = certify_singletons(LayerRecord.dense(weight[order], bias[order]), points, radius)
    assert (made is None) == (turned is None) and (turned is None or verify(turned).valid)
    more = LayerRecord.dense(np.vstack([weight, rng.standard_normal((2, 3))]), np.append(bias, [0.0, 0.0]))
    assert made is None or verify(replace(made, layer=more)).valid


@pytest.mark.parametrize(
    ("points", "radius", "message"),
    [
        (np.zeros((2, 3)), 0.0, r"points: expected shape \(N, 2\)"),
        (np.zeros((0, 2)), 0.0, "points: expected shape"),
        (np.zeros(2), 0.0, "points: expected shape"),
        (np.full((1, 2), np.inf), 0.0, "points: expected finite"),
        (np.zeros((1, 2)), -1.0, "radius: expected"),
        (np.zeros((1, 2)), np.nan, "radius: expected"),
    ],
)
def test_refused(points, radius, message):
    with pytest.raises(ArgumentError, match=message):
        certify_singletons(LayerRecord.dense(DIAMOND, np.zeros(4)), points, radius)
