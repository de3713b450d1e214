"""The machine's view: valid JSON for its schema, and the way back."""

import json
import math
from dataclasses import replace

import jsonschema
import numpy as np
import pytest

from tests.audit import factory
from unrelu.audit import _json
from unrelu.audit._figures import Quantiles
from unrelu.errors import DataError, OutputError


def without_examples(result):
    return replace(
        result, layers=tuple(replace(layer, examples=(), collisions=()) for layer in result.layers)
    )


@pytest.fixture(scope="module")
def validator():
    schema = _json.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def refuse(constant):
    raise ValueError(constant)


@pytest.mark.parametrize("case", factory.CASES)
def test_fits_its_schema_and_comes_back(case, validator):
    result = factory.CASES[case]()
    document = json.loads(_json.to_json(result), parse_constant=refuse)
    validator.validate(document)
    again = _json.from_dict(document)
    assert without_examples(again) == without_examples(result)
    assert _json.to_dict(again) == document
    for layer, first in zip(again.layers, result.layers, strict=True):
        assert [e.index for e in layer.examples] == [e.index for e in first.examples]
        assert all(e.original.size == 0 for e in layer.examples)
        assert [c.target_distance for c in layer.collisions] == [c.target_distance for c in first.collisions]
        assert all(c.other.size == 0 for c in layer.collisions)


def test_figures_that_are_not_finite_become_null(validator):
    wild = factory.layer(radius=Quantiles(0.0, 1.0, 2.0, math.inf, math.inf), seconds=math.nan)
    document = json.loads(_json.to_json(factory.realistic(layers=(wild,))), parse_constant=refuse)
    validator.validate(document)
    assert document["layers"][0]["radius"]["high"] is None
    assert math.isnan(_json.from_dict(document).layers[0].seconds)


def test_constants_without_a_bound_come_back(validator):
    layer = factory.layer(lipschitz=factory.lipschitz(injective=False))
    document = json.loads(_json.to_json(factory.realistic(layers=(layer,))), parse_constant=refuse)
    validator.validate(document)
    assert document["layers"][0]["lipschitz"]["condition"] == {"low": None, "high": None}
    assert _json.from_dict(document).layers[0].lipschitz == layer.lipschitz


def test_numpy_numbers_are_numbers():
    layer = factory.layer(m=np.int64(256), seconds=np.float32(0.5))
    document = json.loads(_json.to_json(factory.realistic(layers=(layer,))))
    assert document["layers"][0]["m"] == 256
    assert document["layers"][0]["seconds"] == 0.5


def test_pixels_are_left_out():
    example = _json.to_dict(factory.realistic())["layers"][0]["examples"][0]
    assert set(example) == {"index", "singleton", "relative_error"}


def test_every_object_of_the_schema_is_closed_and_described():
    schema = _json.schema()
    for part in (schema, *schema["$defs"].values()):
        assert part["additionalProperties"] is False
        assert part["description"]
        for name, entry in part["properties"].items():
            assert "description" in entry or "$ref" in entry, name


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda d: d | {"schema": "unrelu/audit/9"}, "unrelu/audit/9"),
        (lambda d: {k: v for k, v in d.items() if k != "layers"}, "'layers'"),
        (lambda d: d | {"layers": [{}]}, "'name'"),
        (lambda d: d | {"layers": 3}, "does not fit"),
        (lambda d: d | {"layers": ["x"]}, "does not fit"),
        (lambda d: [d], "list"),
    ],
)
def test_refuses_what_is_no_audit(spoil, message):
    with pytest.raises(DataError, match=message):
        _json.from_dict(spoil(_json.to_dict(factory.realistic())))


def test_writes_a_file_once(tmp_path):
    path = tmp_path / "audit.json"
    text = _json.to_json(factory.realistic(), path)
    assert path.read_text(encoding="utf-8") == text
    with pytest.raises(OutputError, match="--force"):
        _json.to_json(factory.realistic(), path)
    _json.to_json(factory.realistic(), path, force=True)
