"""The JSON format: bit-exact round trips, refusals that name the field, no more memory than declared."""

import base64
import json
import subprocess
import sys
import zlib
from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unrelu.certificates
from tests.certificates import families
from tests.preimage.test_preimage import MADE
from tests.recipes import RECIPES
from unrelu.certificates import (
    CollisionCertificate,
    ConeProof,
    DomainRecord,
    LayerRecord,
    NetworkCollisionCertificate,
    PreimageCertificate,
    from_json,
    load,
)
from unrelu.errors import ArgumentError

SCHEMA = json.loads(Path(unrelu.certificates.__file__).with_name("schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def same(p, q) -> bool:
    """Equal to the last bit, whatever the type."""
    if isinstance(p, np.ndarray) or isinstance(q, np.ndarray):
        if p.dtype == object or q.dtype == object:
            return p.dtype == q.dtype and p.tolist() == q.tolist()
        return p.dtype.kind == q.dtype.kind and p.astype(q.dtype).tobytes() == q.tobytes()
    if isinstance(p, tuple):
        return len(p) == len(q) and all(map(same, p, q))
    if isinstance(p, LayerRecord | DomainRecord | ConeProof | PreimageCertificate):
        return type(p) is type(q) and all(same(getattr(p, f.name), getattr(q, f.name)) for f in fields(p))
    return p == q


@pytest.mark.parametrize("kind", MADE)
def test_preimages_come_back_the_same(kind):
    for made in [*families.of_points(kind, 10), *filter(None, families.of_outputs(kind, 6))]:
        text = made.to_json()
        assert same(PreimageCertificate.from_json(text), made)
        VALIDATOR.validate(json.loads(text))
        VALIDATOR.validate(json.loads(made.to_json(rows=False)))


FLOATS = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=40)
@given(st.lists(FLOATS, min_size=2, max_size=6), st.integers(-(10**400), 10**400), st.integers(1, 10**400))
def test_numbers_come_back_the_same(numbers, p, q):
    x = np.array(numbers)
    n = len(x)
    layer = LayerRecord.dense(x[None], x[:1])
    box = DomainRecord("box", n, np.full(n, -np.inf), np.where(x < 0, np.inf, x))
    rational = np.array([Fraction(p, q)] * n, dtype=object)
    proof = ConeProof(np.zeros(0, int), np.zeros(0, int), -1, np.zeros(0, int), direction=rational)
    made = PreimageCertificate(layer, box, x, None, "bounded", -1, tangent=proof)
    assert same(from_json(made.to_json()), made)
    pair = CollisionCertificate(layer, box, x, -x, np.inf, abs(x[0]))
    back = from_json(pair.to_json())
    assert all(same(getattr(back, f.name), getattr(pair, f.name)) for f in fields(pair))
    VALIDATOR.validate(json.loads(pair.to_json()))
    chain = NetworkCollisionCertificate((layer,), None, box, x, -x, 1.0)
    assert same(from_json(chain.to_json()).layers, chain.layers)
    VALIDATOR.validate(json.loads(chain.to_json()))


@pytest.mark.parametrize("name", RECIPES)
def test_records_hold_the_layers_numbers(name):
    recipe = RECIPES[name]()
    record = recipe.layer.record()
    dense = np.zeros((record.m, record.n))
    dense[record.rows.numbers, record.columns] = record.values
    assert np.array_equal(dense, recipe.weight) and np.array_equal(record.bias, recipe.bias)
    assert record.exact == recipe.layer.linear.exact
    assert LayerRecord.dense(recipe.weight, recipe.bias).sha256 == record.sha256
    assert recipe.layer.record() is record


def test_digest(rng):
    weight, bias = rng.standard_normal((3, 4)), rng.standard_normal(3)
    record = LayerRecord.dense(weight, bias)
    backwards = LayerRecord(
        "x", "y", 4, np.arange(0, 13, 4), np.tile([3, 2, 1, 0], 3), weight[:, ::-1].ravel(), bias
    )
    assert backwards.sha256 == record.sha256
    assert LayerRecord.dense(weight, np.nextafter(bias, 9)).sha256 != record.sha256
    assert (
        LayerRecord.dense(np.eye(2), np.zeros(2)).sha256 == LayerRecord.dense(np.eye(2), -np.zeros(2)).sha256
    )


@pytest.fixture
def text() -> str:
    """A small certificate."""
    return families.certificate(families.CROSS, -np.ones(4), np.zeros(2)).to_json()


def change(text: str, path: str, value) -> str:
    """Put a value where a path says."""
    content = json.loads(text)
    inner, (*keys, last) = content, path.split(".")
    for key in keys:
        inner = inner[key]
    inner[last] = value
    return json.dumps(content)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("format", "other", r"certificate\.format: expected one of unrelu-certificate"),
        ("version", 2, r"certificate\.version: expected 1"),
        ("version", True, r"certificate\.version"),
        ("kind", "miracle", r"certificate\.kind: expected one of .*collision.*'miracle'"),
        ("claim", "huge", r"certificate\.claim"),
        ("dimension", 3, r"certificate\.dimension: expected a whole number from -1 to 2"),
        ("dimension", 1.5, r"certificate\.dimension"),
        ("dimension", True, r"certificate\.dimension"),
        ("x", [0.0], r"certificate\.x: expected a list of 2"),
        ("x", [0.0, float("nan")], r"finite numbers, got NaN"),
        ("x", [0.0, 10**400], r"certificate\.x"),
        ("x", [0.0, 2**53 + 1], r"certificate\.x"),
        ("x", ["0", 0], r"certificate\.x"),
        ("x", None, r"certificate\.x, y: expected exactly one"),
        ("surplus", 1, r"certificate\.surplus: unknown field"),
        ("layer.n", 3, r"certificate\.layer|certificate\.domain"),
        ("layer.m", 10**9, r"certificate\.layer\.rows"),
        ("layer.nnz", 3, r"certificate\.layer\.rows"),
        ("layer.rows", "????", r"certificate\.layer\.rows: expected base64"),
        ("layer.rows", 5, r"certificate\.layer\.rows"),
        ("layer.sha256", "0" * 64, r"certificate\.layer\.sha256"),
        ("layer.exact", 1, r"certificate\.layer\.exact"),
        ("domain.kind", "sphere", r"certificate\.domain\.kind"),
        ("domain.n", 5, r"certificate\.domain\.n"),
        ("tangent.implied", [9], r"certificate\.tangent\.implied: expected row numbers below 4"),
        ("tangent.equalities", [-1], r"certificate\.tangent\.equalities"),
        ("recession.implied", [0, 0], r"certificate\.recession\.implied"),
        ("recession.multipliers", [1.0], r"certificate\.recession\.multipliers"),
        ("recession.multipliers", ["1/0", "1/2", "1/2", "1/2"], r"certificate\.recession\.multipliers"),
        ("recession.multipliers", ["__import__('os')"] * 4, r"certificate\.recession\.multipliers"),
        ("recession", [], r"certificate\.recession: expected an object"),
    ],
)
def test_malformed(text, path, value, message):
    with pytest.raises(ArgumentError, match=message):
        from_json(change(text, path, value))


