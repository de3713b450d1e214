"""Certificates of networks: schema, and changed ones are accepted only if what they state is true."""

import dataclasses
import json
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest

from tests.certificates.families import changed_domains, changed_layers
from tests.certificates.injective.proofs import dense, domains, proved
from tests.certificates.schema import follows_schema
from tests.reference import networks as reference
from tests.reference.pieces import forward
from unrelu import Box, Orthant, Space
from unrelu.certificates import (
    DomainRecord,
    LayerRecord,
    NetworkInjectivityCertificate,
    NetworkRegionsCertificate,
    NetworkWitnessCertificate,
    StructureCertificate,
    from_json,
    verify,
)
from unrelu.errors import ArgumentError
from unrelu.injectivity.networks import decide_by_regions

FOLD = LayerRecord.dense(np.array([[1.0], [-1.0]]), np.zeros(2))
STRICT = LayerRecord.dense(np.array([[3.0, -1.0]]), np.zeros(1))  # |x| + 2x
LOOSE = LayerRecord.dense(np.array([[1.5, 0.5]]), np.zeros(1))  # |x| + x / 2


def layered() -> NetworkInjectivityCertificate:
    """Opposite rows, and two rows that are active on a box around what they let through."""
    base = np.array([[2.0, 1.0], [1.0, 1.0]])
    first = LayerRecord.dense(np.vstack([base, -base]), np.zeros(4))
    domain = DomainRecord("box", 2, np.full(2, -1.0), np.full(2, 1.0))
    none = np.zeros(0, dtype=np.int64)
    pairs = StructureCertificate(first, domain, np.array([[0, 2], [1, 3]]), none)
    second = LayerRecord.dense(np.eye(4) - 0.125, np.full(4, 3.0))
    image = DomainRecord("box", 4, np.zeros(4), np.array([3.0, 2.0, 3.0, 2.0]))
    always = StructureCertificate(second, image, none.reshape(0, 2), np.arange(4))
    last = LayerRecord.dense(np.vstack([np.eye(4), np.ones((1, 4))]), np.zeros(5))
    return NetworkInjectivityCertificate((pairs, always), last)


def of_regions() -> NetworkRegionsCertificate:
    return decide_by_regions([FOLD], STRICT, Box(-2, 3), 10.0).proof


def witnesses() -> list[NetworkWitnessCertificate]:
    pair = decide_by_regions([FOLD], LOOSE, Space(), 10.0).proof
    dead = LayerRecord.dense(np.array([[1.0, -1.0]]), np.array([-1.0]))
    few = NetworkWitnessCertificate((FOLD, dead), None, DomainRecord("space", 1), np.array([-2.0]))
    return [pair, few]


def examples():
    tree = proved(np.array([[1.0], [-1.0]]), np.zeros(2), DomainRecord("space", 1))
    return [layered(), NetworkInjectivityCertificate((tree,), None), of_regions(), *witnesses()]


@pytest.mark.parametrize("certificate", examples(), ids=lambda made: made.form)
def test_examples(certificate):
    """They hold, also after a way through JSON, which follows the schema; no field may be missing."""
    assert verify(certificate).valid, verify(certificate).reason
    assert verify(from_json(certificate.to_json())) == verify(certificate)
    for key, less in follows_schema(certificate):
        with pytest.raises(ArgumentError, match=key):
            from_json(json.dumps(less))


def network_of(certificate):
    """Layers as pairs of arrays, and whether a ReLU follows the last one."""
    maps = [*certificate.layers, *([] if certificate.last is None else [certificate.last])]
    return [(dense(one), one.bias) for one in maps], certificate.last is None


def is_true(certificate) -> bool:
    """Whether what it states holds, by brute force."""
    layers, final_relu = network_of(certificate)
    collides = reference.collide(layers, final_relu, *certificate.domain.inequalities())
    return collides == isinstance(certificate, NetworkWitnessCertificate)


def changed_maps(certificate, rng):
    """The certificate with one number of a map changed."""
    maps = [*certificate.layers, *([] if certificate.last is None else [certificate.last])]
    for k, one in enumerate(maps):
        for other in changed_layers(one, rng):
            if k == len(certificate.layers):
                yield dataclasses.replace(certificate, last=other)
            elif isinstance(certificate, NetworkInjectivityCertificate):
                proofs = list(certificate.proofs)
                proofs[k] = dataclasses.replace(proofs[k], layer=other)
                yield dataclasses.replace(certificate, proofs=tuple(proofs))
            else:
                layers = (*certificate.layers[:k], other, *certificate.layers[k + 1 :])
                yield dataclasses.replace(certificate, layers=layers)


def changed_streams(certificate, rng):
    """A certificate by regions with one number of its proof changed, left out or added."""
    for name in ("tree", "pairs"):
        stream = getattr(certificate, name)
        for position in range(len(stream)):
            for step in (-2, -1, 1, 2):
                other = stream.copy()
                other[position] += step
                yield name, dataclasses.replace(certificate, **{name: other})
            yield name, dataclasses.replace(certificate, **{name: np.delete(stream, position)})
            yield name, dataclasses.replace(certificate, **{name: np.insert(stream, position, 0)})


