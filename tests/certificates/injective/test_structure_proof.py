"""Certificates of structure: pairs, rows that are always active, blocks in several places."""

import dataclasses
import json

import numpy as np
import pytest

from tests.certificates.injective.proofs import domains, proved
from unrelu.certificates import (
    Block,
    DomainRecord,
    LayerRecord,
    StructureCertificate,
    from_json,
    verify,
)
from unrelu.certificates._rank import proved_rank
from unrelu.certificates._rows import Rows
from unrelu.certificates._verification import NotProvedError
from unrelu.certificates.injective import part_of
from unrelu.errors import ArgumentError

NONE = np.zeros(0, dtype=np.int64)
NO_PAIRS = np.zeros((0, 2), dtype=np.int64)


def pairs_of(weight, bias, pairs, domain=None) -> StructureCertificate:
    layer = LayerRecord.dense(np.array(weight), np.array(bias))
    return StructureCertificate(layer, domain or DomainRecord("space", layer.n), np.array(pairs), NONE)


def same_through_json(certificate: StructureCertificate):
    answer = verify(certificate)
    assert verify(StructureCertificate.from_json(certificate.to_json())) == answer
    assert verify(from_json(certificate.to_json(rows=False)), certificate.layer) == answer
    return answer


@pytest.mark.parametrize(
    ("weight", "bias", "valid"),
    [
        ([[1.0], [-1.0]], [0.0, 0.0], True),
        ([[1.0], [-1.0]], [-1.0, 1.0], True),  # injective although no row with b >= 0 spans alone
        ([[1.0], [-1.0]], [-1.0, 0.5], False),
        ([[1.0], [-2.0]], [-1.0, 2.0], True),
        ([[1.0], [-2.0]], [-1.0, 1.9999999999999998], False),
        ([[0.1], [-0.3]], [-1.0, 3.0], True),  # 0.3 is less than 3 * 0.1 for the stored numbers
        ([[0.3], [-0.1]], [-3.0, 1.0], False),
        ([[1.0], [1.0]], [0.0, 0.0], False),
        ([[0.0], [0.0]], [1.0, 1.0], False),
    ],
)
def test_pairs_on_the_line(weight, bias, valid):
    certificate = pairs_of(weight, bias, [[0, 1]])
    assert same_through_json(certificate).valid == valid
    assert verify(dataclasses.replace(certificate, pairs=np.array([[1, 0]]))).valid == valid


def test_pairs_must_span(rng):
    basis = rng.standard_normal((5, 5))
    weight = np.vstack([basis, -2 * basis])
    pairs = np.column_stack([np.arange(5), np.arange(5, 10)])
    certificate = pairs_of(weight, np.zeros(10), pairs)
    assert same_through_json(certificate).valid
    assert "span 4 dimensions, not 5" in verify(dataclasses.replace(certificate, pairs=pairs[1:])).reason
    swapped = np.column_stack([np.arange(5), np.roll(np.arange(5, 10), 1)])
    assert "not opposite" in verify(dataclasses.replace(certificate, pairs=swapped)).reason
    nearly = weight.copy()
    nearly[7, 3] = np.nextafter(nearly[7, 3], 9)
    assert not verify(pairs_of(nearly, np.zeros(10), pairs)).valid
    beyond = np.array([[0, 10]])
    assert not verify(dataclasses.replace(certificate, pairs=beyond)).valid
    assert not verify(dataclasses.replace(certificate, pairs=-pairs)).valid


@pytest.mark.parametrize(
    ("bias", "always", "valid"),
    [
        ([0.0, 1.0], [0, 1], True),
        ([0.0, 0.9999999999999999], [0, 1], False),
        ([-1e-300, 1.0], [0, 1], False),
        ([0.0, 1.0], [0, 0], False),
        ([0.0, 1.0], [0], False),
    ],
)
def test_always_active_rows_on_the_unit_square(bias, always, valid):
    layer = LayerRecord.dense(np.array([[1.0, 2.0], [-1.0, 3.0]]), np.array(bias))
    square = DomainRecord("box", 2, np.zeros(2), np.ones(2))
    certificate = StructureCertificate(layer, square, NO_PAIRS, np.array(always))
    assert same_through_json(certificate).valid == valid
    for other in ("space", "orthant"):
        assert not verify(dataclasses.replace(certificate, domain=DomainRecord(other, 2))).valid


