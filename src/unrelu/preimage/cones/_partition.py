"""Which rows of ``{c : A c <= 0}`` are 0 on all of it: a guess in floating point, to be proved elsewhere.

By strict complementarity (Goldman and Tucker 1956) the rows fall into two parts: the implied equalities, of
which a combination with positive weights is 0, and the rest, all negative at once at some ``c``.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from unrelu.preimage.cones._balance import Partition, balance
from unrelu.solvers import minimize

_LP_ENTRIES = 2_000_000  # a dense program of this size takes half a minute


def partition(a: np.ndarray, zero: float) -> Partition | None:
    """Split the rows of ``a``, shape ``(p, k)``, ``k >= 1``: by Newton's method, or else a linear program.

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
    implied, weights = np.ones(len(a), dtype=bool), np.ones(len(a))
    if not alive.any():
        return Partition(implied, weights, np.eye(1, a.shape[1])[0])
    unit = a[alive] / norms[alive, None]
    found = balance(unit) or _by_program(unit)
    if found is None:
        return None
    implied[alive] = found.implied
    weights[alive] = np.where(found.implied, found.weights / norms[alive], 0.0)
    return Partition(implied, weights, found.c, found.used_lp)


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
