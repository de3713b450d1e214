"""The JSON of certificates of injectivity against the schema."""

import dataclasses

import numpy as np
import pytest

from tests.certificates.injective.proofs import proved
from tests.certificates.schema import follows_schema
from unrelu.certificates import (
    Block,
    Certificate,
    DomainRecord,
    LayerRecord,
    StructureCertificate,
    WitnessCertificate,
)
from unrelu.certificates.injective import certify_witness


def examples() -> list[Certificate]:
    space = DomainRecord("space", 2)
    weight = np.vstack([np.eye(2), -np.eye(2)])
    layer = LayerRecord.dense(weight, np.zeros(4))
    tree = proved(weight, np.zeros(4), space)
    pairs = StructureCertificate(layer, space, np.array([[0, 2], [1, 3]]), np.zeros(0, dtype=np.int64))
    block = Block(tree, np.arange(4)[None], np.arange(2)[None])
    blocks = StructureCertificate(layer, space, pairs.pairs[:0], pairs.always, (block,))
    flat = LayerRecord.dense(np.array([[1.0, 2.0], [-3.0, -6.0]]), np.zeros(2))
    few = WitnessCertificate(LayerRecord.dense(np.eye(2), np.zeros(2)), space, np.array([-1.0, 1.0]))
    directed = certify_witness(flat, space, np.zeros(2), directed=True)
    ball = DomainRecord("ball", 2, center=np.zeros(2), radius=1.0)
    cone = DomainRecord("polytope", 2, matrix=-np.eye(2), offsets=np.zeros(2))
    shown = (np.array([0]), np.array([1]))
    faces = StructureCertificate(few.layer, cone, pairs.pairs[:0], np.arange(2), (), shown)
    on_ball = dataclasses.replace(few, domain=ball, x=np.array([-0.5, 0.5]))
    structure = Block(pairs, np.arange(4)[None], np.arange(2)[None])
    paired = StructureCertificate(layer, space, pairs.pairs[:0], pairs.always, (structure,))
    return [tree, pairs, blocks, few, directed, faces, on_ball, paired]


@pytest.mark.parametrize("certificate", examples(), ids=lambda made: made.form)
def test_certificates_follow_the_schema(certificate):
    assert list(follows_schema(certificate))
