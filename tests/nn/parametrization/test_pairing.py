"""Which rows follow which."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recipes import RECIPES
from tests.reference.pairing import are_opposite, most_pairs
from unrelu.errors import ArgumentError
from unrelu.nn.parametrization import Pairing, pairing
from unrelu.nn.parametrization._pairing import opposite_rows

EPS = float(np.finfo(np.float64).eps)
SINGULAR = [
    "antiparallel_pair",
    "antiparallel_covering",
    "zero_row",
    "repeated_row",
    "scaled_row",
    "integers",
]
SIZES = ["huge_rows", "tiny_rows", "tiny_layer", "subnormal_rows", "uneven_columns", "zero_matrix"]


def tied(weight: np.ndarray, found: Pairing) -> np.ndarray:
    return weight[found.source] * found.factor[:, None]


@pytest.mark.parametrize("name", SINGULAR + SIZES)
def test_opposite_rows_against_the_twin(name):
    weight = RECIPES[name]().weight
    pairs = opposite_rows(weight)
    assert len(pairs) == most_pairs(weight)
    assert len(np.unique(pairs)) == 2 * len(pairs)
    for i, j in pairs:
        assert are_opposite(weight[i], weight[j])
        assert np.abs(weight[i]).max() <= np.abs(weight[j]).max()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(0, 4))
def test_a_valid_weight_is_kept_in_any_order_and_scale(seed, n, free):
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((n, n))
    weight = np.concatenate(
        [basis, -(2.0 ** rng.integers(-9, 9, (n, 1))) * basis, rng.standard_normal((free, n))]
    )
    weight = weight[rng.permutation(len(weight))]
    found = pairing(weight, EPS)
    assert found.replaced == 0
    np.testing.assert_array_equal(tied(weight, found), weight)
    assert (found.factor[found.source != np.arange(len(weight))] <= -1).all()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 5), st.integers(0, 4), st.integers(0, 5))
def test_as_few_rows_as_it_takes_are_replaced(seed, n, free, present):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((2 * n + free, n))
    present = min(present, n)
    weight[n : n + present] = -weight[:present]
    found = pairing(weight, EPS)
    made = tied(weight, found)
    assert found.replaced == n - present == (made != weight).any(axis=1).sum()
    assert most_pairs(made) == n
    assert set(found.basis) <= set(found.source[found.source != np.arange(len(weight))])
    assert np.linalg.matrix_rank(weight[found.basis]) == n


def test_the_nearest_row_is_replaced():
    weight = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, -0.9], [-1.1, 0.1], [5.0, 5.0]])
    found = pairing(weight[:4], EPS)
    assert found.source.tolist() in ([0, 1, 1, 0], [0, 2, 2, 0], [3, 1, 1, 3], [3, 2, 2, 3])


def test_pairs_that_do_not_help_are_let_go():
    weight = np.array([[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0], [-4.0, 0.0], [0.0, 1.0]])
    made = tied(weight, pairing(weight, EPS))
    assert np.linalg.matrix_rank(made) == 2
    assert most_pairs(made) == 2


def test_other_factors_are_no_pairs():
    weight = np.array([[1.0, 2.0], [-3.0, -6.0], [0.0, 1.0], [0.0, -1.0]])
    found = pairing(weight, EPS)
    assert found.replaced == 1
    assert most_pairs(tied(weight, found)) == 2


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_rows_of_any_size(size):
    weight = size * np.random.default_rng(0).standard_normal((9, 4))
    assert most_pairs(tied(weight, pairing(weight, EPS))) == 4


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("square", "weight: expected at least 2 n = 8 rows for n = 4, got 4"),
        ("rank_deficient", "weight: expected rank n = 5, got 3 independent rows"),
        ("rank_deficient_rounded", "weight: expected rank n = 5, got 3 independent rows"),
        ("zero_columns", "weight: expected rank n = 5, got 3 independent rows"),
        ("zero_matrix", "weight: expected at least 2 n = 6 rows for n = 3, got 5"),
    ],
)
def test_what_is_refused(name, message):
    with pytest.raises(ArgumentError, match=message):
        pairing(RECIPES[name]().weight, EPS)
