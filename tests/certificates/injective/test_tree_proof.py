"""Injectivity certificates: proofs by a naive prover are accepted, and nothing that is no proof."""

import dataclasses
import json

import numpy as np
import pytest

from tests.certificates.injective.proofs import domains, naively, proved, reads
from tests.reference.cells import small_layer, unspanned_point
from unrelu.certificates import (
    RANK_LEAF,
    DomainRecord,
    InjectivityCertificate,
    LayerRecord,
    from_json,
    verify,
)
from unrelu.certificates.injective._tree import largest_load
from unrelu.errors import ArgumentError


@pytest.mark.parametrize("seed", range(50))
def test_naive_proofs_are_accepted(seed):
    rng = np.random.default_rng(seed)
    weight, bias = small_layer(rng)
    for domain in domains(weight.shape[1]):
        injective = unspanned_point(weight, bias, *domain.inequalities()) is None
        certificate = proved(weight, bias, domain, pack=bool(rng.integers(2)), signs=bool(rng.integers(2)))
        assert (certificate is not None) == injective
        if certificate is not None:
            answer = verify(certificate)
            assert (answer.valid, answer.grade) == (True, "exact"), answer
            assert naively(certificate)


def test_general_position_is_stated(rng):
    certificate = proved(rng.standard_normal((14, 2)), np.zeros(14), DomainRecord("space", 2), exact=False)
    answer = verify(certificate)
    assert (answer.valid, answer.grade) == (True, "exact-general-position")
    assert answer.statement.endswith("linearly independent")
    assert reads(certificate)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        ([[1.0, 1.0], [3.0, 3.0]], "rows 0 and 1 are parallel"),
        ([[0.1, 0.2], [0.1 * 2.0**-900, 0.2 * 2.0**-900]], "rows 0 and 1 are parallel"),
        ([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]], "row 1 is zero"),
        ([[0.1, 0.3], [0.3, 0.9]], ""),  # not quite
    ],
)
def test_special_position_is_seen(weight, message):
    # Rows are always active on this box, so that each makes a support with lower bounds and the last row.
    box = DomainRecord("box", 2, np.ones(2), np.full(2, 2.0))
    layer = LayerRecord.dense(np.array(weight), np.ones(len(weight)))
    supports = [
        [r, *(layer.m + 2 + j for j in range(2) if row[j]), layer.m + 4] for r, row in enumerate(weight)
    ]
    certificate = InjectivityCertificate(
        layer,
        box,
        "exact-general-position",
        np.cumsum([0, *map(len, supports)]),
        np.array([r for s in supports for r in s], dtype=np.int32),
        np.array([-2, 0, 1], dtype=np.int32),
    )
    answer = verify(certificate)
    assert answer.valid == (not message)
    assert message in answer.reason
    assert verify(dataclasses.replace(certificate, grade="exact")).valid == (not message)


def test_rank_deficient_rows_are_not_in_general_position():
    flat = np.array([[1.0, 0, 0], [0, 1, 0], [-1, -1, 0], [1, 2, 0], [-2, 1, 0], [1, -3, 0]])
    supports = np.array([0, 1, 2, 3, 4, 5], dtype=np.int32)
    certificate = InjectivityCertificate(
        LayerRecord.dense(flat, np.zeros(6)),
        DomainRecord("space", 3),
        "exact-general-position",
        np.array([0, 3, 6]),
        supports,
        np.array([-2, 0, 1], dtype=np.int32),
    )
    assert "rank 2" in verify(certificate).reason


def test_exact_grade_needs_ranks():
    # Three pairs of opposite rows in a plane of R^3: three rows from disjoint supports never span.
    rows = np.array([[1.0, 0, 0], [0, 1.0, 0], [1.0, 1.0, 0]])
    layer = LayerRecord.dense(np.vstack([rows, -rows]), np.zeros(6))
    pairs = np.array([0, 3, 1, 4, 2, 5], dtype=np.int32)
    tree = np.array([-3, 0, 1, 2], dtype=np.int32)
    certificate = InjectivityCertificate(
        layer, DomainRecord("space", 3), "exact", np.array([0, 2, 4, 6]), pairs, tree
    )
    assert verify(certificate).reason == "tree position 0: 3 rows that may be chosen do not span R^n"


