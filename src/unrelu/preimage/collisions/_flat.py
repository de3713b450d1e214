"""The nearest point of a flat ``{v : A v = b}``, in the coordinates that may move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

if TYPE_CHECKING:
    from unrelu.frames._scaling import Rows

_SHIFT = 1e-14  # of the Gram matrix, relative to its diagonal, where rows may depend on one another
_REFINED = 4


def nearest_on_flat(
    rows: Rows, right: np.ndarray, start: np.ndarray, free: np.ndarray
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the point ``v`` nearest to ``start`` with ``rows v = right``, and its multipliers.

    With these, ``nu``, it is ``start - rowsᵀ nu`` in the coordinates that may move.


    Args:
        rows: Shape ``(p, n)``; they may depend on one another if the equations have a solution.
        right: Shape ``(p,)``.
        start: Shape ``(n,)``.
        free: Coordinates that may move, boolean; the others stay at ``start``.

    Returns:
        The two vectors; ``None`` where the equations cannot be solved in floating point.
    """
    a = rows[:, free]
    a = a if isinstance(a, np.ndarray) else a.toarray()
    gram = a @ a.T
    nu, v = np.zeros(len(right)), start.copy()
    if not len(right):
        return v, nu
    gram.flat[:: len(gram) + 1] *= 1 + _SHIFT
    gram.flat[:: len(gram) + 1] += _SHIFT * _SHIFT
    try:
        factor = scipy.linalg.cho_factor(gram, overwrite_a=True)
    except (np.linalg.LinAlgError, ValueError):
        return None
    for _ in range(_REFINED):
        nu += scipy.linalg.cho_solve(factor, rows @ v - right)
        v[free] = start[free] - a.T @ nu
    return (v, nu) if np.isfinite(v).all() else None
