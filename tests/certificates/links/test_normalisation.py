"""Normalisations: what they forget, and what tells it."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.links.blocks import affine, augmented, dense, holds, normalised, reason, space
from tests.reference import links as reference
from unrelu.certificates import LinkRecord, LinksCertificate, LinkStep, NormalisationProof, verify

GIVEN = ("nothing", "means", "statistics")


def norm_alone(n: int = 4, count: int = 2, **options) -> LinkRecord:
    return LinkRecord(n, (normalised(count, np.eye(n), **options),))


@pytest.mark.parametrize(
    ("options", "valid"),
    [
        ({}, (False, True, True)),
        ({"eps": 0.0}, (False, False, True)),
        ({"centred": False}, (True, False, True)),
        ({"centred": False, "eps": 0.0}, (False, False, True)),
        ({"gain": [1.0, 1e-300, -2.0, 1.0]}, (False, True, True)),
        ({"gain": [1.0, 0.0, 1.0, 1.0]}, (False, False, False)),
    ],
)
def test_alone(options, valid):
    link = norm_alone(**options)
    assert tuple(holds(NormalisationProof(link, given=what)) for what in GIVEN) == valid


def test_what_is_given_is_said():
    link = norm_alone()
    made = LinksCertificate(space(4), (NormalisationProof(link, given="means"),))
    assert made.given == {"norm": "means"}
    assert verify(made).statement == "1 link is injective on R^4 given the means at 'norm'"
    plain = LinksCertificate(space(4), (NormalisationProof(norm_alone(centred=False)),))
    assert plain.given == {} and verify(plain).statement == "1 link is injective on R^4"


def test_two_nodes_at_which_something_is_given_have_two_names():
    """One would stand for both in what is said."""
    proof = NormalisationProof(norm_alone(), given="means")
    made = LinksCertificate(space(4), (proof, proof))
    answer = verify(made)
    assert not answer.valid and "another name" in answer.reason
    step = proof.link.last
    renamed = dataclasses.replace(step, map=dataclasses.replace(step.map, node="second"))
    other = NormalisationProof(LinkRecord(4, (renamed,)), given="statistics")
    answer = verify(LinksCertificate(space(4), (proof, other)))
    assert answer.valid
    assert answer.statement.endswith("given the means at 'norm' and the statistics at 'second'")


def test_means_are_forgotten_and_scales_are_not(rng):
    """The two facts behind the proof, in floating point."""
    u = rng.standard_normal(6)
    link = norm_alone(6, 3, eps=0.1)
    shifted = u + np.repeat([2.0, -1.0], 3)
    assert reference.evaluate(link, shifted) == pytest.approx(reference.evaluate(link, u))
    assert abs(reference.evaluate(link, 1.1 * u) - reference.evaluate(link, u)).max() > 1e-3
    zero = norm_alone(6, 3, eps=0.0)
    assert reference.evaluate(zero, 1.1 * u) == pytest.approx(reference.evaluate(zero, u))
    rms = norm_alone(6, 3, eps=0.1, centred=False)
    assert abs(reference.evaluate(rms, shifted) - reference.evaluate(rms, u)).max() > 1e-3


@pytest.mark.parametrize("seed", range(30))
def test_rows_beside_that_tell_the_means(seed):
    """They do unless a combination of groups is left: then all its points have the same output."""
    rng = np.random.default_rng(seed)
    groups, count = int(rng.integers(1, 4)), int(rng.integers(1, 4))
    told = rng.integers(-1, 2, (int(rng.integers(1, 4)), groups * count))
    link = augmented(groups, count, told)
    valid = holds(NormalisationProof(link))
    sums = told.reshape(len(told), groups, count).sum(axis=2)
    assert valid == reference.has_full_rank(sums)
    if not valid:
        kernel = np.linalg.svd(sums)[2][-1]
        u, moved = rng.standard_normal(link.n), np.repeat(kernel, count)
        assert told @ moved == pytest.approx(0, abs=1e-12)
        norm = LinkRecord(link.n, link.steps[:1])
        assert reference.evaluate(norm, u + moved) == pytest.approx(reference.evaluate(norm, u), abs=1e-9)


def test_entries_of_one_mean_are_enough_and_rounded_ones_too():
    assert holds(NormalisationProof(augmented(1, 3, [[1, 0, 0]])))
    assert holds(NormalisationProof(augmented(1, 3, np.full((1, 3), 1 / 3))))
    assert holds(NormalisationProof(augmented(1, 2, [[1.0, -1 + 2.0**-52]])))
    assert not holds(NormalisationProof(augmented(1, 2, [[1.0, -1.0]])))
    assert not holds(NormalisationProof(augmented(1, 3, [[0, 0, 0]])))
    assert holds(NormalisationProof(augmented(1, 2, [[1e300, 1e-300]])))


@given(st.integers(0, 10**6), st.integers(-300, 300))
@settings(max_examples=25)
def test_scales_of_rows_do_not_matter(seed, power):
    rng = np.random.default_rng(seed)
    told = rng.integers(-1, 2, (2, 4)).astype(float)
    valid = holds(NormalisationProof(augmented(2, 2, told)))
    assert holds(NormalisationProof(augmented(2, 2, np.ldexp(told, [[power], [-power]])))) == valid
    assert holds(NormalisationProof(augmented(2, 2, told[::-1]))) == valid
    assert holds(NormalisationProof(augmented(2, 2, np.vstack([told, 0 * told])))) == valid


@pytest.mark.parametrize("seed", range(20))
def test_what_is_normalised_may_be_an_affine_map(seed):
    """``u`` is told by rows of its own and the differences within groups: their rank, in Fractions."""
    rng = np.random.default_rng(seed)
    n, groups, count = int(rng.integers(1, 4)), int(rng.integers(1, 3)), int(rng.integers(1, 4))
    inner, told = rng.integers(-1, 2, (groups * count, n)), rng.integers(-1, 2, (2, n))
    size = groups * count
    weight = np.block([[np.zeros((size, n)), np.eye(size)], [told, np.zeros((2, size))]])
    link = LinkRecord(n, (normalised(count, inner), affine(0, 1, weight=weight)))
    grouped = inner.reshape(groups, count, n)
    apart = (grouped[:, 1:] - grouped[:, :1]).reshape(-1, n)
    assert holds(NormalisationProof(link)) == reference.has_full_rank(np.vstack([told, apart]))
    for what in GIVEN[1:]:
        proof = NormalisationProof(link, given=what)
        assert holds(proof) == reference.has_full_rank(np.vstack([told, inner]))


def test_groups_that_share_an_entry_have_one_mean():
    """``x = (u_0, u_1, u_1, u_2)``: from the first group's mean follows that of the second."""
    inner = np.eye(3)[[0, 1, 1, 2]]
    for told, valid in (([1, 0, 0], True), ([0, 0, 1], True), ([1, -1, 0], False)):
        weight = np.block([[np.zeros((4, 3)), np.eye(4)], [np.array([told]), np.zeros((1, 4))]])
        link = LinkRecord(3, (normalised(2, inner), affine(0, 1, weight=weight)))
        assert holds(NormalisationProof(link)) == valid


