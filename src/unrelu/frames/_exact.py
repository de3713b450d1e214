"""Exact arithmetic on float64 numbers: every one of them is a rational with a power of two below."""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np

_PRIME = 2**61 - 1


def sign_of_affine(row: np.ndarray, x: np.ndarray, offset: float) -> int:
    """Return the sign of ``row . x + offset``, true for the numbers as stored.

    Args:
        row: Weights, shape ``(k,)``.
        x: Inputs, shape ``(k,)``.
        offset: The bias.
    """
    used = np.flatnonzero((row != 0) & (x != 0))
    total = Fraction(float(offset))
    for a, b in zip(row[used].tolist(), x[used].tolist(), strict=True):
        total += Fraction(a) * Fraction(b)
    return (total > 0) - (total < 0)


def exact_rank(matrix: np.ndarray) -> int:
    """Return the rank of a float64 matrix, true for the numbers as stored."""
    if not matrix.size:
        return 0
    mantissa, exponent = _integers(matrix)
    lowest = exponent.min(axis=1, keepdims=True)
    shift = (exponent - lowest).tolist()
    rows = [
        [m << s for m, s in zip(mrow, srow, strict=True)]
        for mrow, srow in zip(mantissa.tolist(), shift, strict=True)
    ]
    return int(flint.fmpz_mat(rows).rank())


def rank_modulo_prime(matrix: np.ndarray) -> int:
    """Return the rank modulo a prime, which never exceeds the rank of the numbers as stored.

    Args:
        matrix: Float64 array of shape ``(k, n)``.
    """
    mantissa, exponent = _integers(matrix)
    # Rows may be scaled by powers of two; what is left is a non-negative power for every entry.
    powers = exponent - exponent.min(axis=1, keepdims=True)
    values, inverse = np.unique(powers, return_inverse=True)
    residues = np.array([pow(2, int(v), _PRIME) for v in values], dtype=object)[inverse].reshape(powers.shape)
    entries = (mantissa.astype(object) * residues % _PRIME).tolist()
    return int(flint.nmod_mat(entries, _PRIME).rank())


def _integers(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write every entry as ``mantissa * 2^exponent`` with integers; zeros take the row's largest exponent."""
    fraction, exponent = np.frexp(matrix)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    exponent = exponent.astype(np.int64) - 53
    largest = np.where(mantissa != 0, exponent, np.iinfo(np.int64).min).max(axis=1, keepdims=True)
    largest = np.where(largest == np.iinfo(np.int64).min, 0, largest)
    return mantissa, np.where(mantissa != 0, exponent, largest)
