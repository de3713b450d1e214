"""Counts of cells against enumeration."""

from fractions import Fraction

import numpy as np
import pytest

from tests.reference.random_matrices import faces
from unrelu.errors import ArgumentError
from unrelu.injectivity.random_matrices import (
    cells,
    expected_cells,
    expected_euler_characteristic,
    wendel_probability,
)

SIZES = [(1, 1), (4, 1), (3, 2), (6, 2), (2, 3), (4, 3), (7, 3), (6, 4)]


def mean_over_signs(weight, function):
    """Average over all changes of rows' signs, which a symmetric distribution takes equally often."""
    signs = np.array(np.meshgrid(*[[-1, 1]] * len(weight))).reshape(len(weight), -1).T
    original = np.array(sorted(faces(weight)))
    return Fraction(int(sum(function(original * s) for s in signs)), len(signs))


def few_active(patterns, n):
    return patterns[(patterns >= 0).sum(axis=1) < n]


def euler_characteristic(patterns, n):
    """Alternating number of faces by codimension, of the directions with fewer than n active rows."""
    return ((-1) ** (few_active(patterns, n) == 0).sum(axis=1)).sum()


@pytest.mark.parametrize(("m", "n"), [size for size in SIZES if size[0] >= size[1]])
def test_cells_are_the_patterns_without_zeros(m, n, rng):
    patterns = faces(rng.standard_normal((m, n)))
    assert cells(m, n) == sum(all(pattern) for pattern in patterns)


def test_few_hyperplanes_cut_all_orthants():
    assert [cells(m, 5) for m in range(1, 6)] == [2, 4, 8, 16, 32]


@pytest.mark.parametrize(("m", "n"), [(m, n) for m, n in SIZES if m >= n])
def test_probability_of_a_half_space(m, n, rng):
    weight = rng.standard_normal((m, n))
    assert wendel_probability(m, n) == mean_over_signs(weight, lambda p: (p < 0).all(axis=1).any())


@pytest.mark.parametrize(("m", "n"), [(m, n) for m, n in SIZES if m >= n])
def test_expected_numbers_are_averages(m, n, rng):
    weight = rng.standard_normal((m, n))
    whole = mean_over_signs(weight, lambda p: (few_active(p, n) != 0).all(axis=1).sum())
    assert expected_cells(m, n) == whole
    mean = mean_over_signs(weight, lambda p: euler_characteristic(p, n))
    assert expected_euler_characteristic(m, n) == mean


def test_the_euler_characteristic_grows_below_8_34_and_decays_above():
    def growth(c):
        small, large = (abs(expected_euler_characteristic(round(c * n), n)) for n in (100, 200))
        return float(large / small)

    assert growth(8.2) > 1.5
    assert growth(8.5) < 0.7


@pytest.mark.parametrize("function", [cells, wendel_probability, expected_cells])
def test_arguments(function):
    with pytest.raises(ArgumentError, match="m: expected a whole number of at least 1, got 0"):
        function(0, 2)
    with pytest.raises(ArgumentError, match=r"n: expected a whole number of at least 1, got 1\.5"):
        function(2, 1.5)


def test_the_euler_characteristic_wants_as_many_rows_as_columns():
    with pytest.raises(ArgumentError, match="m: expected a whole number of at least 3, got 2"):
        expected_euler_characteristic(2, 3)
