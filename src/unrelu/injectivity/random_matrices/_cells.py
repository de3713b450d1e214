"""Exact counts of the cells into which ``m`` hyperplanes through the origin cut R^n (Winder 1966)."""

from __future__ import annotations

from fractions import Fraction
from math import comb

from unrelu._checks import whole_number


def cells(m: int, n: int) -> int:
    """Return the number of cells of ``m`` hyperplanes in general position through the origin of R^n.

    ``C(m, n) = 2 sum_{k < n} binom(m - 1, k)`` (Schläfli; Cover 1965; Winder 1966): the number of sign
    patterns of ``W x`` without zeros.

    Raises:
        ArgumentError: If ``m`` or ``n`` is no whole number of at least 1.

    Example:
        >>> from unrelu.injectivity.random_matrices import cells
        >>> cells(5, 2), cells(3, 3)
        (10, 8)
    """
    m, n = whole_number("m", m), whole_number("n", n)
    return 2 * sum(comb(m - 1, k) for k in range(min(n, m)))


def wendel_probability(m: int, n: int) -> Fraction:
    """Return the probability that ``m`` random rows lie in an open half-space of R^n (Wendel 1962).

    It is ``C(m, n) / 2^m`` for every symmetric distribution in general position. There is then an input at
    which no row is active.

    Raises:
        ArgumentError: If ``m`` or ``n`` is no whole number of at least 1.

    Example:
        >>> from unrelu.injectivity.random_matrices import wendel_probability
        >>> wendel_probability(3, 2)
        Fraction(3, 4)
    """
    return Fraction(cells(m, n), 2**m)


def expected_cells(m: int, n: int) -> Fraction:
    """Return the expected number of cells with fewer than ``n`` active rows: witnesses against injectivity.

    Given the hyperplanes, the sides on which the rows lie are independent fair coins, so that each of the
    ``C(m, n)`` cells has ``k`` active rows with probability ``binom(m, k) / 2^m``.

    Raises:
        ArgumentError: If ``m`` or ``n`` is no whole number of at least 1.

    Example:
        >>> from unrelu.injectivity.random_matrices import expected_cells
        >>> expected_cells(3, 1), expected_cells(4, 2)
        (Fraction(1, 4), Fraction(5, 2))
    """
    return Fraction(cells(m, n) * sum(comb(m, k) for k in range(min(n, m + 1))), 2**m)


def expected_euler_characteristic(m: int, n: int) -> Fraction:
    """Return the expected Euler characteristic of the directions at which fewer than ``n`` rows are active.

    These directions form an open subset of the sphere, a union of faces of the hyperplane arrangement. Where
    ``j`` hyperplanes meet the others cut cells of dimension ``n - 1 - j``, of which each pattern of ``p``
    positive rows exists with probability ``C(m - j, n - j) / 2^(m - j)``; so it is the sum of
    ``(-1)^j binom(m, j) binom(m - j, p) C(m - j, n - j) / 2^(m - j)`` over ``j + p < n``. Its growth with
    ``n`` changes to decay at ``m / n`` about 8.34 (Maillard et al. 2023).

    Raises:
        ArgumentError: If ``m < n``, or ``n`` is no whole number of at least 1.

    Example:
        >>> from unrelu.injectivity.random_matrices import expected_euler_characteristic
        >>> expected_euler_characteristic(4, 1)  # two points, each with probability 1/16
        Fraction(1, 8)
    """
    n = whole_number("n", n)
    m = whole_number("m", m, n)
    total = 0
    for j in range(n):
        patterns = sum(comb(m - j, p) for p in range(n - j))
        total += (-1) ** j * comb(m, j) * patterns * cells(m - j, n - j) << j
    return Fraction(total, 2**m)
