"""Block diagonal dominance: the verifier against dense matrices and exact ranks."""

import dataclasses
import json

import flint
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.certificates.schema import follows_schema
from tests.reference.blocks import block_excess
from unrelu.certificates import DomainRecord, Dominance, LayerRecord, StructureCertificate, from_json, verify
from unrelu.certificates._rows import Rows
from unrelu.certificates.injective import is_dominant
from unrelu.certificates.injective._norms import norm_bound
from unrelu.errors import ArgumentError

NONE = np.zeros(0, dtype=np.int64)


def holds(matrix: np.ndarray, of_line: np.ndarray, of_column: np.ndarray) -> bool:
    return is_dominant(Rows.of(matrix), Dominance(np.asarray(of_line), np.asarray(of_column)))


def blocks(rng, heights, widths, share: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A random matrix whose diagonal blocks weigh more than the others, or less, and its labels."""
    of_line, of_column = (np.repeat(np.arange(len(sizes)), sizes) for sizes in (heights, widths))
    matrix = rng.standard_normal((len(of_line), len(of_column))) * share
    for g in range(len(widths)):
        part = np.linalg.qr(rng.standard_normal((heights[g], widths[g])))[0] * rng.uniform(1, 2, widths[g])
        matrix[np.ix_(of_line == g, of_column == g)] = part
    return matrix, of_line, of_column


@pytest.mark.parametrize("seed", range(60))
def test_as_on_dense_matrices(seed):
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 5, 4)
    heights = widths + rng.integers(0, 3, 4)
    matrix, of_line, of_column = blocks(rng, heights, widths, rng.choice([0.01, 0.05, 0.1, 0.2]))
    matrix[rng.random(matrix.shape) < rng.choice([0.0, 0.5])] *= 0
    order, columns = rng.permutation(len(of_line)), rng.permutation(len(of_column))
    shuffled = matrix[order][:, columns]
    excess = block_excess(matrix, of_line, of_column)
    valid = holds(shuffled, of_line[order], of_column[columns])
    assert valid <= (excess < 1)
    assert valid >= (excess < 0.95)  # bounds of norms are a few per cent too large
    if valid:
        whole = flint.fmpz_mat([[round(v * 2.0**60) for v in row] for row in matrix.tolist()])
        assert whole.rank() == matrix.shape[1]


def test_the_limit_is_strict():
    for weight, valid in ((1.0, False), (1 - 2.0**-52, False), (1 - 2.0**-20, True), (-1.0, False)):
        assert holds(np.array([[1.0, weight], [weight, 1.0]]), [0, 1], [0, 1]) == valid


def test_singular_matrices_are_refused(rng):
    part = rng.standard_normal((3, 3))
    labels = np.repeat([0, 1], 3)
    assert not holds(np.block([[part, part], [part, part]]), labels, labels)
    twice = np.block([[part, 0 * part], [0 * part, part]])
    assert holds(twice, labels, labels)
    twice[4] = twice[3]
    assert not holds(twice, labels, labels)
    twice[3:] = 0
    assert not holds(twice, labels, labels)
    assert not holds(np.zeros((2, 1)), [0, 0], [0])
    nearly = np.diag([1.0, 1e-300])
    assert not holds(nearly, [0, 0], [0, 0])
    assert holds(nearly, [0, 1], [0, 1])


@pytest.mark.parametrize("power", [-900, -400, 0, 400, 900])
def test_scales_of_rows_do_not_matter(power, rng):
    matrix, of_line, of_column = blocks(rng, [3, 4, 2], [3, 3, 2], 0.05)
    scales = np.array([0, power, -power // 2])[of_line]
    assert holds(np.ldexp(matrix, scales[:, None]), of_line, of_column)


def test_lines_that_are_not_needed(rng):
    matrix, of_line, of_column = blocks(rng, [3, 3], [3, 3], 0.05)
    more = np.vstack([matrix, rng.standard_normal((2, 6))])
    assert holds(more, np.append(of_line, [-1, -1]), of_column)
    assert not holds(matrix, np.where(of_line == 1, -1, of_line), of_column)


def certificate(rng) -> StructureCertificate:
    matrix, of_line, of_column = blocks(rng, [2, 3, 2], [2, 2, 2], 0.03)
    layer = LayerRecord.dense(np.vstack([matrix, -matrix]), np.zeros(14))
    pairs = np.column_stack([np.arange(7), np.arange(7, 14)])
    dominance = Dominance(of_line, of_column)
    return StructureCertificate(layer, DomainRecord("space", 6), pairs, NONE, dominance=dominance)


def changed(proof: StructureCertificate, lines=None, columns=None) -> str:
    """What the verifier says of other labels; empty if they hold."""
    known = proof.dominance
    labels = Dominance(
        known.lines if lines is None else np.asarray(lines),
        known.columns if columns is None else np.asarray(columns),
    )
    answer = verify(dataclasses.replace(proof, dominance=labels))
    return "" if answer.valid else answer.reason


def test_certificates(rng):
    proof = certificate(rng)
    answer = verify(proof)
    assert (answer.valid, answer.grade) == (True, "exact")
    assert answer.reason == "7 pairs of opposite rows, block diagonally dominant, span R^n at every point"
    assert verify(from_json(proof.to_json())) == answer
    assert verify(from_json(proof.to_json(rows=False)), proof.layer) == answer
    assert list(follows_schema(proof))


def test_tampered_certificates_are_refused(rng):
    proof = certificate(rng)
    lines, columns = proof.dominance.lines, proof.dominance.columns
    assert "block 0" in changed(proof, lines=np.roll(lines, 1))
    assert "not proved to outweigh" in changed(proof, columns=columns[::-1])
    assert "no row of block 2" in changed(proof, lines=np.where(lines == 2, -1, lines))
    assert "out of range" in changed(proof, columns=np.where(columns == 2, -1, columns))
    assert "out of range" in changed(proof, columns=np.where(columns == 2, 2**31 - 1, columns))
    assert "out of range" in changed(proof, lines=np.where(lines == 2, 2**31 - 1, lines))
    assert "no row of block 2" in changed(proof, columns=np.where(columns == 2, 3, columns))
    assert "columns" in changed(proof, columns=columns[:-1])
    assert "lines" in changed(proof, lines=lines[:-1])
    values = proof.layer.values.copy()
    values[np.abs(values) > 0.2] = 0.01
    less = dataclasses.replace(proof, layer=dataclasses.replace(proof.layer, values=values))
    assert not verify(less).valid


def test_json_is_strict(rng):
    fields = json.loads(certificate(rng).to_json())
    for key, value in (("lines", 8), ("columns", 7), ("blocks", "AAAA"), ("more", 1)):
        known = {**fields["dominance"], key: value}
        with pytest.raises(ArgumentError, match=f"dominance.{key}|dominance.blocks"):
            from_json(json.dumps({**fields, "dominance": known}))


@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(1, 12), st.integers(1, 12)),
    st.integers(-200, 200),
    st.sampled_from([1, 2, 12]),
)
@settings(max_examples=60)
def test_bounds_of_norms_are_above_and_close(seed, shape, power, rank):
    rng = np.random.default_rng(seed)
    matrix = rng.standard_normal((shape[0], rank)) @ rng.standard_normal((rank, shape[1]))
    scaled = np.ldexp(matrix, power)
    norm, bound = np.linalg.norm(scaled, 2), norm_bound(scaled, 0.0)
    assert norm <= bound <= max(1.02 * norm, 1e-15)
    assert norm_bound(scaled, 1.0) >= norm + 1


def test_the_norm_of_nothing_is_small():
    assert norm_bound(np.zeros((3, 2)), 0.0) < 1e-15