def test_always_active_rows_on_other_domains():
    layer = LayerRecord.dense(np.eye(2), np.zeros(2))
    certificate = StructureCertificate(layer, DomainRecord("orthant", 2), NO_PAIRS, np.arange(2))
    assert same_through_json(certificate).valid
    half = DomainRecord("box", 2, np.array([0.0, -np.inf]), np.full(2, np.inf))
    assert "row 1" in verify(dataclasses.replace(certificate, domain=half)).reason
    cone = DomainRecord("polytope", 2, matrix=-np.eye(2), offsets=np.zeros(2))
    assert not verify(dataclasses.replace(certificate, domain=cone)).valid


def windowed(rng) -> StructureCertificate:
    """A convolution of width 2 with four channels on five inputs: every window of two is injective."""
    kernels = np.array([[1.0, 2.0], [-2.0, -1.0], [-1.0, 1.5], [1.0, -1.0], [0.5, 1.0], [-1.0, -2.5]])
    weight = np.zeros((24, 5))
    for shift in range(4):
        weight[6 * shift : 6 * shift + 6, shift : shift + 2] = kernels
    layer = LayerRecord.dense(weight, np.tile(rng.integers(0, 2, 6), 4).astype(float))
    rows, columns = np.arange(24).reshape(4, 6), np.arange(4)[:, None] + np.arange(2)
    proof = proved(kernels, layer.bias[:6], DomainRecord("space", 2))
    assert proof is not None
    return StructureCertificate(
        layer, DomainRecord("space", 5), NO_PAIRS, NONE, (Block(proof, rows, columns),)
    )


def test_blocks_in_several_places(rng):
    certificate = windowed(rng)
    answer = same_through_json(certificate)
    assert (answer.valid, answer.grade) == (True, "exact")
    block = certificate.blocks[0]

    def changed(**fields):
        return verify(dataclasses.replace(certificate, blocks=(dataclasses.replace(block, **fields),)))

    two = changed(rows=block.rows[:2], columns=block.columns[:2])
    assert two.reason == "the parts were proved to span 3 dimensions, not 5"
    assert "outside of the block" in changed(columns=block.columns[::-1]).reason
    assert "do not ascend" in changed(columns=block.columns[:, ::-1]).reason
    louder = dataclasses.replace(certificate.layer, values=2 * certificate.layer.values)
    assert "other numbers" in verify(dataclasses.replace(certificate, layer=louder)).reason
    assert not changed(rows=block.rows + 1).valid
    assert not changed(rows=block.rows[:, ::-1]).valid
    tree = block.proof.tree.copy()
    tree[-1] += 1
    assert changed(proof=dataclasses.replace(block.proof, tree=tree)).reason.startswith("block 0: ")
    general = changed(proof=dataclasses.replace(block.proof, grade="exact-general-position"))
    assert not general.valid or general.grade == "exact-general-position"


def test_a_block_must_hold_on_the_whole_projection(rng):
    certificate = windowed(rng)
    block = certificate.blocks[0]
    kernels, bias = certificate.layer.values[:12].reshape(6, 2), certificate.layer.bias[:6]
    small = proved(kernels, bias, DomainRecord("box", 2, np.zeros(2), np.ones(2)))
    inner = dataclasses.replace(certificate, blocks=(dataclasses.replace(block, proof=small),))
    assert "the domain is larger than the block's" in verify(inner).reason
    for low, high, valid in ((0.0, 1.0, True), (0.25, 0.5, True), (-0.1, 1.0, False), (0.0, 1.5, False)):
        box = DomainRecord("box", 5, np.full(5, low), np.full(5, high))
        assert verify(dataclasses.replace(inner, domain=box)).valid == valid
    orthant = dataclasses.replace(
        certificate,
        domain=DomainRecord("orthant", 5),
        blocks=(dataclasses.replace(block, proof=proved(kernels, bias, DomainRecord("orthant", 2))),),
    )
    assert verify(orthant).valid
    assert not verify(dataclasses.replace(orthant, domain=DomainRecord("space", 5))).valid


