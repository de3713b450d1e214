"""What the last step reads of the input alone: ranks, and layers beside other maps."""

import dataclasses
from collections import Counter

import numpy as np
import pytest

from tests.certificates.injective.proofs import proved
from tests.certificates.links.blocks import affine, alone, holds, pairs, reason, relu, skip, space
from tests.recipes import RECIPES
from tests.reference import links as reference
from unrelu.certificates import (
    AloneProof,
    DomainRecord,
    LayerRecord,
    LinkRecord,
    LinksCertificate,
    LinkStep,
    StructureCertificate,
    layer_alone,
    verify,
)


@pytest.mark.parametrize("name", RECIPES)
def test_affine_maps_of_full_rank(name):
    weight = RECIPES[name]().weight
    if not len(weight):
        return
    link = LinkRecord(weight.shape[1], (affine(0, weight=weight),))
    valid = holds(AloneProof(link))
    assert valid == reference.has_full_rank(weight)
    if valid and len(weight) == weight.shape[1]:
        assert holds(alone(link))


def test_rank_is_computed_component_by_component(rng):
    """Far more entries than elimination could do at once, and a row without any."""
    blocks = [rng.integers(-2, 3, (3, 2)) + np.array([[3, 0], [0, 3], [0, 0]]) for _ in range(3)]
    places = 30_000
    columns = 2 * np.repeat(np.arange(places), 6) + np.tile([0, 1], 3 * places)
    values = np.concatenate([blocks[k % 3].ravel() for k in range(places)]).astype(float)
    starts = np.append(np.arange(0, 6 * places + 1, 2), 6 * places)

    def link(entries) -> LinkRecord:
        bias = np.zeros(3 * places + 1)
        record = LayerRecord("a", "a", 2 * places, starts, columns, entries, bias)
        return LinkRecord(2 * places, (LinkStep("affine", (0,), record),))

    assert holds(AloneProof(link(values)))
    values[-6:] = np.tile([1.0, 2.0], 3)
    assert "rank 59999, not 60000" in reason(AloneProof(link(values)))


def test_rows_that_read_other_activations_do_not_count():
    """``(u_0 + g(u), u_1)`` may confuse inputs, ``(u_0, u_1, u_0 + g(u))`` does not."""
    g = LinkStep.opaque("g", "g", (0,), 2, 1)
    mixed, plain = [[1, 0, 1], [0, 1, 0]], [[1, 0, 0], [0, 1, 0], [1, 0, 1]]
    assert "rank 1, not 2" in reason(AloneProof(LinkRecord(2, (g, affine(0, 1, weight=mixed)))))
    assert holds(AloneProof(LinkRecord(2, (g, affine(0, 1, weight=plain)))))
    inner = relu(0, weight=-np.array([[0.5, 0]]))
    assert not reference.collide(LinkRecord(2, (inner, affine(0, 1, weight=mixed))))
    steep = relu(0, weight=-2 * np.array([[1, 0]]))
    assert reference.collide(LinkRecord(2, (steep, affine(0, 1, weight=mixed))))


def test_layers_beside_other_maps():
    eye = np.eye(2)
    link = skip(np.vstack([eye, -eye]), 3)
    assert layer_alone(link).m == 4
    answer = verify(LinksCertificate(space(2), (alone(link),)))
    assert answer.valid and answer.reason == "links: layers beside other maps"
    once = skip(eye, 3)
    assert not holds(AloneProof(once, pairs(layer_alone(link))))
    orthant = DomainRecord("orthant", 2)
    none = np.zeros((0, 2), dtype=np.int64)
    kept = AloneProof(once, StructureCertificate(layer_alone(once), orthant, none, np.arange(2)))
    assert kept.domain is orthant
    assert verify(LinksCertificate(orthant, (kept,))).valid
    assert not verify(LinksCertificate(space(2), (kept,))).valid


@pytest.mark.parametrize("seed", range(3))
def test_what_is_proved_is_true(seed):
    """Layers of the rows alone, decided by the naive prover, and a known map in place of the unknown one."""
    rng, seen = np.random.default_rng(seed), Counter()
    for _ in range(12):
        kept = rng.integers(-1, 2, (int(rng.integers(2, 4)), 2))
        link = skip(kept, 1)
        layer = layer_alone(link)
        tree = proved(np.asarray(kept, dtype=float), np.zeros(len(kept)), space(2))
        if tree is None:
            seen[False] += 1
            continue
        proof = AloneProof(link, dataclasses.replace(tree, layer=layer))
        assert holds(proof)
        inner = relu(0, weight=rng.integers(-1, 2, (1, 2)))
        assert not reference.collide(LinkRecord(2, (inner, link.last)))
        seen[True] += 1
    assert seen[False] and sum(seen.values()) == 12


def test_grades_of_layers_are_those_of_links():
    eye = np.eye(2)
    link = skip(np.vstack([eye, -eye]), 1)
    tree = proved(np.vstack([eye, -eye]), np.zeros(4), space(2))
    weaker = dataclasses.replace(tree, layer=layer_alone(link), grade="exact-general-position")
    made = LinksCertificate(space(2), (AloneProof(link, weaker),))
    assert made.grade == "exact-general-position"
    answer = verify(made)
    if answer.valid:
        assert answer.grade == made.grade and "linearly independent" in answer.statement
