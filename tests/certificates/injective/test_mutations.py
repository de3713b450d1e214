"""Changed certificates are refused, unless what remains is a proof of what is stated."""

import dataclasses

import numpy as np
import pytest

from tests.certificates.injective.proofs import dense, domains, naively, proved, reads
from tests.reference.cells import small_layer, unspanned_point
from unrelu.certificates import RANK_LEAF, InjectivityCertificate

MUTATIONS = ("tree", "support_rows", "support_starts", "layer", "bias", "domain", "grade", "length", "inner")


def mutated(certificate: InjectivityCertificate, what: str, rng) -> InjectivityCertificate:
    """Change one thing somewhere."""
    if what == "grade":
        other = {"exact": "exact-general-position", "exact-general-position": "exact"}
        return dataclasses.replace(certificate, grade=other[certificate.grade])
    if what in {"layer", "bias"}:
        layer = certificate.layer
        field = "values" if what == "layer" else "bias"
        array = getattr(layer, field).copy()
        if len(array):
            array[rng.integers(len(array))] += rng.choice([-1.0, 1.0, 0.25])
        return dataclasses.replace(certificate, layer=dataclasses.replace(layer, **{field: array}))
    if what == "domain":
        n = certificate.layer.n
        return dataclasses.replace(certificate, domain=domains(n)[rng.integers(5)])
    if what == "inner":
        point = certificate.inner
        point = None if point is None or rng.integers(4) == 0 else point + rng.integers(-2, 3, len(point))
        return dataclasses.replace(certificate, inner=point)
    field = what if what != "length" else "tree"
    array = getattr(certificate, field).copy()
    position = rng.integers(len(array)) if len(array) else 0
    if what == "length":
        array = (
            np.delete(array, position) if rng.integers(2) else np.insert(array, position, rng.integers(-2, 3))
        )
    elif len(array):
        array[position] = 0 if array[position] == RANK_LEAF else array[position] + rng.choice([-2, -1, 1, 2])
        if rng.integers(3) == 0:
            array[position] = -1 - array[position]  # the sign of a row, a node for a leaf
    return dataclasses.replace(certificate, **{field: array})


@pytest.mark.parametrize("what", MUTATIONS)
def test_mutations_are_refused_unless_still_a_proof(what):
    rng = np.random.default_rng(MUTATIONS.index(what))
    refused = 0
    while refused < (40 if what not in {"grade", "domain", "inner"} else 5):
        weight, bias = small_layer(rng, 2)
        domain = domains(weight.shape[1])[rng.integers(5)]
        options = {name: bool(rng.integers(k)) for name, k in (("exact", 4), ("pack", 2), ("signs", 3))}
        certificate = proved(weight, bias, domain, **options)
        if certificate is None or not len(certificate.support_rows):
            continue
        other = mutated(certificate, what, rng)
        valid = reads(other)
        if valid:
            assert naively(other), (what, other)
            # Up to the plane, the verifier sees whether rows are in general position.
            assert unspanned_point(dense(other.layer), other.layer.bias, *other.domain.inequalities()) is None
        else:
            refused += 1
            # The naive replay does not look for special position.
            assert other.grade != "exact" or not naively(other), (what, other)