def small_regions(seed: int):
    """Certificates by regions of random networks on the line and in the plane."""
    rng = np.random.default_rng(seed)
    while True:
        n = int(rng.integers(1, 3))
        shapes = [(2 * n, n), (2, 2 * n)]
        layers = [
            LayerRecord.dense(rng.integers(-2, 3, shape).astype(float), rng.integers(0, 3, shape[0]) * 1.0)
            for shape in shapes
        ]
        domain = (Space(), Orthant(), Box(-1, 2))[rng.integers(3)]
        proof = decide_by_regions(layers, None, domain, 10.0).proof
        if isinstance(proof, NetworkRegionsCertificate):
            yield proof


@pytest.mark.parametrize("seed", range(3))
def test_changed_proofs_by_regions(seed):
    rng, seen = np.random.default_rng(seed), Counter()
    source = small_regions(seed)
    for _ in range(4):
        made = next(source)
        assert verify(made).valid and is_true(made)
        for name, other in changed_streams(made, rng):
            seen[name, verify(other).valid] += 1  # what it states has not changed: it is true
        for other in changed_maps(made, rng):
            valid = verify(other).valid
            seen["maps", valid] += 1
            assert not valid or is_true(other), other
        for domain in changed_domains(made.domain, rng):
            valid = verify(dataclasses.replace(made, domain=domain)).valid
            seen["domain", valid] += 1
            assert not valid or is_true(dataclasses.replace(made, domain=domain))
    for name in ("tree", "pairs", "maps", "domain"):
        assert seen[name, False] > 0, seen
    assert seen["pairs", True] + seen["tree", True] < 0.2 * (seen["pairs", False] + seen["tree", False])


def test_changed_proofs_by_layers():
    rng, seen = np.random.default_rng(0), Counter()
    made = layered()
    for other in changed_maps(made, rng):
        found = verify(other)
        seen[found.valid] += 1
        if found.valid and seen[True] < 6:
            assert is_true(other)
    assert seen[False] > 5
    for k, proof in enumerate(made.proofs):
        for domain in domains(proof.layer.n):
            proofs = list(made.proofs)
            proofs[k] = dataclasses.replace(proof, domain=domain)
            other = dataclasses.replace(made, proofs=tuple(proofs))
            holds = domain.kind in {"space", "orthant"} if k else domain.describe() == "[-1, 1]^2"
            assert verify(other).valid == (holds and verify(proofs[k]).valid)
    thin = dataclasses.replace(made, last=LayerRecord.dense(np.ones((5, 4)), np.zeros(5)))
    assert "rank 1, not 4" in verify(thin).reason
    short = dataclasses.replace(made, proofs=made.proofs[:1])
    assert verify(short).valid  # four rows into the same affine map
    swapped = dataclasses.replace(made, proofs=made.proofs[::-1], last=None)
    assert not verify(swapped).valid


def test_changed_witnesses():
    rng, seen = np.random.default_rng(0), Counter()
    for made in witnesses():
        for name in ("x", "other"):
            point = getattr(made, name)
            for k in range(0 if point is None else len(point)):
                for step in (Fraction(1, 7), -1, 0 if made.other is None else made.x[k] - made.other[k]):
                    moved = np.array([Fraction(v) for v in point], dtype=object)
                    moved[k] += step
                    other = dataclasses.replace(made, **{name: moved})
                    found = verify(other)
                    seen[name, found.valid] += 1
                    if found.valid and other.other is not None:
                        layers, final_relu = network_of(other)
                        assert (other.x != other.other).any()
                        values = [forward(layers, x, final_relu)[-1] for x in (other.x, other.other)]
                        assert values[0] == values[1]
        for other in changed_maps(made, rng):
            valid = verify(other).valid
            seen["maps", valid] += 1
            assert not valid or is_true(other)
    assert seen["other", False] > 1 and seen["maps", False] > 1
    pair, few = witnesses()
    assert "same point" in verify(dataclasses.replace(pair, other=pair.x)).reason
    assert "outside" in verify(dataclasses.replace(pair, domain=DomainRecord("orthant", 1))).reason
    box = DomainRecord("box", 1, np.array([-2.0]), np.array([2.0]))
    assert "interior" in verify(dataclasses.replace(few, domain=box)).reason
    assert "at least 1" in verify(dataclasses.replace(few, x=np.array([2.0]))).reason


def test_neurons_at_zero_count_as_active():
    """At 0 both neurons of |x| are weakly active, although none is positive."""
    few = NetworkWitnessCertificate((FOLD,), None, DomainRecord("space", 1), np.zeros(1))
    assert not verify(few).valid
    blind = LayerRecord.dense(np.zeros((3, 2)), np.ones(3))  # always active, but sees nothing
    assert verify(NetworkWitnessCertificate((FOLD, blind), None, DomainRecord("space", 1), np.zeros(1))).valid
