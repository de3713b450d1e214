"""What float64 rounds, against Fractions."""

from fractions import Fraction
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tests.layers.maps.linear_maps import numbers
from unrelu.layers import Compose, Convolution, Dense, Diagonal, Reindex, Transpose, compose
from unrelu.layers.maps import powers_of_two, products_are_exact, stacked, sums_are_exact, total

FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-9, 9).map(float)
LISTS = st.lists(FLOATS, min_size=1, max_size=4)
FEW_DIGITS = st.floats(width=32, allow_nan=False, allow_infinity=False)


def tensor(values: list[float]) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def is_product(a: float, b: float) -> bool:
    return abs(a * b) < float("inf") and Fraction(a) * Fraction(b) == Fraction(a * b)


@given(LISTS, LISTS)
def test_products(a: list[float], b: list[float]):
    if products_are_exact(tensor(a), tensor(b)):
        assert all(is_product(x, y) for x, y in product(a, b))


@given(st.lists(FEW_DIGITS, min_size=1), st.lists(FEW_DIGITS, min_size=1))
def test_products_of_single_precision(a: list[float], b: list[float]):
    """They have 48 digits and exponents that float64 holds."""
    assert products_are_exact(tensor(a), tensor(b))


@pytest.mark.parametrize(
    ("a", "b", "exact"),
    [
        ([0.0, 1.0, -2.0, 0.25], [1 / 3, 1e300, -0.1], True),
        ([3.0], [1 / 3], False),
        ([5e-324], [0.5], False),
        ([5e-324], [1.0], False),  # too small to tell in general
        ([2.0], [1e308], False),
        ([0.0], [1e308, 5e-324], True),
        ([], [0.1], True),
    ],
)
def test_products_at_the_limits(a: list[float], b: list[float], exact: bool):
    assert products_are_exact(tensor(a), tensor(b)) is exact


@given(LISTS, FLOATS)
def test_sums(a: list[float], b: float):
    exact = all(Fraction(x) + Fraction(b) == Fraction(x + b) for x in a if abs(x + b) < float("inf"))
    overflows = any(abs(x + b) == float("inf") for x in a)
    assert sums_are_exact(tensor(a), tensor([b])) is (exact and not overflows)


@given(FLOATS)
def test_powers_of_two(value: float):
    size = abs(Fraction(value))
    top = max(size.numerator, size.denominator)
    whole = min(size.numerator, size.denominator) == 1 and top & (top - 1) == 0
    assert powers_of_two(tensor([value, 1.0])) is whole


GENERAL = torch.full((4,), 1 / 3, dtype=torch.float64)
SIMPLE = tensor([1.0, -1.0, 0.0, 4.0])
MAPS = {
    "dense": Dense(numbers(4, 4)),
    "channels": Convolution(numbers(4, 4, 1), (4, 1)),
    "transposed": Transpose(Convolution(numbers(4, 4, 1), (4, 1))),
    "diagonal": Diagonal(numbers(4), (4,)),
}


@pytest.mark.parametrize("name", MAPS)
def test_scaled_rows(name: str):
    """Only powers of two and zeros keep any numbers."""
    inner = MAPS[name]
    assert compose(Diagonal(SIMPLE, inner.out_shape), inner).exact
    assert not compose(Diagonal(GENERAL, inner.out_shape), inner).exact
    assert not compose(Diagonal(SIMPLE, inner.out_shape, exact=False), inner).exact
    assert Compose(inner, Diagonal(SIMPLE, inner.in_shape)).exact
    assert not Compose(inner, Diagonal(GENERAL, inner.in_shape)).exact


@pytest.mark.parametrize("name", MAPS)
def test_rounded_numbers_stay_rounded(name: str):
    """However they are moved, chosen, joined or converted."""
    rounded = compose(Diagonal(GENERAL, MAPS[name].out_shape), MAPS[name])
    moved = Reindex(torch.tensor([2, 0, 3, 1]), rounded.out_shape, (4,))
    chosen = Reindex(torch.tensor([1, 2]), rounded.out_shape, (2,))
    for other in (compose(moved, rounded), compose(chosen, rounded), rounded.absolute(), rounded.to()):
        assert not other.exact
    assert not compose(rounded, Reindex(torch.arange(4), (4,), rounded.in_shape)).exact
    assert not compose(rounded, Reindex(torch.tensor([1, 0, 2, 3]), (4,), rounded.in_shape)).exact
    assert not stacked([rounded, MAPS[name]]).exact and stacked([MAPS[name], MAPS[name]]).exact


def test_an_average_of_a_power_of_two_entries_is_exact():
    for count, exact in ((4, True), (6, False)):
        summed = Transpose(Reindex(torch.zeros(count, dtype=torch.int64), (1,), (count,)))
        share = torch.full((1,), 1 / count, dtype=torch.float64)
        assert compose(Diagonal(share, (1,), exact=exact), summed).exact is exact


def test_grouped_kernels_keep_their_state():
    kernel = Convolution(numbers(4, 1, 2), (4, 5), groups=4)
    assert kernel.ungrouped().exact and kernel.scaled(SIMPLE).exact
    assert not kernel.scaled(GENERAL).ungrouped().exact


def test_moved_entries_beside_a_matrix_are_one_matrix():
    """What a skip connection puts together: the input, its negative, and a map of it."""
    size, m = 3, 11
    places = torch.arange(m)

    def placed(start: int, stop: int) -> Reindex:
        index = torch.where((places >= start) & (places < stop), places - start, -1)
        return Reindex(index, (stop - start,), (m,))

    weight = Dense(numbers(5, size))
    negative = Diagonal(-torch.ones(size, dtype=torch.float64), (size,))
    terms = [placed(0, 3), compose(placed(3, 6), negative), compose(placed(6, 11), weight)]
    whole = total(terms)
    assert isinstance(whole, Dense) and whole.exact
    identity = torch.eye(size, dtype=torch.float64)
    assert torch.equal(whole.dense(), torch.cat([identity, -identity, weight.dense()]))
