"""Proofs of every kind through JSON, against the schema, and tampered with."""

import dataclasses
import json

import numpy as np
import pytest

from tests.certificates.links.blocks import alone, dense, examples, pairs, space
from tests.certificates.schema import follows_schema
from tests.reference import links as reference
from unrelu.certificates import EntryFunction, LinkRecord, LinksCertificate, LinkStep, from_json, verify
from unrelu.errors import ArgumentError

EXAMPLES = list(examples())
IDS = [f"{k}-{proof.form}" for k, proof in enumerate(EXAMPLES)]


def certificate(proof) -> LinksCertificate:
    return LinksCertificate(space(proof.link.n), (proof,))


@pytest.mark.parametrize("proof", EXAMPLES, ids=IDS)
def test_they_hold_also_through_json(proof):
    made = certificate(proof)
    answer = verify(made)
    assert answer.valid and answer.grade == "exact", answer.reason
    assert verify(from_json(made.to_json())) == answer
    bare = from_json(made.to_json(rows=False))
    assert verify(bare, proof.link) == answer
    assert "does not hold its numbers" in verify(bare).reason
    for key, less in follows_schema(made):
        with pytest.raises(ArgumentError, match=key):
            from_json(json.dumps(less))


@pytest.mark.parametrize("proof", EXAMPLES, ids=IDS)
def test_no_field_may_be_missing_unknown_or_of_another_type(proof):
    whole = json.loads(certificate(proof).to_json())
    for path in paths(whole["links"]):
        for change in ("drop", "add", "type"):
            fields = json.loads(json.dumps(whole))
            inner = fields["links"]
            for key in path[:-1]:
                inner = inner[key]
            value = inner[path[-1]]
            if change == "drop" and isinstance(inner, dict):
                del inner[path[-1]]
            elif change == "add" and isinstance(value, dict):
                value["more"] = 1
            elif change == "type":
                inner[path[-1]] = {"a": 1} if not isinstance(value, dict) else 3
            else:
                continue
            with pytest.raises(ArgumentError):
                from_json(json.dumps(fields))


def paths(value, prefix=()):
    """Where something stands in nested objects and lists."""
    entries = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, inner in entries:
        yield (*prefix, key)
        yield from paths(inner, (*prefix, key))


@pytest.mark.parametrize("proof", EXAMPLES, ids=IDS)
def test_other_numbers_are_refused(proof):
    """With a network at hand no number may differ from its own, and in JSON not from the digest."""
    made = certificate(proof)
    for link in changed(proof.link):
        assert link.sha256 != proof.link.sha256
        assert "SHA-256" in verify(made, link).reason
        fields = json.loads(made.to_json())
        other = json.loads(certificate(dataclasses.replace(proof, link=link)).to_json())
        for step, changed_step in zip(
            *(f["links"][0]["link"]["steps"] for f in (fields, other)), strict=False
        ):
            step["numbers"] = changed_step["numbers"]
            step["kind"] = changed_step["kind"]
        with pytest.raises(ArgumentError, match="steps"):
            from_json(json.dumps(fields))


@pytest.mark.parametrize("proof", EXAMPLES, ids=IDS)
def test_what_is_still_accepted_is_true(proof):
    """Other numbers in certificate and link alike: brute force where that is possible."""
    valid = []
    for link in changed(proof.link):
        holds = verify(certificate(dataclasses.replace(proof, link=link))).valid
        valid.append(holds)
        if {step.kind for step in link.steps} <= {"affine", "relu", "maximum"}:
            assert not (holds and reference.collide(link)), link
    assert len(valid) > 1


def changed(link: LinkRecord):
    """A link with one number of one step changed."""
    for k, step in enumerate(link.steps):
        for other in changed_steps(step):
            yield dataclasses.replace(link, steps=(*link.steps[:k], other, *link.steps[k + 1 :]))


def changed_steps(step: LinkStep):
    if step.kind != "opaque":
        known = step.map
        if len(known.values):
            yield dataclasses.replace(
                step, map=dataclasses.replace(known, values=np.append(known.values[:-1], 7.0))
            )
        yield dataclasses.replace(step, map=dataclasses.replace(known, bias=known.bias + 1))
    if step.groups is not None:
        yield dataclasses.replace(step, groups=0 * step.groups)
    if step.norm is not None:
        norm = step.norm
        for change in (
            {"gain": 2 * norm.gain},
            {"offset": norm.offset + 1},
            {"eps": norm.eps + 1},
            {"centred": not norm.centred},
            {"count": 1},
        ):
            yield dataclasses.replace(step, norm=dataclasses.replace(norm, **change))
    if step.function is not None:
        yield dataclasses.replace(step, function=EntryFunction("leaky_relu", 2.0))
    if step.kind in {"affine", "relu"}:
        yield dataclasses.replace(step, kind="relu" if step.kind == "affine" else "affine")


def test_rounded_numbers_have_grade_float():
    proof = EXAMPLES[0]
    steps = proof.link.steps
    rounded = dataclasses.replace(steps[0], map=dataclasses.replace(steps[0].map, exact=False))
    link = LinkRecord(3, (rounded, *steps[1:]))
    made = certificate(dataclasses.replace(proof, link=link))
    assert link.sha256 == proof.link.sha256
    assert (
        verify(made).grade
        == verify(made, proof.link).grade
        == verify(certificate(proof), link).grade
        == "float"
    )


def test_names_are_no_numbers():
    link = EXAMPLES[0].link
    steps = [dataclasses.replace(s, map=dataclasses.replace(s.map, name="x", node="y")) for s in link.steps]
    assert LinkRecord(link.n, tuple(steps)).sha256 == link.sha256


def test_the_layer_alone_must_be_the_links_own():
    eye = np.eye(3)
    proof = EXAMPLES[4]
    other = pairs(dense(np.vstack([2 * eye, -2 * eye])))
    changed = certificate(dataclasses.replace(proof, proof=other))
    assert "other numbers" in verify(changed).reason
    assert "not affine" in verify(certificate(dataclasses.replace(proof, proof=None))).reason
    assert verify(certificate(alone(proof.link))).valid


def test_a_certificate_of_links_needs_links():
    made = certificate(EXAMPLES[0])
    assert "links" in verify(made, dense(np.eye(3))).reason
    layer = dense(np.vstack([np.eye(3), -np.eye(3)]))
    assert "LinkRecord" in verify(pairs(layer), EXAMPLES[0].link).reason
