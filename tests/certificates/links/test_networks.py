"""Links one behind the other: sizes, domains, statements, and networks that hold other links."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from tests.certificates.injective.proofs import dense as matrix
from tests.certificates.injective.proofs import domains
from tests.certificates.links.blocks import (
    affine,
    alone,
    dense,
    normalised,
    pairs,
    pooling,
    reason,
    relu,
    residual,
    skip,
    space,
)
from tests.reference import links as reference
from unrelu.certificates import (
    AloneProof,
    ContractionProof,
    DomainRecord,
    LayerRecord,
    LinkRecord,
    LinksCertificate,
    LinkStep,
    MaximaProof,
    NormalisationProof,
    NormRecord,
    StructureCertificate,
    from_json,
    layer_alone,
    verify,
)
from unrelu.certificates.links import link_of
from unrelu.errors import ArgumentError

EYE = np.eye(2)
BLOCK = residual(np.eye(2), 0.5 * EYE)
NONE = np.zeros((0, 2), dtype=np.int64)


class Links(tuple):
    """What a network gives the verifier."""

    def link_records(self):
        return tuple(self)


def folded(n: int = 2) -> StructureCertificate:
    """A layer of ``u`` and ``-u``."""
    return pairs(dense(np.vstack([np.eye(n), -np.eye(n)])))


def kept(layer: LayerRecord, domain: DomainRecord) -> StructureCertificate:
    """All rows are always active."""
    return StructureCertificate(layer, domain, NONE, np.arange(layer.m))


def network() -> LinksCertificate:
    norm = NormalisationProof(LinkRecord(4, (normalised(4, np.eye(4)),)), given="means")
    pool = MaximaProof(pooling(2, 2, [[1, -1]]))
    last = AloneProof(LinkRecord(4, (affine(0, weight=np.vstack([np.eye(4), np.ones((1, 4))])),)))
    return LinksCertificate(space(2), (ContractionProof(BLOCK), folded(), norm, pool, last))


def records(certificate: LinksCertificate) -> Links:
    return Links(link_of(link) if isinstance(link, LayerRecord) else link for link in certificate.links)


def test_a_network_of_all_kinds():
    made = network()
    answer = verify(made)
    assert answer.statement == (
        "5 links, 1 ReLU layer among them, are injective on R^2 given the means at 'norm'"
    )
    assert answer.valid and answer.grade == "exact"
    assert answer.reason == (
        "links: contractions, injective layers, normalisations with means given, maxima beside differences, "
        "affine maps of full rank"
    )
    assert verify(from_json(made.to_json())) == answer
    bare = from_json(made.to_json(rows=False))
    assert verify(bare, records(made)) == answer
    assert len(bare.to_json()) < len(made.to_json())


def test_another_network_is_refused():
    made = network()
    own = records(made)
    assert "has 4 links, the certificate speaks of 5" in verify(made, Links(own[:4])).reason
    for k in range(5):
        other = Links((*own[:k], link_of(dense(3 * np.eye(2))), *own[k + 1 :]))
        assert f"link {k + 1} (" in verify(made, other).reason
    swapped = Links((own[0], own[1], own[3], own[2], own[4]))
    assert "link 3 ('norm')" in verify(made, swapped).reason
    affine_end = Links((*own[:1], LinkRecord(2, (affine(0, weight=matrix(own[1].last.map)),)), *own[2:]))
    assert "link 2" in verify(made, affine_end).reason


def test_every_link_must_hold():
    made = network()
    for k in range(5):
        broken = list(made.proofs)
        if k == 1:
            broken[1] = dataclasses.replace(folded(), pairs=np.array([[0, 1], [2, 3]]))
        else:
            broken[k] = ContractionProof(made.proofs[k].link, (np.zeros(1, int),))
        assert f"link {k + 1} (" in verify(dataclasses.replace(made, proofs=tuple(broken))).reason


def test_sizes_must_fit():
    made = LinksCertificate(space(2), (ContractionProof(BLOCK), folded(4)))
    assert "links[1]" in verify(made).reason
    assert "links[0]" in verify(LinksCertificate(space(3), (ContractionProof(BLOCK),))).reason
    assert verify(LinksCertificate(space(2), (folded(),))).statement == "1 ReLU layer is injective on R^2"
    assert "1 to 10000 links" in verify(LinksCertificate(space(3), ())).reason


@pytest.mark.parametrize("domain", domains(2), ids=lambda d: d.kind)
def test_the_domain_is_that_of_the_first_proof_or_less(domain):
    """Links that are injective on R^n are so on every domain."""
    assert verify(LinksCertificate(domain, (ContractionProof(BLOCK),))).valid
    assert verify(LinksCertificate(domain, (folded(),))).valid
    on_domain = dataclasses.replace(folded(), domain=domain)
    assert verify(LinksCertificate(domain, (on_domain,))).valid
    assert verify(LinksCertificate(space(2), (on_domain,))).valid == (domain.kind == "space")
    box = DomainRecord("box", 2, np.full(2, 1.0), np.full(2, 2.0))
    inside = domain.kind in {"space", "orthant"} or (domain.upper is not None and domain.upper[0] > 2)
    assert verify(LinksCertificate(box, (on_domain,))).valid == inside
    assert verify(LinksCertificate(domain, (ContractionProof(BLOCK), on_domain))).valid == (
        domain.kind == "space"
    )


def test_behind_layers_domains_are_checked_as_in_chains():
    layer = dense(np.vstack([EYE, -EYE]), np.full(4, 3.0))
    unit = DomainRecord("box", 2, np.zeros(2), np.ones(2))
    first = StructureCertificate(layer, unit, NONE, np.arange(4))
    for low, valid in ((2.0, True), (2.5, False)):
        image = DomainRecord("box", 4, np.full(4, low), np.full(4, 4.0))
        second = kept(dense(np.eye(4), np.full(4, -low)), image)
        assert verify(LinksCertificate(unit, (first, second))).valid == valid
        beside = skip(np.eye(4), 1)
        proof = AloneProof(beside, kept(layer_alone(beside), image))
        assert verify(LinksCertificate(unit, (first, proof))).valid == valid


def test_a_relu_that_ends_a_link_is_not_negative():
    """A layer without bias behind it keeps what is positive; below and above nothing more is assumed."""
    link = alone(skip(np.vstack([EYE, -EYE]), 1))
    box = DomainRecord("box", 5, np.full(5, -1.0), np.full(5, np.inf))
    bounded = DomainRecord("box", 5, np.full(5, -1.0), np.full(5, 100.0))
    positive = DomainRecord("box", 5, np.full(5, 2.0**-40), np.full(5, np.inf))
    for bias, domain, valid in (
        (0.0, DomainRecord("orthant", 5), True),
        (0.0, box, False),
        (1.0, box, True),
        (1.0, bounded, False),
        (0.0, positive, False),
    ):
        behind = kept(dense(np.eye(5), np.full(5, bias)), domain)
        assert verify(LinksCertificate(space(2), (link, behind))).valid == valid
    cone = DomainRecord("polytope", 5, matrix=-np.eye(5), offsets=np.zeros(5))
    behind = dataclasses.replace(folded(5), domain=cone)
    assert "not shown to lie" in verify(LinksCertificate(space(2), (link, behind))).reason
    behind = kept(dense(EYE), DomainRecord("orthant", 2))
    assert not verify(LinksCertificate(space(2), (ContractionProof(BLOCK), behind))).valid


def test_normalised_entries_are_bounded():
    """None is farther from its offset than its gain times the root of the number of entries."""
    offset = np.array([0.5, -1.0, 0.0, 3.0])
    numbers = NormRecord(np.array([1.0, -2.0, 1.0, 1.0]), offset, 4, 1e-5)
    step = LinkStep("normalised", (0,), dense(np.eye(4), name="norm"), norm=numbers)
    norm = NormalisationProof(LinkRecord(4, (step,)), given="means")
    reach = np.array([2.0, 4.0, 2.0, 2.0])
    for change, valid in ((0.0, True), (2.0**-40, True), (-(2.0**-40), False)):
        box = DomainRecord("box", 4, offset - reach - change, offset + reach + change)
        layer = kept(dense(np.eye(4), np.full(4, 9.0)), box)
        assert verify(LinksCertificate(space(4), (norm, layer))).valid == valid


def test_normalised_entries_lie_around_their_offset():
    """A box that is large enough, but elsewhere."""
    norm = NormalisationProof(LinkRecord(4, (normalised(4, np.eye(4)),)), given="means")
    for center, valid in ((0.0, True), (200.0, False), (-200.0, False)):
        box = DomainRecord("box", 4, np.full(4, center - 100), np.full(4, center + 100))
        layer = kept(dense(np.eye(4), np.full(4, 900.0)), box)
        assert verify(LinksCertificate(space(4), (norm, layer))).valid == valid


def random_proof(rng, n: int):
    """A proof of a random link on R^n or on a smaller domain, of any kind, maybe wrong."""
    kind, domain = rng.integers(4), domains(n)[rng.integers(4)]
    weight = rng.integers(-1, 2, (n, n)) * 1.0
    if kind == 0:
        return ContractionProof(residual(np.eye(n), rng.integers(-1, 2, (n, n)) / 4, 2.0 * np.eye(n)))
    if kind == 1:
        return AloneProof(LinkRecord(n, (affine(0, weight=weight, bias=np.ones(n)),)))
    layer = dense(np.vstack([np.eye(n), weight]), rng.integers(-1, 3, 2 * n) * 1.0)
    rows = [np.zeros((0, 2), dtype=np.int64), rng.permutation(2 * n)[:n]]
    if kind == 2:
        return StructureCertificate(layer, domain, *rows)
    link = LinkRecord(n, (relu(0, weight=matrix(layer)[:n], bias=layer.bias[:n]),))
    return AloneProof(link, StructureCertificate(layer_alone(link), domain, rows[0], np.arange(n)))


@pytest.mark.parametrize("seed", range(4))
def test_what_is_proved_of_networks_is_true(seed):
    """Links on domains that may not hold what comes in, against brute force over the whole network."""
    rng, seen = np.random.default_rng(seed), Counter()
    for _ in range(150):
        n = int(rng.integers(1, 3))
        proofs = [random_proof(rng, n)]
        size = getattr(proofs[0], "layer", None) or proofs[0].link
        if size.m == n:
            proofs.append(random_proof(rng, n))
        made = LinksCertificate(domains(n)[rng.integers(5)], tuple(proofs))
        valid = verify(made).valid
        seen[valid, len(proofs)] += 1
        if valid:
            assert not reference.collide(reference.joined(records(made)), *made.domain.inequalities())
    assert min(seen[valid, count] for valid in (True, False) for count in (1, 2)) > 1, seen


def test_json_names_what_is_wrong():
    text = network().to_json()
    for old, new, named in (
        ('"kind": "maxima"', '"kind": "minima"', "kind"),
        ('"given": "means"', '"given": "all"', "given"),
        ('"step": 1', '"step": 2', "step"),
    ):
        assert old in text
        with pytest.raises(ArgumentError, match=named):
            from_json(text.replace(old, new))


def test_reasons_name_the_link():
    assert reason(AloneProof(BLOCK)).startswith("link 1 ('step'): ")
