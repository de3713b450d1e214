"""Cholesky factors that prove: where one exists, the factored matrix is positive definite in exact arithmetic.

The proof is the one of Rump (2006), "Verification of positive definiteness": the factorisation is run on the
matrix minus a multiple of the identity that exceeds every rounding error made on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal, lapack

if TYPE_CHECKING:
    from collections.abc import Callable

UNIT = 2.0**-53  # unit roundoff of float64


@dataclass(frozen=True)
class Factor:
    """A Cholesky factor of ``D M D - shift I`` for a symmetric ``M`` and a diagonal ``D`` of powers of two.

    Attributes:
        solve_scaled: Solves with the factored matrix.
        scale: The diagonal of ``D``.
    """

    solve_scaled: Callable[[np.ndarray], np.ndarray]
    scale: np.ndarray

    def solve(self, v: np.ndarray) -> np.ndarray:
        """Return nearly ``M⁻¹ v``; the shift leaves a relative error that refinement removes."""
        return self.scale * self.solve_scaled(self.scale * v)

    def smallest_eigenvalue(self, steps: int = 5) -> float:
        """Estimate the smallest eigenvalue of ``M`` by Lanczos on its inverse, from above, to a few per cent."""
        v = np.random.default_rng(0).standard_normal(len(self.scale))
        basis, diagonal, beside = [v / np.linalg.norm(v)], [], []
        for _ in range(min(steps, len(v))):
            w = self.solve(basis[-1])
            diagonal.append(float(w @ basis[-1]))
            for u in basis:
                w -= (w @ u) * u
            beside.append(float(np.linalg.norm(w)))
            if beside[-1] <= 1e-12 * abs(diagonal[0]):
                break
            basis.append(w / beside[-1])
        largest = eigvalsh_tridiagonal(np.array(diagonal), np.array(beside[: len(diagonal) - 1]))[-1]
        return 1 / float(largest)


def power_of_two_below(values: np.ndarray) -> np.ndarray:
    """Return ``2^-e`` with ``values * 2^-e`` in [1/2, 1): scaling by it rounds nothing. Zeros give 1."""
    _, exponent = np.frexp(values)
    return np.where(values > 0, np.ldexp(1.0, -np.clip(exponent, -1000, 1000)), 1.0)


def dense_factor(matrix: np.ndarray, terms: int) -> Factor | None:
    """Prove a computed product ``AᵀA`` positive definite and factor it.

    Args:
        matrix: ``AᵀA`` as computed, of shape ``(n, n)``; overwritten.
        terms: Number of products summed in an entry.

    Returns:
        The factor, or ``None`` where nothing is proved.
    """
    scale = power_of_two_below(np.sqrt(np.diag(matrix)))
    matrix *= scale[:, None]
    matrix *= scale
    n = len(matrix)
    matrix.flat[:: n + 1] -= _shift(float(np.trace(matrix)), terms, n)
    # The transpose of a C array is Fortran-ordered, so LAPACK works in place.
    lower, info = lapack.dpotrf(matrix.T, lower=1, overwrite_a=1, clean=0)
    if info != 0 or not np.isfinite(lower.flat[:: n + 1]).all():
        return None
    return Factor(lambda v: lapack.dpotrs(lower, v, lower=1)[0], scale)


def banded_factor(band: np.ndarray, terms: int, order: np.ndarray) -> Factor | None:
    """Do the same for a banded matrix.

    Args:
        band: Lower band storage, ``band[i - j, j]``, of shape ``(bandwidth + 1, n)``; overwritten.
        terms: Number of products summed in an entry.
        order: Row ``k`` of the band is row ``order[k]`` of the matrix.
    """
    scale = power_of_two_below(np.sqrt(band[0]))
    for offset in range(len(band)):
        length = band.shape[1] - offset
        band[offset, :length] *= scale[offset:] * scale[:length]
    band[0] -= _shift(float(band[0].sum()), terms, len(band))
    lower, info = lapack.dpbtrf(np.asfortranarray(band), lower=1, overwrite_ab=1)
    if info != 0 or not np.isfinite(lower[0]).all():
        return None

    def solve(v: np.ndarray) -> np.ndarray:
        out = np.empty_like(v)
        out[order] = lapack.dpbtrs(lower, v[order], lower=1)[0]
        return out

    full_scale = np.empty_like(scale)
    full_scale[order] = scale
    return Factor(solve, full_scale)


def _shift(trace: float, terms: int, bandwidth: int) -> float:
    """Return a bound of the error of the product (Higham 2002, 3.5) and of the factorisation (Theorem 10.3).

    Both are at most ``gamma`` times the trace, in the spectral norm; 1.1 covers the rounding of the bound
    itself, of the trace and of the subtraction.
    """
    return 1.1 * (terms + bandwidth + 8) * UNIT * trace
