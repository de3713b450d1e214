"""The probability that a Gaussian layer is injective: exact in dimension 1 and 2, bounds in all others."""

from __future__ import annotations

from fractions import Fraction
from math import comb

from unrelu._checks import whole_number
from unrelu.errors import ArgumentError
from unrelu.injectivity.random_matrices._cells import expected_cells


def exact_probability(m: int, n: int) -> Fraction:
    """Return ``I(m, n)``, the probability that ``relu(W x)`` is injective for Gaussian ``W``, for n = 1 or 2.

    For ``n = 1`` both signs must occur: ``1 - 2^(1 - m)``.

    For ``n = 2`` and ``m >= 4``, ``1 - m (m - 2) / 2^(m - 1)``. Around the circle rows become active (+) and
    inactive (-) in a sequence of length ``2 m`` whose second half is minus the first, ``2^m`` of them equally
    likely; as many rows are active as there are minus signs among the next ``m``. The layer is not injective
    if some window of length ``m`` has none, ``2 m`` sequences, or, otherwise, exactly one: that one has
    ``m - 2`` places in ``2 m`` windows, the places next to the ends are counted twice, ``2 m (m - 3)``.

    Raises:
        ArgumentError: If ``n`` is neither 1 nor 2, or ``m`` is no whole number of at least 1.

    Example:
        >>> from unrelu.injectivity.random_matrices import exact_probability
        >>> exact_probability(4, 2), exact_probability(5, 2)
        (Fraction(0, 1), Fraction(1, 16))
    """
    m, n = whole_number("m", m), whole_number("n", n)
    if n > 2:
        raise ArgumentError(f"n: expected 1 or 2, got {n}; no closed form is known beyond")
    if m < 2 * n:
        return Fraction(0)
    return 1 - Fraction(1 if n == 1 else m * (m - 2), 2 ** (m - 1))


def probability_bounds(m: int, n: int) -> tuple[Fraction, Fraction]:
    """Return a lower and an upper bound of ``I(m, n)``, the probability that a Gaussian layer is injective.

    Lower: one minus the expected number of cells with fewer than ``n`` active rows. Upper: a fixed input or
    its opposite is a witness with probability ``2 P(Bin(m, 1/2) < n)`` if ``m >= 2 n``, and always if not.

    Raises:
        ArgumentError: If ``m`` or ``n`` is no whole number of at least 1.

    Example:
        >>> from unrelu.injectivity.random_matrices import probability_bounds
        >>> [round(float(bound), 4) for bound in probability_bounds(60, 4)]
        [1.0, 1.0]
    """
    m, n = whole_number("m", m), whole_number("n", n)
    lower = max(Fraction(0), 1 - expected_cells(m, n))
    if m < 2 * n:
        return lower, Fraction(0)
    return lower, 1 - Fraction(2 * sum(comb(m, k) for k in range(n)), 2**m)