def test_rows_that_were_chosen_count_with_their_signs_changed():
    # Rows 0 and 1 are equal: where row 1 is weakly active, so is row 0.
    weight = np.array([[1.0], [1.0], [-1.0]])
    certificate = InjectivityCertificate(
        LayerRecord.dense(weight, np.zeros(3)),
        DomainRecord("space", 1),
        "exact",
        np.array([0, 2, 4]),
        np.array([1, 2, 0, -2], dtype=np.int32),
        np.zeros(0, dtype=np.int32),
    )
    trees = {
        (0, RANK_LEAF, 1, -1, 1, 2, RANK_LEAF, -1, 0): "",
        (0, RANK_LEAF, -1, 1): "tree position 2: support 1 leans on a row not chosen",
        (1, 0, -1, 1, -1, 1, -1, 0): "tree position 2: support 1 has a row that was chosen",
    }
    for tree, reason in trees.items():
        changed = dataclasses.replace(certificate, tree=np.array(tree, dtype=np.int32))
        assert naively(changed) == reads(changed) == (not reason), tree
        assert reason in verify(changed).reason


@pytest.mark.parametrize(("names", "valid"), [(range(5), True), ([0, 1, 2], True), ([0, 1], False)])
def test_supports_that_overlap_count_less(names, valid):
    # Rows of a pentagon: each and the two across from it. No row is in more than three of five supports,
    # in more than two of three: two rows at least are active.
    angles = 2 * np.pi * np.arange(5) / 5
    supports = [sorted((k, (k + 2) % 5, (k + 3) % 5)) for k in range(5)]
    certificate = InjectivityCertificate(
        LayerRecord.dense(np.column_stack([np.cos(angles), np.sin(angles)]), np.zeros(5)),
        DomainRecord("space", 2),
        "exact-general-position",
        3 * np.arange(6),
        np.ravel(supports).astype(np.int32),
        np.array([-len(names), *names], dtype=np.int32),
    )
    for tree in (certificate.tree, np.array([-2 * len(names), *names, *names], dtype=np.int32)):
        changed = dataclasses.replace(certificate, tree=tree)
        assert reads(changed) == naively(changed) == valid
        exact = dataclasses.replace(changed, grade="exact")
        assert verify(exact).reason == "tree position 0: two supports have a row in common"


def test_loads():
    assert [largest_load(sets) for sets in ((), (1, 2, 4), (3, 6, 5), (7, 7, 7, 8))] == [0, 1, 2, 3]


def test_an_inner_point_is_checked():
    # Row 0 is weakly active nowhere inside the orthant; the support says so by a row of the domain alone.
    certificate = InjectivityCertificate(
        LayerRecord.dense(np.array([[-1.0], [1.0]]), np.zeros(2)),
        DomainRecord("orthant", 1),
        "exact",
        np.array([0, 2, 4]),
        np.array([-1, 2, 1, 2], dtype=np.int32),
        np.array([0, -1, 0, -1, 1], dtype=np.int32),
    )
    assert verify(certificate).reason == "support 0 has no row of the layer"
    assert reads(dataclasses.replace(certificate, inner=np.array([0.5])))
    for inner in ([0.0], [-1.0], [1.0, 1.0], [np.nan]):
        assert "inner" in verify(dataclasses.replace(certificate, inner=np.array(inner))).reason