def test_lines_fill_what_blocks_leave(rng):
    certificate = windowed(rng)
    layer = certificate.layer
    weight = np.zeros((26, 6))
    rows = np.repeat(np.arange(24), np.diff(layer.starts))
    weight[rows, layer.columns] = layer.values
    weight[24] = rng.standard_normal(6)
    weight[25] = -weight[24]
    wide = LayerRecord.dense(weight, np.append(layer.bias, [-1.0, 1.0]))
    space = DomainRecord("space", 6)
    full = StructureCertificate(wide, space, np.array([[24, 25]]), NONE, certificate.blocks)
    assert verify(full).valid
    assert not verify(dataclasses.replace(full, pairs=NO_PAIRS)).valid


def test_parts_refuse_rows_that_reach_out():
    layer = LayerRecord.dense(np.array([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0]]), np.array([5.0, 6.0]))
    part = part_of(layer, np.array([0]), np.array([0, 2]))
    assert (part.values.tolist(), part.columns.tolist(), part.bias.tolist()) == ([1.0, 2.0], [0, 1], [5.0])
    for rows, columns in (([0], [0, 1]), ([1, 0], [0, 1, 2]), ([0, 0], [0, 2]), ([2], [0]), ([0], [0, 3])):
        with pytest.raises(NotProvedError):
            part_of(layer, np.array(rows), np.array(columns))


def test_json_is_strict(rng):
    fields = json.loads(windowed(rng).to_json())
    fields["blocks"][0]["places"] = 3
    with pytest.raises(ArgumentError, match="numbers"):
        from_json(json.dumps(fields))
    fields["blocks"][0]["places"] = 0
    with pytest.raises(ArgumentError, match="places"):
        from_json(json.dumps(fields))
    fields["blocks"][0]["proof"]["more"] = 1
    with pytest.raises(ArgumentError, match="unknown field"):
        from_json(json.dumps(fields))


def test_every_kind_of_domain_has_pairs(rng):
    basis = rng.integers(-2, 3, (2, 2)) + 5.0 * np.eye(2)
    for domain in domains(2):
        weight = np.vstack([basis, -basis])
        assert verify(pairs_of(weight, np.zeros(4), [[0, 2], [1, 3]], domain)).valid


def test_faces_of_a_polytope_show_rows_that_are_always_active():
    simplex = DomainRecord(
        "polytope", 2, matrix=np.array([[-1.0, 0], [0, -1], [1, 1]]), offsets=np.array([0.0, 0, 1])
    )
    layer = LayerRecord.dense(np.array([[1.0, 2.0], [-1.0, -1.0]]), np.array([0.0, 1.5]))
    # (1, 2) is made of the first two faces; 1.5 - x - y of the third one, with 0.5 to spare.
    faces = (np.array([0, 1]), np.array([2, 3]))
    certificate = StructureCertificate(layer, simplex, NO_PAIRS, np.arange(2), (), faces)
    assert same_through_json(certificate).valid
    for wrong in (faces[::-1], (faces[0], np.array([2])), (faces[0], np.array([1, 3])), faces[:1], None):
        assert not verify(dataclasses.replace(certificate, faces=wrong)).valid
    for other in (DomainRecord("space", 2), DomainRecord("ball", 2, center=np.zeros(2), radius=9.0)):
        assert not verify(dataclasses.replace(certificate, domain=other)).valid
    lower = dataclasses.replace(layer, bias=np.array([-1e-300, 1.5]))
    assert not verify(dataclasses.replace(certificate, layer=lower)).valid
    negative = dataclasses.replace(certificate, faces=(np.array([-1, 1]), faces[1]))
    assert not verify(negative).valid


