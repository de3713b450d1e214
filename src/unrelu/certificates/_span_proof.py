"""A proof in floating point that rows span R^n (Rump 2006, "Verification of positive definiteness").

Where the Cholesky factorisation of ``AᵀA - c I`` succeeds, and ``c`` exceeds all rounding errors made on the
way, ``AᵀA`` is positive definite in exact arithmetic. That takes a condition below 1e5 or so. As many rows as
columns also span if ``|I - R A| < 1`` for some matrix ``R``, such as an approximate inverse.

Rows ``C`` that all sets share are taken out once. Let ``[U Z]`` be regular, with ``C U`` regular and ``C Z``
small. If ``C v = 0`` and ``S v = 0`` for ``v = U a + Z b``, then ``|a| <= |(C U)^-1| |C Z| |b|``, so that
``b = 0`` if the smallest singular value of ``S Z`` is larger than ``|S U|`` times that.
"""

from __future__ import annotations

import math

import numpy as np

from unrelu.certificates._rows import Rows
from unrelu.certificates._scaled_rows import UNIT, exponents, scaled_rows
from unrelu.certificates.injective._norms import frobenius, product_error

_LOST = 2.0**-500  # more than what entries of moderate size lose at the lower end of the range
_NONE = -(1 << 40)  # exponent of 0
_LARGEST = 1e80  # entry of an inverse that may be of use
_TURN = 1.5  # more than the norm of a matrix Q with |QᵀQ - I| < 1


class SpanProof:
    """Proves that some rows of a matrix, together with rows that are always taken, span R^n.

    Rows and columns are divided by powers of two, which does not change what spans.

    Attributes:
        matrix: The scaled rows, shape ``(m, n)``; the largest entry of each column lies in [1/2, 1).
    """

    def __init__(self, rows: Rows, common: np.ndarray) -> None:
        """Take rows, and the numbers of those that are always taken."""
        powers = exponents(rows)
        columns = np.full(rows.n, _NONE)
        np.maximum.at(columns, rows.columns, np.frexp(rows.values)[1] - powers[rows.numbers])
        self.matrix = scaled_rows(rows, powers, columns)
        self._common, self._images = self.matrix[common], self.matrix
        self._basis: np.ndarray | None = None
        self._leak = 0.0
        if 0 < len(common) <= rows.n:
            self._take_out()
        self._gram = self._common.T @ self._common

    def succeeds(self, index: np.ndarray) -> bool:
        """Say whether the rows of these numbers and the common ones are proved to span."""
        own = self._images[index]
        terms, n = len(self._common) + len(own), own.shape[1]
        if terms < n:
            return False
        slack = self._slack(index)
        gram = self._gram + own.T @ own
        gram.flat[:: n + 1] -= _shift(float(np.trace(gram)), terms, n) + 1.1 * slack**2
        try:
            np.linalg.cholesky(gram)
        except np.linalg.LinAlgError:
            return terms == n and _inverse_bound(np.concatenate([self._common, own]), slack) < math.inf
        return True

    def _take_out(self) -> None:
        """Go over to the products of all rows with ``Z``, if the common rows allow it."""
        count = len(self._common)
        turn = np.linalg.qr(self._common.T, mode="complete")[0]
        away = turn.T @ turn - np.eye(len(turn))
        if not frobenius(away) + product_error(turn.T, turn) + 2 * UNIT * frobenius(away) < 1:
            return
        inner, rest = turn[:, :count], turn[:, count:]
        bound = _inverse_bound(self._common @ inner, product_error(self._common, inner))
        if bound < math.inf:
            leak = frobenius(self._common @ rest) + product_error(self._common, rest)
            self._leak, self._basis = bound * leak, rest
            self._images = self.matrix @ rest
            self._common = self._images[:0]

    def _slack(self, index: np.ndarray) -> float:
        """Return what the smallest singular value of the products has to exceed."""
        if self._basis is None:
            return 0.0
        own = self.matrix[index]
        return product_error(own, self._basis) + _TURN * self._leak * frobenius(own)


def _shift(trace: float, terms: int, n: int) -> float:
    """Bound the errors of the product (Higham 2002, 3.5) and of the factorisation (Theorem 10.3).

    Both are at most ``gamma`` times the trace, in the spectral norm; 1.1 covers the rounding of the bound
    itself, of the trace and of the subtraction.
    """
    return 1.1 * (terms + n + 8) * UNIT * trace + _LOST


def _inverse_bound(matrix: np.ndarray, error: float) -> float:
    """Return an upper bound of the norm of the inverse of every matrix close to a square one.

    Args:
        matrix: Entries of moderate size.
        error: How far from it, in the Frobenius norm.

    Returns:
        The bound, infinite where some may be singular.
    """
    try:
        inverse = np.linalg.inv(matrix)
    except np.linalg.LinAlgError:
        return math.inf
    if not np.abs(inverse).max(initial=0.0) < _LARGEST:
        return math.inf
    near = inverse @ matrix - np.eye(len(matrix))
    # A difference is off by half a unit of it.
    away = frobenius(near) + product_error(inverse, matrix) + 2 * UNIT * frobenius(near)
    away += 1.1 * frobenius(inverse) * error
    return 1.1 * frobenius(inverse) / (1 - away) if away < 1 else math.inf