def test_positions_are_named():
    weight = np.vstack([np.eye(2), -np.eye(2)])
    layer, space = LayerRecord.dense(weight, np.zeros(4)), DomainRecord("space", 2)
    supports = np.array([0, 2, 4]), np.array([0, 2, 1, 3], dtype=np.int32)
    reasons = {
        (0, 1, RANK_LEAF): "the tree ends at position 3, with 2 nodes open",
        (-2, 0): "the tree ends at position 2, inside of a leaf",
        (-2, 0, 1, 0): "tree position 3: no node is open any more",
        (0, 0): "tree position 1: row 0 was branched on before",
        (0, -1, 1, 0): "tree position 3: row 0 was branched on before",
        (4,): "tree position 0: row 4 is in no support",
        (0, -1, 0): "tree position 1: support 0 has a row that was chosen",
        (-2, 0, 0): "tree position 0: two supports have a row in common",
        (-2, 0, 2): "tree position 0: support 2 does not exist",
        (-2, 0, -1): "tree position 0: support -1 does not exist",
        (-1, 0): "tree position 0: 1 rows that may be chosen do not span R^n",
        (RANK_LEAF,): "tree position 0: 0 rows that may be chosen do not span R^n",
        (): "the tree ends at position 0, with 1 nodes open",
    }
    for tree, reason in reasons.items():
        certificate = InjectivityCertificate(layer, space, "exact", *supports, np.array(tree, dtype=np.int32))
        assert not naively(certificate), tree
        assert verify(certificate).reason == reason


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([0, 1], "support 0: its rows have no unique positive dependency"),
        ([0, 9], "support 0: row 9 does not exist"),
        ([-5, 2], "support 0: row -5 does not exist"),
        ([2, 0], "support 0: its rows do not ascend"),
        ([0, 0], "support 0: its rows do not ascend"),
        ([4, 6], "support 0 has no row of the layer"),
    ],
)
def test_supports_are_checked(rows, reason):
    weight = np.vstack([np.eye(2), -np.eye(2)])
    box = DomainRecord("box", 2, np.zeros(2), np.ones(2))
    certificate = InjectivityCertificate(
        LayerRecord.dense(weight, np.zeros(4)),
        box,
        "exact",
        np.array([0, 2]),
        np.array(rows, dtype=np.int32),
        np.array([0, RANK_LEAF, RANK_LEAF], dtype=np.int32),
    )
    assert verify(certificate).reason == reason


def test_weights_settle_what_the_rows_leave_open():
    # Four rows in the plane: their dependencies are a plane, too.
    weight = np.vstack([np.eye(2), -np.eye(2)])
    layer, space = LayerRecord.dense(weight, np.zeros(4)), DomainRecord("space", 2)
    rows = np.arange(4, dtype=np.int32)
    plain = InjectivityCertificate(
        layer,
        space,
        "exact",
        np.array([0, 4, 6, 8]),
        np.array([*rows, 0, 2, 1, 3], dtype=np.int32),
        np.array([-2, 1, 2], dtype=np.int32),
    )
    assert "no unique positive dependency" in verify(plain).reason
    given = dataclasses.replace(plain, support_weights=(np.array([1.0, 0.5, 1.0, 0.5]), None, None))
    assert reads(given)
    for wrong in ([1.0, 0.5, 1.0, 0.25], [1.0, -1.0, 1.0, -1.0], [0.0] * 4):
        weights = (np.array(wrong), None, None)
        assert "no positive dependency" in verify(dataclasses.replace(plain, support_weights=weights)).reason


def test_another_layer_is_refused(rng):
    certificate = proved(np.array([[1.0], [-1.0]]), np.zeros(2), DomainRecord("space", 1))
    other = LayerRecord.dense(np.array([[1.0], [-1.5]]), np.zeros(2))
    assert not verify(certificate, other).valid
    short = from_json(certificate.to_json(rows=False))
    assert not verify(short).valid
    assert verify(short, certificate.layer).valid
    rounded = dataclasses.replace(certificate.layer, exact=False)
    assert verify(dataclasses.replace(certificate, layer=rounded)).grade == "float"


def test_json_is_compact_and_strict(rng):
    certificate = proved(rng.standard_normal((9, 2)), np.zeros(9), DomainRecord("space", 2))
    fields = json.loads(certificate.to_json())
    for key in ("supports", "entries", "nodes"):
        with pytest.raises(ArgumentError, match="proof"):
            from_json(json.dumps(fields | {key: fields[key] + 1}))
        with pytest.raises(ArgumentError, match=key):
            from_json(json.dumps(fields | {key: -1}))
    with pytest.raises(ArgumentError, match="proof"):
        from_json(json.dumps(fields | {"nodes": 2**31 - 1}))
    with pytest.raises(ArgumentError, match="grade"):
        from_json(json.dumps(fields | {"grade": "certain"}))
    with pytest.raises(ArgumentError, match="unknown field"):
        from_json(json.dumps(fields | {"more": 1}))


def test_a_certificate_of_anything_but_whole_numbers_is_refused():
    layer = LayerRecord.dense(np.array([[1.0], [-1.0]]), np.zeros(2))
    good = InjectivityCertificate(
        layer, DomainRecord("space", 1), "exact", np.array([0, 2]), np.array([0, 1]), np.array([-1, 0])
    )
    assert verify(good).valid
    for field in ("support_starts", "support_rows", "tree"):
        assert not verify(dataclasses.replace(good, **{field: getattr(good, field) + 0.5})).valid