def test_entries_that_are_not_normalised_must_be_told():
    inner = np.eye(3)[:2]
    for told, valid in (([[1, 0, 0]], False), ([[1, 0, 0], [0, 0, 1]], True), ([[1, 0, 1]], False)):
        told = np.array(told)
        weight = np.block([[np.zeros((2, 3)), np.eye(2)], [told, np.zeros((len(told), 2))]])
        link = LinkRecord(3, (normalised(2, inner), affine(0, 1, weight=weight)))
        assert holds(NormalisationProof(link)) == valid
        assert holds(NormalisationProof(link, given="means")) == (np.any(told[:, 2]))


def test_what_it_needs():
    link = augmented(2, 2, [[1, 0, 0, 0], [0, 0, 1, 0]])
    assert holds(NormalisationProof(link))
    last = link.last
    values = np.where(last.map.columns >= 4, 1.0, last.map.values)
    values[0] = 0.0
    lost = dataclasses.replace(last, map=dataclasses.replace(last.map, values=values))
    assert "told 3 of 4" in reason(NormalisationProof(LinkRecord(4, (*link.steps[:2], lost))))
    behind = LinkRecord(4, (*link.steps[:2], dataclasses.replace(last, kind="relu")))
    assert "'relu', not affine" in reason(NormalisationProof(behind))
    assert "no normalisation" in reason(NormalisationProof(link, step=2))
    twice = LinkRecord(
        2,
        (
            affine(0, weight=np.eye(2)),
            LinkStep(
                "normalised", (0, 1), dense(np.hstack([np.eye(2)] * 2)), norm=normalised(2, np.eye(2)).norm
            ),
        ),
    )
    assert "reads more" in reason(NormalisationProof(twice, step=2))
    assert "gain of 0" in reason(NormalisationProof(norm_alone(gain=[0.0, 1.0, 1.0, 1.0]), given="means"))
    assert "no means" in reason(NormalisationProof(norm_alone(centred=False), given="means"))
    assert "scale is lost" in reason(NormalisationProof(norm_alone(eps=0.0), given="means"))
    for wrong in ({"step": 3}, {"step": 0}, {"given": "everything"}):
        assert not holds(NormalisationProof(norm_alone(), **wrong))


def test_rows_that_mix_entries_do_not_count():
    """A sum of a normalised entry and an entry of the input tells neither."""
    weight = np.array([[1.0, 0, 1, 0], [0, 0, 0, 1]])
    link = LinkRecord(2, (normalised(2, np.eye(2)), affine(0, 1, weight=weight)))
    assert not holds(NormalisationProof(link)) and not holds(NormalisationProof(link, given="means"))
