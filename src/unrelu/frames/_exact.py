"""Exact arithmetic on float64 numbers: every one of them is a rational with a power of two below."""

from __future__ import annotations

import math
from fractions import Fraction

import flint
import numba
import numpy as np

_PRIME = 2**25 - 39  # products of residues fit into the 53 bits of a float
_SPLIT = 2.0**27 + 1  # Veltkamp's constant: halves of 26 bits


def signs_of_sums(a: np.ndarray, b: np.ndarray, starts: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """Return the signs of sums of products, true for the numbers as stored.

    Args:
        a: First factors, one sum after another.
        b: Second factors.
        starts: Where each sum starts, and where the last one ends, shape ``(k + 1,)``.
        offset: What is added to each sum, shape ``(k,)``.

    Returns:
        -1, 0 or 1 for every sum, int8.
    """
    used = (a != 0) & (b != 0)
    limits = zip(starts[:-1].tolist(), starts[1:].tolist(), offset.tolist(), strict=True)
    if _in_range(a[used]) and _in_range(b[used]):
        a, b = np.where(used, a, 0.0), np.where(used, b, 0.0)
        # Each product is the sum of two floats (Dekker 1971), and fsum rounds their sum once.
        product = a * b
        rest = _rest(a, b, product)
        sums = [math.fsum((*product[s:e], *rest[s:e], t)) for s, e, t in limits]
    else:
        p, q = a.tolist(), b.tolist()
        exact = [
            sum((Fraction(x) * Fraction(y) for x, y in zip(p[s:e], q[s:e], strict=True)), Fraction(t))
            for s, e, t in limits
        ]
        sums = [float((total > 0) - (total < 0)) for total in exact]
    return np.sign(sums).astype(np.int8)


def _in_range(values: np.ndarray) -> bool:
    """Whether products of such numbers and their last digits are neither too large nor too small."""
    size = np.abs(values)
    return not size.size or (size.min() >= 2.0**-470 and size.max() <= 2.0**470)


def _rest(a: np.ndarray, b: np.ndarray, product: np.ndarray) -> np.ndarray:
    """Return ``a b - product`` exactly, for ``product`` the rounded one."""
    high_a = _SPLIT * a - (_SPLIT * a - a)
    high_b = _SPLIT * b - (_SPLIT * b - b)
    low_a, low_b = a - high_a, b - high_b
    return low_a * low_b - (((product - high_a * high_b) - low_a * high_b) - high_a * low_b)


def exact_rank(matrix: np.ndarray) -> int:
    """Return the rank of a float64 matrix, true for the numbers as stored."""
    if not matrix.size:
        return 0
    mantissa, exponent = _integers(matrix)
    rows = [
        [m << s for m, s in zip(mrow, srow, strict=True)]
        for mrow, srow in zip(mantissa.tolist(), exponent.tolist(), strict=True)
    ]
    return int(flint.fmpz_mat(rows).rank())


def exact_bits(matrix: np.ndarray) -> int:
    """Return the total length of the integers that `exact_rank` works with."""
    if not matrix.size:
        return 0
    mantissa, exponent = _integers(matrix)
    return int((np.frexp(mantissa)[1] + exponent).sum())


def rank_modulo_prime(matrix: np.ndarray) -> int:
    """Return the rank modulo a prime, which never exceeds the rank of the numbers as stored.

    Args:
        matrix: Float64 array of shape ``(k, n)``.
    """
    if not matrix.size:
        return 0
    mantissa, exponent = _integers(matrix)
    powers, inverse = np.unique(exponent, return_inverse=True)
    residues = np.array([pow(2, int(v), _PRIME) for v in powers], dtype=np.int64)[inverse]
    entries = (mantissa % _PRIME * residues.reshape(exponent.shape) % _PRIME).astype(np.float64)
    return int(_eliminate(entries if len(entries) <= entries.shape[1] else entries.T.copy(), float(_PRIME)))


@numba.njit(cache=True, nogil=True)
def _subtract(row: np.ndarray, pivot: np.ndarray, factor: float, prime: float) -> None:
    """Subtract a multiple of the pivot row; a function of its own, so that it compiles to vector code."""
    reciprocal = 1.0 / prime
    for j in range(len(row)):
        value = row[j] - factor * pivot[j]
        row[j] = value - prime * np.floor(value * reciprocal)


@numba.njit(cache=True, nogil=True)
def _eliminate(a: np.ndarray, prime: float) -> int:
    """Return the rank of residues held as floats, all in (-2 p, 2 p): below 2^53 nothing is rounded."""
    rank = 0
    for column in range(a.shape[1]):
        pivot = rank
        while pivot < a.shape[0] and a[pivot, column] % prime == 0:
            pivot += 1
        if pivot == a.shape[0]:
            continue
        for j in range(column, a.shape[1]):
            a[rank, j], a[pivot, j] = a[pivot, j], a[rank, j]
        inverse, base, power = 1.0, a[rank, column] % prime, int(prime) - 2
        while power:
            if power & 1:
                inverse = inverse * base % prime
            base = base * base % prime
            power >>= 1
        for i in range(rank + 1, a.shape[0]):
            factor = a[i, column] % prime * inverse % prime
            if factor:
                _subtract(a[i, column:], a[rank, column:], factor, prime)
        rank += 1
        if rank == a.shape[0]:
            break
    return rank


def _integers(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Write a matrix as integers times non-negative powers of two, up to powers of two for rows and columns.

    Returns:
        Mantissas and exponents, int64; the rank of ``mantissa * 2^exponent`` is that of the matrix.
    """
    fraction, exponent = np.frexp(matrix)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    last_bit = np.where(mantissa != 0, mantissa & -mantissa, 1)
    mantissa //= last_bit
    exponent = exponent.astype(np.int64) + np.frexp(last_bit)[1]
    far = np.iinfo(np.int64).max // 4
    for axis in (0, 1):
        lowest = np.where(mantissa != 0, exponent, far).min(axis=axis, keepdims=True)
        exponent -= np.where(lowest == far, 0, lowest)
    return mantissa, np.where(mantissa != 0, exponent, 0)
