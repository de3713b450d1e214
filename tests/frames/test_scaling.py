"""Powers of two and norms at any scale."""

from fractions import Fraction

import numpy as np
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from unrelu.frames._scaling import near_one, power_of_two_below, row_norms, scaled_rows

MATRICES = arrays(
    float,
    array_shapes(min_dims=2, max_dims=2, max_side=5),
    elements=st.one_of(st.just(0.0), st.floats(-1e307, 1e307)),
)


@given(MATRICES)
def test_norms_bound_the_exact_ones(matrix):
    for norms in (row_norms(matrix), row_norms(sp.csr_array(matrix))):
        for row, norm in zip(matrix.tolist(), norms.tolist(), strict=True):
            square = sum(Fraction(v) ** 2 for v in row)
            assert Fraction(norm) ** 2 >= square
            # Tight to rounding, or to the smallest number.
            assert Fraction(norm) ** 2 <= square * (1 + Fraction(1, 10**13)) or norm <= 1e-306
            assert (norm == 0) == (square == 0)


@given(MATRICES)
def test_scaled_rows_are_of_moderate_size(matrix):
    largest = np.abs(scaled_rows(matrix, near_one(matrix))).max(axis=1)
    assert np.all((largest == 0) | ((largest >= 1e-24) & (largest <= 1e8)))


def test_powers_of_two():
    values = np.array([0.0, 0.5, 0.75, 1.0, 3.0, 1e-300, 1e300])
    scale = power_of_two_below(values)
    assert np.all(np.log2(scale) % 1 == 0)
    assert np.all((values * scale)[1:] >= 0.5)
    assert np.all((values * scale)[1:] < 1)
    assert scale[0] == 1


def test_sparse_and_dense_agree(rng):
    dense = rng.standard_normal((6, 4)) * (rng.random((6, 4)) < 0.5)
    sparse = sp.csr_array(dense)
    scale = near_one(dense)
    assert np.array_equal(scale, near_one(sparse))
    assert np.array_equal(scaled_rows(sparse, scale).toarray(), scaled_rows(dense, scale))


def test_norms_beyond_the_range():
    assert np.isinf(row_norms(np.full((1, 4), 1.7e308))).all()
    assert row_norms(np.zeros((0, 3))).shape == (0,)
