"""Upper bounds of spectral norms (Delattre et al. 2023, Gram iteration), rounding errors included."""

from __future__ import annotations

import math

import numpy as np

_ROUNDING = 2.0**-51  # of a sum of k products, relative to their sizes, times k + 2: four times the unit
_ABOVE = 1 + 1e-9  # of a norm over what floating point makes of it, for fewer than a million entries
_UNDERFLOW = 1e-40  # more than what entries below 1e90 lose at the lower end of the range
_STEPS = 6


def frobenius(matrix: np.ndarray) -> float:
    """Return an upper bound of the Frobenius norm."""
    return float(np.linalg.norm(matrix)) * _ABOVE


def product_error(left: np.ndarray, right: np.ndarray) -> float:
    """Return how far ``left @ right`` in float64 is from the product, in the Frobenius norm, at most.

    Args:
        left: Shape ``(p, k)``, entries below 1e90.
        right: Shape ``(k, q)``, likewise.
    """
    return _ROUNDING * (left.shape[1] + 2) * frobenius(left) * frobenius(right) + _UNDERFLOW


def frobenius_bound(matrix: np.ndarray, error: float) -> float:
    """Return an upper bound as `norm_bound` does, quickly and too large by the root of the rank at most."""
    return frobenius(matrix) + error


def norm_bound(matrix: np.ndarray, error: float) -> float:
    """Return an upper bound of the spectral norm of every matrix close to one that is given.

    For ``G = YᵀY`` the spectral norm of ``Y`` is at most the ``2^(k+1)``-th root of the Frobenius norm of
    ``G^(2^k)``, which is too large by ``rank^(2^-k / 4)`` at most.

    Args:
        matrix: Finite, entries below 1e90.
        error: How far from it, in the Frobenius norm.
    """
    tall = matrix if matrix.shape[0] >= matrix.shape[1] else matrix.T
    power = _above(frobenius(tall))
    scaled = np.ldexp(tall, -power)
    gram, off = scaled.T @ scaled, product_error(scaled.T, scaled)
    power *= 2
    for _ in range(_STEPS):
        size = _above(frobenius(gram) + off)
        gram, off, power = np.ldexp(gram, -size), math.ldexp(off, -size), 2 * (power + size)
        # (G + E)^2 differs from G^2 by G E + E G + E^2.
        off = off * (2 * frobenius(gram) + off) + product_error(gram, gram)
        gram = gram @ gram
    root = 0.5 ** (_STEPS + 1)
    return _ABOVE * (frobenius(gram) + off) ** root * 2.0 ** (power * root) + error


def _above(size: float) -> int:
    """Return an exponent of a power of two that is at least a positive number, 0 for 0."""
    return int(np.frexp(size)[1])
