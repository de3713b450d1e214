"""Lower bounds of linear functions on spherical simplices, many at a time."""

from __future__ import annotations

import numpy as np

from unrelu.frames._scaling import UNIT


def spherical_minima(corners: np.ndarray, clearance: np.ndarray) -> np.ndarray:
    """Bound ``<v_i, x>`` from below for unit vectors ``x`` in the cone of ``v_1, ..., v_n``.

    For ``x = sum_j c_j v_j``, ``c >= 0``, ``|x| = 1`` the triangle inequality gives ``sum c >= 1``.

    - If all ``<v_i, v_j> >= 0``, then ``<v_i, x> = sum_j c_j <v_i, v_j> >= min_j <v_i, v_j>``, attained at a
      corner.
    - Otherwise let p be the projection of ``-v_i`` on the cone. ``-v_i - p`` is in the polar cone, so that
      ``<-v_i, x> <= <p, x> <= |p|``, attained at ``x = p / |p|``: the minimum is ``-|p|``.

    The projection is computed, not trusted: for any p in the cone ``<-v_i, x> <= |p| + s sum c`` where s is
    the largest of 0 and ``<-v_i - p, v_j>``, and ``sum c <= 1 / clearance``.

    Args:
        corners: Unit vectors, n independent ones a simplex, shape ``(count, n, n)``.
        clearance: Lower bounds of the distances of their affine hulls from 0, shape ``(count,)``.

    Returns:
        Lower bounds of the minima, sharp up to rounding, shape ``(count, n)``.
    """
    gram = corners @ corners.mT
    error = 2 * (corners.shape[2] + 4) * UNIT * (np.abs(corners) @ np.abs(corners).mT)
    low = (gram - error).min(axis=2)
    which = (low < 0).nonzero()
    simplex = which[0]
    linear, uncertain = gram[which], error[which]
    c = nonnegative_minimisers(gram[simplex], linear)
    length = np.linalg.norm(_times(corners[simplex].mT, c), axis=1)
    outside = _times(error[simplex], c) + uncertain - _times(gram[simplex], c) - linear
    excess = np.maximum(outside.max(axis=1, initial=0.0), 0.0) / clearance[simplex]
    low[which] = -(length + excess) * (1 + 32 * UNIT)
    return low


def nonnegative_minimisers(gram: np.ndarray, linear: np.ndarray) -> np.ndarray:
    """Minimise ``c G c / 2 + linear c`` over ``c >= 0`` by principal pivoting.

    All coordinates of the wrong sign change sides for n rounds, after which only the last one does (Murty
    1974), which cannot cycle. Problems that are not solved in time keep their last ``c``, cut off at 0.

    Args:
        gram: Positive definite matrices, shape ``(count, n, n)``.
        linear: Shape ``(count, n)``.

    Returns:
        Shape ``(count, n)``, not negative.
    """
    n = linear.shape[1]
    best = np.zeros_like(linear)
    free, open_ = linear < 0, np.arange(len(linear))
    for step in range(8 * n):
        g, d = gram[open_], linear[open_]
        both = free[:, :, None] & free[:, None, :]
        c = np.linalg.solve(np.where(both, g, np.eye(n)), np.where(free, -d, 0.0)[..., None])[..., 0]
        best[open_] = np.maximum(c, 0.0)
        wrong = np.where(free, c, _times(g, c) + d) < -1e-13
        if step >= n:
            last = n - 1 - np.argmax(wrong[:, ::-1], axis=1)
            wrong &= np.arange(n) == last[:, None]
        unsolved = wrong.any(axis=1)
        open_, free = open_[unsolved], (free ^ wrong)[unsolved]
        if not open_.size:
            break
    return best


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    product: np.ndarray = (matrices @ vectors[..., None])[..., 0]
    return product
