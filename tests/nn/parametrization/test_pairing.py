"""Which rows follow which."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.recipes import RECIPES
from tests.reference.pairing import digits, fewest_digits, plain_pairs, ratio, spans
from unrelu.errors import ArgumentError
from unrelu.nn.parametrization import Pairing, pairing
from unrelu.nn.parametrization._opposites import opposite_rows

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
    return weight[found.source] / found.factor[found.source, None] * found.factor[:, None]


def is_valid(weight: np.ndarray) -> bool:
    return spans(weight) == weight.shape[1]


def lines_with_many_rows(seed: int) -> np.ndarray:
    """Return rows on few lines, with ratios of many kinds."""
    rng = np.random.default_rng(seed)
    multiples = rng.choice([-12.0, -6, -5, -3, -1, 1, 2, 3, 7, 0], (9, 1))
    return multiples * rng.integers(-4, 5, (3, 2))[rng.integers(0, 3, 9)] * 2.0 ** rng.integers(-3, 3, (9, 1))


WEIGHTS = {name: RECIPES[name]().weight for name in SINGULAR + SIZES}
WEIGHTS.update({f"lines {seed}": lines_with_many_rows(seed) for seed in range(20)})


@pytest.mark.parametrize("name", WEIGHTS)
def test_opposite_rows_against_the_twin(name):
    weight = WEIGHTS[name]
    found = opposite_rows(weight)
    assert len(np.unique(found.rows)) == found.rows.size
    assert found.are_plain.sum() == plain_pairs(weight)
    assert spans(weight[found.rows.ravel()]) == spans(weight)
    least = fewest_digits(weight)
    for (i, j), (p, q), is_plain in zip(found.rows, found.multiples, found.are_plain, strict=True):
        d = ratio(weight[i], weight[j])
        assert (d.denominator, d.numerator) == (p, q)
        assert np.abs(weight[i]).max() <= np.abs(weight[j]).max()
        line = [k for k in least if ratio(weight[k], weight[i]) or ratio(weight[k], -weight[i])]
        assert digits(d) == min(least[k] for k in line)
        assert is_plain == (digits(d) == 1)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 5),
    st.integers(0, 4),
    st.sampled_from([[1], [1, 3, 5], [1, 2, 7, 1001], [2.0**-30, 3]]),
)
def test_a_valid_weight_is_kept_in_any_order_and_scale(seed, n, free, multiples):
    rng = np.random.default_rng(seed)
    basis = rng.standard_normal((n, n)).astype(np.float32).astype(np.float64)
    one, other = (rng.choice(multiples, (n, 1)) * 2.0 ** rng.integers(-9, 9, (n, 1)) for _ in range(2))
    weight = np.concatenate([one * basis, -other * basis, rng.standard_normal((free, n))])
    weight = weight[rng.permutation(len(weight))]
    found = pairing(weight, EPS)
    assert found.replaced == 0
    np.testing.assert_array_equal(tied(weight, found), weight)
    followers = np.flatnonzero(found.source != np.arange(len(weight)))
    for row in followers:
        d = ratio(weight[found.source[row]], weight[row])
        assert d >= 1
        assert (d.denominator, -d.numerator) == (found.factor[found.source[row]], found.factor[row])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 5), st.integers(0, 4), st.integers(0, 5))
def test_as_few_rows_as_it_takes_are_replaced(seed, n, free, present):
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((2 * n + free, n))
    present = min(present, n)
    weight[n : n + present] = -weight[:present]
    found = pairing(weight, EPS)
    made = tied(weight, found)
    assert found.replaced == n - present == (made != weight).any(axis=1).sum()
    assert is_valid(made)
    assert set(found.basis) <= set(found.source[found.source != np.arange(len(weight))])
    assert np.linalg.matrix_rank(weight[found.basis]) == n


def test_the_nearest_row_is_replaced():
    weight = np.array([[1.0, 0.0], [0.0, 1.0], [0.1, -0.9], [-1.1, 0.1], [5.0, 5.0]])
    found = pairing(weight[:4], EPS)
    assert found.source.tolist() in ([0, 1, 1, 0], [0, 2, 2, 0], [3, 1, 1, 3], [3, 2, 2, 3])


def test_pairs_that_do_not_help_are_let_go():
    weight = np.array([[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0], [-4.0, 0.0], [0.0, 1.0]])
    made = tied(weight, pairing(weight, EPS))
    assert is_valid(made)
    assert (made != weight).any(axis=1).sum() == 1


def test_powers_of_two_come_first_and_shorter_ratios_then():
    weight = np.array([[3.0, 0], [-5.0, 0], [-12.0, 0], [0, 3], [0, 7], [0, -5], [0, -9], [0, -2001]])
    found = pairing(weight, EPS)
    assert found.source.tolist() == [0, 1, 0, 3, 4, 5, 3, 7]
    assert found.factor.tolist() == [1, 1, -4, 1, 1, 1, -3, 1]


def test_pairs_that_are_not_needed_stay_free():
    weight = np.array([[1.0, 0], [-1, 0], [0, 1], [0, -2], [1, 1], [-3, -3], [2, 1], [-4, -2]])
    found = pairing(weight, EPS)
    assert found.source.tolist() == [0, 0, 2, 2, 4, 5, 6, 6]


def test_rows_whose_ratio_is_no_number_are_no_pair():
    weight = np.array([[2.0**-1000], [-(2.0**1000)], [3.0]])
    found = pairing(weight, EPS)
    assert found.source.tolist() == [0, 2, 2]
    assert found.factor.tolist() == [1, -(2.0**1000), 3]
    narrow = np.array([[2.0**-100], [-(2.0**100)], [-(2.0**-90)]])
    assert pairing(narrow, EPS).source.tolist() == [0, 0, 2]
    assert pairing(narrow, EPS, largest=2.0**128).source.tolist() == [0, 1, 0]


@pytest.mark.parametrize("size", [1e-300, 1e300])
def test_rows_of_any_size(size):
    weight = size * np.random.default_rng(0).standard_normal((9, 4))
    assert is_valid(tied(weight, pairing(weight, EPS)))


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
