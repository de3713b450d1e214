"""Proofs that rows span: in floating point, and modulo a prime where that is not enough."""

from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frames.matrices import KINDS
from tests.reference.preimage import rank
from unrelu.certificates._rows import Rows
from unrelu.certificates._span_proof import SpanProof
from unrelu.certificates._spanning_sets import SpanningSets

NONE = np.zeros(0, dtype=np.int64)


def spans(rows: np.ndarray) -> bool:
    """Whether rows span, in Fractions."""
    return rank([[Fraction(v) for v in row] for row in rows.tolist()]) == rows.shape[1]


@pytest.mark.parametrize("kind", KINDS)
def test_matrices_that_fool_floating_point(kind, rng):
    """Floating point never says yes wrongly; with the prime beside it the answer is right."""
    for _ in range(150):
        matrix = KINDS[kind](rng)
        rows, index = Rows.of(matrix), np.arange(len(matrix))
        k = int(rng.integers(0, len(matrix)))
        proved = SpanProof(rows, index[:k]).succeeds(index[k:])
        assert not proved or spans(matrix)
        assert SpanningSets(rows, index[:k]).spans(index[k:]) == spans(matrix)


@pytest.mark.parametrize("n", [1, 3, 40])
@pytest.mark.parametrize("scale", [1.0, 1e-250, 1e250])
def test_floating_point_is_enough_for_plain_rows(n, scale, rng):
    """At any scale of rows and columns."""
    matrix = rng.standard_normal((2 * n, n)) * np.exp2(rng.integers(-60, 60, (2 * n, 1)))
    matrix *= scale * np.exp2(rng.integers(-60, 60, n))
    proof = SpanProof(Rows.of(matrix), np.arange(n // 2))
    assert proof.succeeds(np.arange(n // 2, n)) and proof.succeeds(np.arange(n // 2, 2 * n))
    assert not proof.succeeds(np.arange(n // 2, n - 1))


def test_ill_conditioned_square_matrices(rng):
    """An approximate inverse proves them, and not those that are singular but for rounding."""
    left, right = (np.linalg.qr(rng.standard_normal((30, 30)))[0] for _ in range(2))
    for exponent, expected in ((-3, True), (-9, True), (-30, False)):
        matrix = left * np.logspace(0, exponent, 30) @ right
        proof = SpanProof(Rows.of(matrix), np.arange(10))
        assert proof.succeeds(np.arange(10, 30)) == expected
    matrix[-1] = matrix[0]
    assert not SpanProof(Rows.of(matrix), NONE).succeeds(np.arange(30))


def test_entries_below_the_normal_range():
    """They are kept where a power of two brings them back, and else lost to floating point alone."""
    matrix = np.array([[1e300, 5e-324], [1e300, 1e-323]])
    assert SpanProof(Rows.of(matrix), NONE).succeeds(np.arange(2))
    rows = Rows.of(np.vstack([matrix, [0.0, 1.0]]))
    assert not SpanProof(rows, NONE).succeeds(np.arange(2))
    assert SpanningSets(rows, NONE).spans(np.arange(2))


def first(matrix: np.ndarray, common: int, order: list[int]) -> list[int]:
    """The first rows that are independent of those before them and of the common ones, in Fractions."""
    kept = [[Fraction(v) for v in row] for row in matrix[:common].tolist()]
    chosen = []
    for i in order:
        row = [Fraction(v) for v in matrix[i].tolist()]
        if rank([*kept, row]) > len(kept):
            kept.append(row)
            chosen.append(i)
    return chosen


def test_the_first_rows_that_span(rng):
    """Repeated rows are passed over; independent ones are taken in their order."""
    seen = Counter()
    for _ in range(200):
        n = int(rng.integers(1, 6))
        matrix = np.vstack([np.eye(n), rng.integers(-1, 2, (12, n))])
        common = int(rng.integers(0, n + 1))
        order = rng.permutation(np.arange(n, n + 12))
        expected = first(matrix, common, order.tolist())
        found = SpanningSets(Rows.of(matrix), np.arange(common)).first(order)
        seen[found is None] += 1
        assert (found is None) == (len(expected) < n - common)
        assert found is None or found.tolist() == expected
    assert min(seen.values()) > 20


def test_nearly_dependent_rows(rng):
    """Floating point passes them over; where nothing else spans the prime takes them."""
    n = 5
    basis = rng.standard_normal((n - 1, n))
    near = basis[0] + 2.0**-40 * rng.standard_normal(n)
    far = rng.standard_normal(n)
    both, only_near = np.vstack([basis, near, far]), np.vstack([basis, near])
    assert SpanningSets(Rows.of(both), NONE).first(np.arange(n + 1)).tolist() in (
        [*range(n - 1), n],
        list(range(n)),
    )
    assert SpanningSets(Rows.of(only_near), NONE).first(np.arange(n)).tolist() == list(range(n))
    exact = np.vstack([basis, basis[0] * 2, far])
    assert SpanningSets(Rows.of(exact), NONE).first(np.arange(n + 1)).tolist() == [*range(n - 1), n]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_scaling_changes_nothing(seed):
    """Powers of two on rows and columns leave the answers as they are."""
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-2, 3, (9, 4)).astype(float)
    scaled = matrix * np.exp2(rng.integers(-400, 400, (9, 1))) * np.exp2(rng.integers(-400, 400, 4))
    one, other = (SpanningSets(Rows.of(part), np.arange(2)) for part in (matrix, scaled))
    for _ in range(5):
        index = rng.permutation(np.arange(2, 9))[: rng.integers(0, 8)]
        assert one.spans(index) == other.spans(index) == spans(matrix[np.concatenate([[0, 1], index])])