def test_balls():
    layer = LayerRecord.dense(np.array([[3.0, 4.0], [1.0, 0.0]]), np.array([5.0, 1.0]))
    ball = DomainRecord("ball", 2, center=np.zeros(2), radius=1.0)
    certificate = StructureCertificate(layer, ball, NO_PAIRS, np.arange(2))
    assert same_through_json(certificate).valid
    wider = DomainRecord("ball", 2, center=np.zeros(2), radius=np.nextafter(1.0, 2))
    assert "row 0" in verify(dataclasses.replace(certificate, domain=wider)).reason


def test_a_block_on_a_box_that_holds_a_ball(rng):
    certificate = windowed(rng)
    block = certificate.blocks[0]
    kernels, bias = certificate.layer.values[:12].reshape(6, 2), certificate.layer.bias[:6]
    inner = proved(kernels, bias, DomainRecord("box", 2, -np.ones(2), np.ones(2)))
    changed = dataclasses.replace(certificate, blocks=(dataclasses.replace(block, proof=inner),))
    for radius, valid in ((0.999, True), (1.0, False), (1.5, False)):
        ball = DomainRecord("ball", 5, center=np.zeros(5), radius=radius)
        assert verify(dataclasses.replace(changed, domain=ball)).valid == valid


def test_trees_know_no_balls(rng):
    proof = windowed(rng).blocks[0].proof
    ball = DomainRecord("ball", 2, center=np.zeros(2), radius=1.0)
    assert "domain.kind" in verify(dataclasses.replace(proof, domain=ball)).reason


@pytest.mark.parametrize("seed", range(10))
def test_the_rank_of_connected_components(seed):
    rng = np.random.default_rng(seed)
    sizes = [(int(rng.integers(1, 6)), int(rng.integers(1, 5))) for _ in range(5)]
    matrix = np.zeros((sum(m for m, _ in sizes), sum(n for _, n in sizes)))
    row = column = 0
    for m, n in sizes:
        matrix[row : row + m, column : column + n] = rng.integers(-1, 2, (m, n))
        row, column = row + m, column + n
    shuffled = matrix[rng.permutation(len(matrix))][:, rng.permutation(matrix.shape[1])]
    assert proved_rank(Rows.of(shuffled)) == np.linalg.matrix_rank(matrix)
    used = shuffled[shuffled.any(axis=1)]
    assert proved_rank(Rows.of(used)) == np.linalg.matrix_rank(matrix)


def test_a_block_may_be_a_structure_but_not_hold_blocks():
    basis = np.array([[2.0, 1.0], [1.0, 1.0]])
    kernels = np.vstack([basis, -basis])
    weight = np.zeros((8, 3))
    weight[:4, :2], weight[4:, 1:] = kernels, kernels
    layer, space = LayerRecord.dense(weight, np.zeros(8)), DomainRecord("space", 3)
    pairs, plane = np.array([[0, 2], [1, 3]]), DomainRecord("space", 2)
    part = StructureCertificate(LayerRecord.dense(kernels, np.zeros(4)), plane, pairs, NONE)
    block = Block(part, np.arange(8).reshape(2, 4), np.array([[0, 1], [1, 2]]))
    certificate = StructureCertificate(layer, space, NO_PAIRS, NONE, (block,))
    assert same_through_json(certificate).valid
    less = dataclasses.replace(block, proof=dataclasses.replace(part, pairs=pairs[:1]))
    assert not verify(dataclasses.replace(certificate, blocks=(less,))).valid
    inner = Block(part, np.arange(4)[None], np.arange(2)[None])
    nested = dataclasses.replace(part, pairs=NO_PAIRS, blocks=(inner,))
    refused = dataclasses.replace(certificate, blocks=(dataclasses.replace(block, proof=nested),))
    assert "a block within a block" in verify(refused).reason
