"""Certificates against the schema."""

import json
from pathlib import Path

import jsonschema

import unrelu.certificates

SCHEMA = json.loads(Path(unrelu.certificates.__file__).with_name("schema.json").read_text(encoding="utf-8"))


def follows_schema(certificate):
    """The JSON is valid with rows and without, and not without any one field; yield what then is missing."""
    for rows in (True, False):
        fields = json.loads(certificate.to_json(rows=rows))
        jsonschema.validate(fields, SCHEMA)
        for key in fields:
            less = {name: value for name, value in fields.items() if name != key}
            assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(less)
            yield key, less
