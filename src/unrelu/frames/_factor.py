"""Cholesky factors that prove: where one exists, the factored matrix is positive definite in exact arithmetic.

The proof is the one of Rump (2006), "Verification of positive definiteness": the factorisation is run on the
matrix minus a multiple of the identity that exceeds every rounding error made on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal

from unrelu.frames._lapack import pbtrf, pbtrs, potrf, potrs

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
        matrix: Upper triangle of ``AᵀA`` as computed, C-ordered, of shape ``(n, n)``; overwritten.
        terms: Number of products summed in an entry.

    Returns:
        The factor, or ``None`` where nothing is proved.
    """
    n = len(matrix)
    scale = _equilibration(np.diag(matrix))
    if scale.min() != scale.max():
        matrix *= scale[:, None]
        matrix *= scale
    else:
        scale = np.ones(n)
    matrix.flat[:: n + 1] -= _shift(float(np.trace(matrix)), terms, n)
    if potrf(matrix) != 0 or not np.isfinite(matrix.flat[:: n + 1]).all():
        return None
    return Factor(lambda v: potrs(matrix, v), scale)


def banded_factor(band: np.ndarray, terms: int, order: np.ndarray) -> Factor | None:
    """Do the same for a banded matrix.

    Args:
        band: Lower band storage, column after column: ``band[j, i - j]``, of shape ``(n, bandwidth + 1)``; overwritten.
        terms: Number of products summed in an entry.
        order: Row ``k`` of the band is row ``order[k]`` of the matrix.
    """
    scale = _equilibration(band[:, 0])
    band *= scale[:, None]
    for offset in range(band.shape[1]):
        band[: len(band) - offset, offset] *= scale[offset:]
    band[:, 0] -= _shift(float(band[:, 0].sum()), terms, band.shape[1])
    if pbtrf(band) != 0 or not np.isfinite(band[:, 0]).all():
        return None

    def solve(v: np.ndarray) -> np.ndarray:
        out = np.empty_like(v)
        out[order] = pbtrs(band, v[order])
        return out

    full_scale = np.empty_like(scale)
    full_scale[order] = scale
    return Factor(solve, full_scale)


def _equilibration(squares: np.ndarray) -> np.ndarray:
    """Return powers of two that bring diagonal entries near 1; equal ones where all are alike already."""
    if squares.min() * 1024 > squares.max():
        return np.full(len(squares), power_of_two_below(np.sqrt(squares.max())))
    return power_of_two_below(np.sqrt(squares))


def _shift(trace: float, terms: int, bandwidth: int) -> float:
    """Return a bound of the error of the product (Higham 2002, 3.5) and of the factorisation (Theorem 10.3).

    Both are at most ``gamma`` times the trace, in the spectral norm; 1.1 covers the rounding of the bound
    itself, of the trace and of the subtraction.
    """
    return 1.1 * (terms + bandwidth + 8) * UNIT * trace
