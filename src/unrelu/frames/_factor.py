"""Cholesky factors that prove: where one exists, the matrix is positive definite in exact arithmetic.

The proof is the one of Rump (2006), "Verification of positive definiteness": the factorisation is run on the
matrix minus a multiple of the identity that exceeds every rounding error made on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.frames._lapack import pbtrf, pbtrs, potrf, potrs
from unrelu.frames._scaling import SMALLEST, UNIT, power_of_two_below

if TYPE_CHECKING:
    from collections.abc import Callable

_GROWTH = 1.03  # of an eigenvalue in one step of Lanczos, below which it counts as found
_LEAST = 5  # steps of Lanczos, so that a slow start is not taken for the end


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

    def smallest_eigenvalue(self) -> float:
        """Estimate the smallest eigenvalue of ``M``, from above and to some per cent."""
        start = lanczos_start(1, len(self.scale))
        return float(smallest_eigenvalues(lambda v: self.solve(v[0])[None], start)[0])


def smallest_eigenvalues(
    solve: Callable[[np.ndarray], np.ndarray], start: np.ndarray, steps: int = 12
) -> np.ndarray:
    """Estimate the smallest eigenvalues of matrices by the Lanczos iteration with their inverses.

    Args:
        solve: Takes a vector for each matrix, shape ``(matrices, n)``, to the solutions.
        start: What the first vectors are to be, any but 0, same shape.
        steps: Number of solutions at most.

    Returns:
        Estimates from above, 0 where a solution overflowed.
    """
    count, n = start.shape
    basis = [start / np.linalg.norm(start, axis=1, keepdims=True)]
    # Sizes are taken relative to the first solutions, so that squares stay in range.
    solution = solve(basis[0])
    unit = np.abs(solution).max(axis=1)
    finite = np.isfinite(unit) & (unit > 0)
    unit[~finite] = 1.0
    steps = min(steps, n)
    small = np.zeros((count, steps, steps))
    largest = before = [0.0] * count
    for k in range(steps):
        w = np.where(finite[:, None], solution, 0.0) / unit[:, None]
        small[:, k, k] = np.einsum("ij,ij->i", w, basis[-1])
        before, largest = largest, np.linalg.eigvalsh(small[:, : k + 1, : k + 1], UPLO="U")[:, -1].tolist()
        for u in basis:
            w -= np.einsum("ij,ij->i", w, u)[:, None] * u
        beside = np.linalg.norm(w, axis=1)
        ended = beside <= 1e-12 * np.abs(small[:, 0, 0])
        if (
            ended | ((k + 1 >= _LEAST) & (np.array(largest) <= _GROWTH * np.array(before)))
        ).all() or k + 1 == steps:
            break
        small[:, k, k + 1] = np.where(ended, 0.0, beside)
        basis.append(np.where(ended[:, None], 0.0, w / np.where(ended, 1.0, beside)[:, None]))
        solution = solve(basis[-1])
    return np.where(finite, 1 / np.where(finite, largest, 1.0) / unit, 0.0)


def lanczos_start(count: int, n: int) -> np.ndarray:
    """Return first vectors for `smallest_eigenvalues`, the same for every matrix and every call."""
    return np.tile(np.random.default_rng(0).standard_normal(n), (count, 1))


def dense_factor(matrix: np.ndarray, terms: int) -> Factor | None:
    """Prove a computed product ``AᵀA`` positive definite and factor it.

    Args:
        matrix: Upper triangle of ``AᵀA`` as computed, C-ordered, of shape ``(n, n)``; overwritten.
        terms: Number of products summed in an entry.

    Returns:
        The factor, or ``None`` where nothing is proved.
    """
    scale = certified_cholesky(matrix, terms)
    return None if scale is None else Factor(lambda v: potrs(matrix, v), scale)


def certified_cholesky(matrix: np.ndarray, terms: int) -> np.ndarray | None:
    """Factor ``D M D - shift I = Rᵀ R`` so that ``D M D - Rᵀ R`` is positive semidefinite, ``R`` as stored.

    Args:
        matrix: Upper triangle of ``M`` as computed, C-ordered; overwritten by that of ``R``.
        terms: Number of products summed in an entry.

    Returns:
        The diagonal of ``D``, ``None`` where nothing is proved.
    """
    n = len(matrix)
    diagonal = matrix.diagonal()
    if not _all_positive(diagonal):
        return None
    scale = _equilibration(diagonal)
    if scale.min() != scale.max():
        with np.errstate(all="ignore"):  # below the diagonal stands anything
            matrix *= scale[:, None]
            matrix *= scale
    else:
        scale = np.ones(n)
    matrix.flat[:: n + 1] -= _shift(float(np.trace(matrix)), terms, n, scale)
    if potrf(matrix) != 0 or not _all_positive(matrix.diagonal()):
        return None
    return scale


def banded_factor(band: np.ndarray, terms: int, order: np.ndarray) -> Factor | None:
    """Do the same for a banded matrix.

    Args:
        band: Lower band storage, column after column: ``band[j, i - j]``, of shape ``(n, bandwidth + 1)``;
            overwritten.
        terms: Number of products summed in an entry.
        order: Row ``k`` of the band is row ``order[k]`` of the matrix.
    """
    diagonal = band[:, 0]
    if not _all_positive(diagonal):
        return None
    scale = _equilibration(diagonal)
    band *= scale[:, None]
    for offset in range(band.shape[1]):
        band[: len(band) - offset, offset] *= scale[offset:]
    band[:, 0] -= _shift(float(band[:, 0].sum()), terms, band.shape[1], scale)
    if pbtrf(band) != 0 or not _all_positive(band[:, 0]):
        return None

    def solve(v: np.ndarray) -> np.ndarray:
        out = np.empty_like(v)
        out[order] = pbtrs(band, v[order])
        return out

    full_scale = np.empty_like(scale)
    full_scale[order] = scale
    return Factor(solve, full_scale)


def _all_positive(values: np.ndarray) -> bool:
    """Whether all numbers are positive and finite."""
    return bool(((values > 0) & (values < np.inf)).all())


def _equilibration(squares: np.ndarray) -> np.ndarray:
    """Return powers of two that bring diagonal entries near 1; equal ones where all are alike already."""
    roots = np.sqrt(squares)
    if roots.min() * 32 > roots.max():
        return np.full(len(roots), power_of_two_below(roots.max()))
    return power_of_two_below(roots)


def _shift(trace: float, terms: int, bandwidth: int, scale: np.ndarray) -> float:
    """Return a bound of the error of the product (Higham 2002, 3.5) and of the factorisation (Theorem 10.3).

    Both are at most ``gamma`` times the trace, in the spectral norm; 1.1 covers the rounding of the bound
    itself, of the trace and of the subtraction. Below the normal range every operation may lose `SMALLEST`
    besides, before or after scaling (Rump 2006, Section 2; with room for rows scaled down).
    """
    lost = 4.0 * (terms + 8 * bandwidth + 32) * float(np.square(scale * SMALLEST**0.5).sum())
    return 1.1 * (terms + bandwidth + 8) * UNIT * trace + lost