@pytest.mark.parametrize("broken", ["", "[]", "nonsense", "[" * 100_000, '{"format": 1, "format": 1}'])
def test_not_a_certificate(broken):
    with pytest.raises(ArgumentError, match="certificate"):
        from_json(broken)


def test_missing_fields(text):
    for key in json.loads(text):
        content = json.loads(text)
        del content[key]
        with pytest.raises(ArgumentError, match=rf"certificate\.{key}"):
            from_json(json.dumps(content))


def test_decompression_stops_at_the_declared_size(text):
    bomb = base64.b64encode(zlib.compress(bytes(50_000_000))).decode()
    with pytest.raises(ArgumentError, match=r"rows: expected .* bytes, as the declared sizes say"):
        from_json(change(text, "layer.rows", bomb))


def test_of_another_kind(text):
    with pytest.raises(ArgumentError, match=r"certificate\.kind: expected collision, got preimage"):
        CollisionCertificate.from_json(text)


def test_files(text, tmp_path):
    path = tmp_path / "proof.json"
    path.write_text(text, encoding="utf-8")
    assert load(path).to_json() == text
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ArgumentError, match="cannot be read"):
        load(path)
    with pytest.raises(ArgumentError, match="cannot be read"):
        load(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((2, [0, 1], [0], [np.nan], [0.0]), "values"),
        ((2, [0, 1], [2], [1.0], [0.0]), "columns"),
        ((2, [0, 2], [0], [1.0], [0.0]), "starts"),
        ((2, [0, 2], [0, 0], [1.0, 1.0], [0.0]), "columns: expected every column once"),
        ((0, [0, 0], [], [], [0.0]), "n: expected"),
    ],
)
def test_bad_records(arguments, message):
    n, starts, columns, values, bias = arguments
    with pytest.raises(ArgumentError, match=message):
        LayerRecord("a", "b", n, starts, columns, values, bias)


def test_verifying_needs_neither_torch_nor_a_solver(text, tmp_path):
    path = tmp_path / "proof.json"
    path.write_text(text, encoding="utf-8")
    program = (
        "import sys; from unrelu.certificates import load, verify; assert verify(load(sys.argv[1])).valid; "
        "print(*{'torch', 'scipy', 'highspy', 'numba', 'onnx'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, check=True, timeout=60
    )
    assert not done.stdout.strip()
