"""The span of a few rows, certified in floating point: independent rows of full rank, and how independent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg

from unrelu.frames import DenseFrame
from unrelu.frames._factor import dense_factor
from unrelu.frames._lapack import rows_product
from unrelu.frames._scaling import SMALLEST, UNIT


@dataclass(frozen=True)
class Pivots:
    """A numerical basis of the row space, and of its complement.

    Attributes:
        basis: Numbers of rows that are numerically independent and span the others.
        row_space: Orthonormal columns, shape ``(n, r)``.
        triangle: ``rows[basis]ᵀ = row_space @ triangle``, shape ``(r, r)``.
        complement: Orthonormal columns, shape ``(n, n - r)``.
    """

    basis: np.ndarray
    row_space: np.ndarray
    triangle: np.ndarray
    complement: np.ndarray


def pivots(rows: np.ndarray) -> Pivots:
    """Factor rows of shape ``(p, n)`` of similar sizes by orthogonal transformations with pivoting."""
    p, n = rows.shape
    if not p:
        return Pivots(np.zeros(0, dtype=int), np.zeros((n, 0)), np.zeros((0, 0)), np.eye(n))
    q, r, order = scipy.linalg.qr(rows.T, mode="full", pivoting=True)
    diagonal = np.abs(np.diagonal(r))
    rank = int((diagonal > 8 * max(p, n) * UNIT * diagonal[0]).sum()) if diagonal[0] > 0 else 0
    return Pivots(order[:rank], q[:, :rank], r[:rank, :rank], q[:, rank:])


def certified_sigma(rows: np.ndarray) -> float:
    """Return a proved lower bound of the smallest singular value of ``rowsᵀ``, 0 where nothing is proved.

    The Gram matrix minus about half its smallest eigenvalue is proved positive definite.
    """
    p, n = rows.shape
    if not p:
        return np.inf
    if p > n:
        return 0.0
    gram = rows_product(rows)
    factor = dense_factor(gram.copy(), n)
    shift = 0.4 * factor.smallest_eigenvalue() if factor else 0.0
    if not 0 < shift < np.inf:
        return 0.0
    gram.flat[:: p + 1] -= shift
    # Twice the terms, because the shift may take half of the trace in which the error is measured.
    proved = dense_factor(gram, 2 * n + 8) is not None
    return float(np.sqrt(shift)) * (1 - 1e-9) if proved else 0.0


def rank_is(rows: np.ndarray, rank: int) -> bool:
    """Return whether rows known to have at least this rank are proved to have no larger one."""
    return rank == min(rows.shape) or DenseFrame(rows).rank_bounds(np.arange(len(rows)))[1] == rank


def length_bound(v: np.ndarray, error: np.ndarray | float = 0.0) -> float:
    """Return an upper bound of the length of a vector known up to an error, even where squares vanish."""
    return float(np.linalg.norm(np.abs(v) + error)) * (1 + 1e-9) + 1e-150


def product_error(rows: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Return a bound of the rounding error of ``rows @ v``."""
    terms = rows.shape[1] + 4
    return 1.1 * terms * UNIT * (np.abs(rows) @ np.abs(v)) + 4 * terms * SMALLEST
