"""Sums and ranks of stored numbers."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from tests.reference import frames as reference
from unrelu.frames._exact import exact_bits, exact_rank, rank_modulo_prime, signs_of_sums

ANY = st.floats(allow_nan=False, allow_infinity=False)
ORDINARY = st.floats(-1e6, 1e6, allow_subnormal=False)
SMALL = st.integers(-2, 2).map(float)


def one_sum(terms: list[tuple[float, float]], offset: float) -> int:
    a, b = np.array(terms).reshape(-1, 2).T
    starts = np.array([0, len(a)])
    return int(signs_of_sums(a.copy(), b.copy(), starts, np.array([offset]))[0])


@given(st.lists(st.tuples(ANY, ANY), max_size=6), ANY)
@example([(1e16, 1.0), (1.0, 1.0), (-1e16, 1.0)], 0.0)
@example([(1e16, 1.0), (1.0, 1.0), (-1e16, 1.0)], -1.0)
@example([(1e300, 1e300), (-1e300, 1e300), (5e-324, 5e-324)], 0.0)
@example([(0.1, 0.1), (-0.01, 1.0)], 0.0)
@example([(0.0, 1e300), (1e300, 0.0)], 0.0)
@example([(2.0**470, 2.0**470)] * 4, 1.7976931348623157e308)
def test_sign_of_a_sum(terms, offset):
    total = sum((Fraction(a) * Fraction(b) for a, b in terms), Fraction(offset))
    assert one_sum(terms, offset) == (total > 0) - (total < 0)


@given(st.lists(st.tuples(ORDINARY, ORDINARY), min_size=1, max_size=5))
def test_cancelling_sums_are_zero(terms):
    both = terms + [(-a, b) for a, b in terms]
    assert one_sum(both, 0.0) == 0
    assert one_sum(both, 5e-324) == 1
    assert one_sum(both, -5e-324) == -1


def test_many_sums_at_once(rng):
    starts = np.cumsum([0, 3, 0, 2, 5])
    a, b = rng.integers(-2, 3, (2, starts[-1])).astype(float)
    offset = np.array([0.0, -1.0, 0.5, 1.0])
    expected = [np.sign(a[s:e] @ b[s:e] + t) for s, e, t in zip(starts[:-1], starts[1:], offset, strict=True)]
    assert signs_of_sums(a, b, starts, offset).tolist() == expected


@given(arrays(float, array_shapes(min_dims=2, max_dims=2, max_side=5), elements=st.one_of(SMALL, ANY)))
def test_rank(matrix):
    expected = reference.rank(matrix)
    assert exact_rank(matrix) == expected
    assert rank_modulo_prime(matrix) <= expected


@pytest.mark.parametrize("seed", range(200))
def test_rank_modulo_a_prime_is_rarely_short(seed):
    rng = np.random.default_rng(seed)
    k, n = rng.integers(1, 12, 2)
    inner = rng.integers(1, min(k, n) + 1)
    matrix = (
        rng.integers(-4, 5, (k, inner))
        @ rng.integers(-4, 5, (inner, n))
        * 2.0 ** rng.integers(-40, 40, (k, 1))
    )
    assert rank_modulo_prime(matrix) == exact_rank(matrix) == reference.rank(matrix)


def test_rank_modulo_a_prime_of_a_large_matrix(rng):
    matrix = rng.standard_normal((150, 40)) @ np.round(rng.standard_normal((40, 120)) * 8)
    matrix = np.round(matrix * 64) / 64
    assert rank_modulo_prime(matrix) == exact_rank(matrix)
    low = np.round(rng.standard_normal((150, 40)) * 8) @ np.round(rng.standard_normal((40, 120)) * 8)
    assert rank_modulo_prime(low) == exact_rank(low) == 40
    assert rank_modulo_prime(rng.standard_normal((120, 150))) == 120


def test_powers_of_the_prime_do_not_raise_the_rank():
    prime = 2.0**25 - 39
    matrix = np.array([[prime, 0.0], [0.0, 1.0]])
    assert rank_modulo_prime(matrix) == 1
    assert exact_rank(matrix) == 2


def test_length_of_integers():
    assert exact_bits(np.zeros((0, 3))) == 0
    assert exact_bits(np.ones((2, 3))) <= 12
    assert exact_bits(np.array([[1.0, 1e-300], [1.0, 1.0]])) > 900
    # Scaled rows and columns are no longer than unscaled ones.
    assert exact_bits(np.ones((3, 3)) * 2.0 ** np.array([-900, 0, 900])) == exact_bits(np.ones((3, 3)))
