"""Which rows of ``{c : A c <= 0}`` are 0 on all of it: a guess in floating point, to be proved elsewhere.

By strict complementarity (Goldman and Tucker 1956) the rows fall into two parts: the implied equalities, of
which a combination with positive weights is 0, and the rest, all negative at once at some ``c``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from unrelu.solvers import minimize

_CLEAR = 1e-7  # what a closed form must be away from 0 to be taken, relative to unit rows
_LP_ENTRIES = 2_000_000  # a dense program of this size takes half a minute


@dataclass(frozen=True)
class Partition:
    """A guess.

    Attributes:
        implied: Which rows are taken to be 0 on the whole cone, boolean, shape ``(p,)``.
        weights: Positive on these rows with ``weights @ A`` nearly 0, shape ``(p,)``.
        c: Nearly 0 on these rows and negative on the others, shape ``(k,)``.
        used_lp: Whether a linear program was needed.
    """

    implied: np.ndarray
    weights: np.ndarray
    c: np.ndarray
    used_lp: bool


def partition(a: np.ndarray, zero: float) -> Partition | None:
    """Split the rows of ``a``, shape ``(p, k)``, ``k >= 1``.

    Args:
        a: The rows.
        zero: Norm up to which a row counts as 0.

    Returns:
        The guess; ``None`` where the program is too large or the solver fails.
    """
    norms = np.linalg.norm(a, axis=1)
    alive = norms > zero
    if not np.isfinite(norms).all():
        return None
    found = _split(a[alive] / norms[alive, None]) if alive.any() else None
    if found is None and alive.any():
        return None
    implied, weights = np.ones(len(a), dtype=bool), np.ones(len(a))
    if found is None:
        return Partition(implied, weights, np.eye(1, a.shape[1])[0], used_lp=False)
    implied[alive] = found.implied
    weights[alive] = np.where(found.implied, found.weights / norms[alive], 0.0)
    return Partition(implied, weights, found.c, found.used_lp)


def _split(unit: np.ndarray) -> Partition | None:
    """Split rows of norm 1."""
    ones = np.ones(len(unit))
    c = np.linalg.lstsq(unit, ones, rcond=None)[0]
    fitted = unit @ c
    # What the fit leaves, 1 - A (AᵀA)⁻¹ Aᵀ 1, is orthogonal to the columns of A.
    if fitted.max() < 1 - _CLEAR:
        return Partition(ones > 0, 1 - fitted, np.zeros_like(c), used_lp=False)
    if fitted.min() > _CLEAR:
        return Partition(ones < 0, 0 * ones, -c, used_lp=False)
    return _by_program(unit)


def _by_program(unit: np.ndarray) -> Partition | None:
    """Maximise ``sum t`` over ``A c + t <= 0, 0 <= t <= 1``: all ``t_i`` are 0 or 1, the dual the weights."""
    p, k = unit.shape
    if unit.size > _LP_ENTRIES:
        return None
    cost = np.concatenate([np.zeros(k), -np.ones(p)])
    low = np.concatenate([np.full(k, -np.inf), np.zeros(p)])
    high = np.concatenate([np.full(k, np.inf), np.ones(p)])
    solution = minimize(cost, sp.hstack([sp.csc_array(unit), sp.eye_array(p)]), np.zeros(p), (low, high))
    if not solution.optimal:
        return None
    implied = solution.v[k:] < 0.5
    return Partition(implied, np.where(implied, solution.dual, 0.0), solution.v[:k], used_lp=True)
