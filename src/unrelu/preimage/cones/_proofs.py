"""What floating-point vectors prove of exact ones: the correction that makes them exact changes no sign."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from unrelu.frames import DenseFrame, SparseFrame
from unrelu.preimage.cones._span import length_bound, product_error

_REFINEMENTS = 3


def is_direction(basis: np.ndarray, strict: np.ndarray, direction: np.ndarray, sigma: float) -> bool:
    """Return whether the nearest vector that is exactly 0 on the basis is negative on the strict rows.

    Where there are none, the vector must only not vanish.

    Args:
        basis: Independent rows, shape ``(r, n)``.
        strict: Rows of shape ``(p, n)``.
        direction: Shape ``(n,)``.
        sigma: Lower bound of the smallest singular value of ``basis``.
    """
    if sigma <= 0:
        return False
    correction = length_bound(basis @ direction, product_error(basis, direction)) / sigma
    if not len(strict):
        return bool(correction < 0.5 * np.linalg.norm(direction))
    values = strict @ direction + product_error(strict, direction)
    lengths = np.linalg.norm(strict, axis=1) * (1 + 1e-9) + 1e-150
    return bool((values + lengths * correction * (1 + 1e-9) < 0).all())


def independent_direction(rows: np.ndarray | sp.csr_array, zero: int) -> np.ndarray | None:
    """Return the shortest ``d`` with ``rows @ d`` 0 on the first rows and -1 on the others, nearly.

    Args:
        rows: Shape ``(p, n)``.
        zero: How many of them are the first.

    Returns:
        ``None`` where the rows are not proved independent; where they are, there is such a ``d`` exactly.
    """
    frame = SparseFrame(rows) if sp.issparse(rows) else DenseFrame(rows)
    factor = frame.gram(np.arange(len(frame.norms)))
    if factor is None:
        return None
    target = -(np.arange(frame.m) >= zero).astype(np.float64)
    direction = np.zeros(frame.n)
    for _ in range(_REFINEMENTS):
        off = target - frame.apply(direction[None])[0]
        direction += frame.adjoint(factor.solve(off)[None])[0]
    return direction if np.isfinite(direction).all() else None


def are_multipliers(rows: np.ndarray, multipliers: np.ndarray, free: int, sigma: float) -> bool:
    """Return whether a correction that makes the combination exactly 0 leaves the weights positive.

    The combination lies in the row space, so rows that span it, with a smallest singular value of at least
    ``sigma``, can take it back.

    Args:
        rows: Shape ``(p, n)``.
        multipliers: Shape ``(p,)``.
        free: How many of the first multipliers may have any sign.
        sigma: Lower bound of the smallest non-zero singular value of ``rows``, or of some rows that span.
    """
    if len(multipliers) == free:
        return True
    columns = np.ascontiguousarray(rows.T)
    correction = length_bound(columns @ multipliers, product_error(columns, multipliers)) / sigma
    return bool(multipliers[free:].min() > correction * (1 + 1e-9))
