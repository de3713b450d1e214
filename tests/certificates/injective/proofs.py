"""Proofs by the naive prover as certificates, and the naive replay of certificates."""

from itertools import pairwise

import numpy as np

from tests.reference.trees import Prover, is_proof
from unrelu.certificates import DomainRecord, InjectivityCertificate, LayerRecord, verify
from unrelu.errors import ArgumentError


def domains(n: int) -> list[DomainRecord]:
    return [
        DomainRecord("space", n),
        DomainRecord("orthant", n),
        DomainRecord("box", n, np.full(n, -1.0), np.full(n, 1.0)),
        DomainRecord("box", n, np.full(n, 0.5), np.append(np.full(n - 1, np.inf), 3.0)),
        DomainRecord("polytope", n, matrix=np.vstack([-np.eye(n), np.ones((1, n))]), offsets=np.ones(n + 1)),
    ]


def proved(weight, bias, domain, **options) -> InjectivityCertificate | None:
    """A certificate by the naive prover, `None` if the layer is not injective."""
    prover = Prover(weight, bias, *domain.inequalities(), **options)
    grade = "exact" if options.get("exact", True) else "exact-general-position"
    if prover.failed:
        return None
    layer = LayerRecord.dense(weight, bias)
    inner = inner_point(domain) if options.get("signs") else None
    return InjectivityCertificate(layer, domain, grade, *prover.arrays, inner=inner)


def inner_point(domain: DomainRecord) -> np.ndarray:
    """A point inside of one of `domains`."""
    return np.full(domain.n, {"box": 0.75, "polytope": 0.25 / domain.n}.get(domain.kind, 1.0))


def reads(certificate: InjectivityCertificate) -> bool:
    """Whether the verifier accepts it, after a way through JSON where that is possible."""
    answer = verify(certificate)
    try:
        again = InjectivityCertificate.from_json(certificate.to_json())
    except ArgumentError:
        assert not answer.valid
        return False
    # JSON holds the lengths of supports, not where the first one starts.
    assert verify(again) == answer or certificate.support_starts[0] != 0
    return answer.valid


def naively(certificate: InjectivityCertificate) -> bool:
    """The same question, answered by `is_proof`."""
    layer = certificate.layer
    weight = dense(layer)
    starts, rows = certificate.support_starts.tolist(), certificate.support_rows.tolist()
    if starts[0] != 0 or starts[-1] != len(rows):
        return False
    supports = [rows[a:b] for a, b in pairwise(starts)]
    tree, exact = certificate.tree.tolist(), certificate.grade == "exact"
    domain = certificate.domain.inequalities()
    return is_proof(weight, layer.bias, *domain, supports, tree, exact, certificate.inner)


def dense(layer: LayerRecord) -> np.ndarray:
    """The matrix of a layer."""
    weight = np.zeros((layer.m, layer.n))
    weight[np.repeat(np.arange(layer.m), np.diff(layer.starts)), layer.columns] = layer.values
    return weight
