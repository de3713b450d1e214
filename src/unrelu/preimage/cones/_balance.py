"""Which rows of ``{c : A c <= 0}`` are 0 on all of it, by Newton's method: a guess, to be proved elsewhere.

The analytic centre of ``{c : A c <= 1}``, where ``f(c) = -sum_i log(1 - a_i · c)`` is least, exists if and
only if the rows balance: a combination with positive weights is 0. The Newton step ``s`` at ``c`` leaves
weights ``u_i (1 + u_i a_i · s)``, with ``u_i = 1 / (1 - a_i · c)``, that combine the rows to 0 whether ``c``
is the centre or not; mostly they are positive after a step or two, the first of which is the closed form
``1 - A (AᵀA)⁻¹ Aᵀ 1``. Where rows do not balance, the iterates leave along a direction in which these rows
are negative, and their ``u_i`` alone tend to 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrelu.frames._lapack import columns_product, potrf, potrs

CLEAR = 1e-7  # what signs must be away from 0, relative to the largest weight or to unit rows and direction
_EVEN = 1e-4  # ratio of weights that makes further steps to the centre needless
_STEPS = 60
_DONE = 1e-10  # square of the Newton decrement below which the centre is found
_APART = 1e-10  # ratio of the smallest to the largest u_i that only rows which do not balance explain
_SMALL = 1e-9  # relative singular value that counts as 0
_LINE_STEPS = 20
_INSIDE = 0.99  # of the way to the border that a step may go


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
    used_lp: bool = False


def balance(rows: np.ndarray) -> Partition | None:
    """Split rows, C-ordered, of similar norms, shape ``(p, k)`` with ``p, k >= 1``.

    Returns:
        The guess; ``None`` where nothing is clear.
    """
    p, k = rows.shape
    c, slack = np.zeros(k), np.ones(p)
    everything = np.ones(p, dtype=bool)
    for _ in range(_STEPS):
        u = 1 / slack
        step = _newton_step(rows, u)
        change = rows @ step
        weights = u * (1 + u * change)
        if not np.isfinite(weights).all():
            return None
        centred = -float(u @ change) < _DONE
        if weights.min() > (CLEAR if centred else _EVEN) * max(weights.max(), u.max()):
            return Partition(everything, weights, np.zeros(k))
        for direction, values in ((step, change), (c + step, 1 - slack + change)):
            if values.max() < -CLEAR * np.linalg.norm(direction):
                return Partition(~everything, np.zeros(p), direction)
        if u.min() < _APART * u.max():
            return _in_two(rows, u, c)
        if centred:
            return None
        size = _step_size(change / slack)
        c, slack = c + size * step, slack - size * change
    return None


def _newton_step(rows: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Return the ``s`` that minimises ``sum (1 + u_i a_i · s)^2``."""
    weighted = rows * u[:, None]
    hessian = columns_product(weighted)
    diagonal = hessian.diagonal().copy()
    # A pivot that has lost half of its digits means dependent columns.
    if diagonal.min() > 0 and potrf(hessian) == 0 and (hessian.diagonal() ** 2 > 1e-8 * diagonal).all():
        return -potrs(hessian, u @ rows)
    return np.asarray(-np.linalg.lstsq(weighted, np.ones(len(rows)), rcond=None)[0])


def _step_size(change: np.ndarray) -> float:
    """Minimise ``-sum log(1 - t change_i)`` over ``t >= 0``, roughly and inside its domain."""
    border = _INSIDE / max(float(change.max()), 1e-300)
    size = 0.0
    for _ in range(_LINE_STEPS):
        ratio = change / (1 - size * change)
        move = -float(ratio.sum() / (ratio @ ratio))
        if abs(move) < 0.05 * size:
            break
        size = min(size + move, (size + border) / 2)
    return size


def _in_two(rows: np.ndarray, u: np.ndarray, c: np.ndarray) -> Partition | None:
    """Take the rows with large ``u`` for implied; inside their span they must balance."""
    order = np.argsort(u)
    gap = int(np.argmax(np.diff(np.log(u[order])))) + 1
    implied = np.zeros(len(rows), dtype=bool)
    implied[order[gap:]] = True
    _, sizes, directions = np.linalg.svd(rows[implied], full_matrices=False)
    span = directions[sizes > _SMALL * sizes[0]]
    inner = balance(rows[implied] @ span.T)
    c = c / np.linalg.norm(c)
    c = c - (span @ c) @ span
    if inner is None or not inner.implied.all() or (rows[~implied] @ c).max() >= -CLEAR * np.linalg.norm(c):
        return None
    weights = np.zeros(len(rows))
    weights[implied] = inner.weights
    return Partition(implied, weights, c)
