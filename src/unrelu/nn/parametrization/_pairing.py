"""Which rows of a weight are opposite, and which are to become so (Puthawala et al. 2022, Corollary 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize

from unrelu.errors import ArgumentError
from unrelu.nn.parametrization._opposites import Opposites, opposite_rows


@dataclass(frozen=True, eq=False)
class Pairing:
    """Pairs of rows ``p u`` and ``-q u`` with whole numbers ``0 < p <= q`` without common factor.

    Where ``q / p`` is a power of two ``p`` is 1, and the second row ``-q`` times the first, to the bit
    whatever the first one is.

    Attributes:
        source: For each row the one that it follows, its own number if none. Shape ``(m,)``, int64.
        factor: ``-q`` for rows that follow another one, ``p`` for those that are followed, else 1. Shape
            ``(m,)``, float64.
        basis: Rows that are followed and span R^n, ascending. Shape ``(n,)``, int64.
        replaced: Number of rows that were not opposite to the one that they follow.
    """

    source: np.ndarray
    factor: np.ndarray
    basis: np.ndarray
    replaced: int


def pairing(
    weight: np.ndarray,
    precision: float,
    part: np.ndarray | None = None,
    *,
    largest: float = float(np.finfo(np.float64).max),
) -> Pairing:
    """Return pairs of rows that span R^n, changing as few rows as it takes.

    Pairs that are there are used, in rational arithmetic: first those whose ratio is a power of two, then
    what others are needed. Where they do not span R^n, further rows are kept, chosen by a pivoted QR
    factorisation so that they are far from dependent, and as many of the rest become their opposites: those
    that change least, in the sum of squares.

    Args:
        weight: Finite numbers, shape ``(m, k)``.
        precision: Rounding unit of the weights. Rows without opposite ones count as dependent where a
            distance to the span of others is below ``max(m, n)`` times that, relative to their norms.
        part: What of the rows has to span R^n, shape ``(m, n)``; the rows themselves by default. Rows of
            which it is a large part come first.
        largest: Of the numbers that weights may be. Rows that differ more in length are no pair.

    Raises:
        ArgumentError: If ``m < 2 n``, or fewer than ``n`` rows are independent.

    Example:
        >>> import numpy as np
        >>> from unrelu.nn.parametrization import pairing
        >>> found = pairing(np.array([[1.0, 0.0], [0.0, 3.0], [-2.0, 0.0], [0.5, -1.0]]), 1e-16)
        >>> found.source, found.factor, found.replaced
        (array([0, 1, 0, 1]), array([ 1.,  1., -2., -1.]), 1)
    """
    shares = _shares(weight, weight if part is None else part)
    m, n = shares.shape
    if m < 2 * n:
        raise ArgumentError(f"weight: expected at least 2 n = {2 * n} rows for n = {n}, got {m}")
    opposites = opposite_rows(weight, largest)
    spanning = _spanning(opposites, shares)
    if len(spanning) == n:
        used = opposites.are_plain if opposites.are_plain[spanning].all() else spanning
        return _paired(m, opposites.at(used), np.sort(opposites.rows[spanning, 0]))
    opposites = opposites.at(np.sort(spanning))
    pairs = opposites.rows
    rest = np.setdiff1d(np.arange(m), pairs)
    found = _independent(_apart(shares[rest], _orthonormal(shares[pairs[:, 0]])), precision)
    missing = n - len(pairs)
    if len(found) < missing:
        raise ArgumentError(f"weight: expected rank n = {n}, got {len(pairs) + len(found)} independent rows")
    kept = rest[np.sort(found[:missing])]
    others = np.setdiff1d(rest, kept)
    new = np.stack([kept, others[_nearest_opposites(weight, kept, others)]], axis=1)
    return _paired(m, opposites, np.sort(np.concatenate([pairs[:, 0], kept])), new)


def _spanning(opposites: Opposites, shares: np.ndarray) -> np.ndarray:
    """Return pairs whose rows span what all of them do, of those with a power of two as many as there are."""
    chosen = np.zeros(0, dtype=np.int64)
    basis = np.zeros((shares.shape[1], 0))
    first = shares[opposites.rows[:, 0]]
    for kind in (opposites.are_plain, ~opposites.are_plain):
        candidates = np.flatnonzero(kind)
        found = _independent(_apart(first[candidates], basis), np.finfo(np.float64).eps)
        chosen = np.concatenate([chosen, candidates[found]])[: shares.shape[1]]
        basis = _orthonormal(first[chosen])
    return chosen


def _orthonormal(rows: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis of what independent rows span, as columns."""
    return np.asarray(scipy.linalg.qr(rows.T, mode="economic")[0])


def _apart(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return what is orthogonal to an orthonormal basis; twice is enough (Kahan)."""
    for _ in range(2):
        rows = rows - (rows @ basis) @ basis.T
    return rows


def _shares(weight: np.ndarray, part: np.ndarray) -> np.ndarray:
    """Return parts of rows divided by the rows' norms, without overflow on the way."""
    largest = np.abs(weight).max(axis=1, keepdims=True)
    size = np.where(largest > 0, largest, 1)
    norms = np.linalg.norm(weight / size, axis=1, keepdims=True)
    return part / size / np.where(norms > 0, norms, 1)


def _independent(rows: np.ndarray, precision: float) -> np.ndarray:
    """Return rows that are numerically independent, the best first."""
    if not len(rows):
        return np.zeros(0, dtype=np.int64)
    triangle, order = scipy.linalg.qr(rows.T, mode="r", pivoting=True)
    distance = np.abs(np.diagonal(triangle))
    count = int((distance > max(rows.shape) * precision).sum())
    return np.asarray(order[:count], dtype=np.int64)


def _nearest_opposites(weight: np.ndarray, kept: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return for each kept row another one to become its opposite, with the least sum of squared changes."""
    scaled = weight / np.abs(weight).max()
    one, other = scaled[kept], scaled[others]
    changes = (one**2).sum(axis=1)[:, None] + 2 * one @ other.T + (other**2).sum(axis=1)
    return np.asarray(scipy.optimize.linear_sum_assignment(changes)[1])


def _paired(m: int, opposites: Opposites, basis: np.ndarray, new: np.ndarray | None = None) -> Pairing:
    """Write pairs down that are there, and new ones."""
    source, factor = np.arange(m), np.ones(m)
    source[opposites.rows[:, 1]] = opposites.rows[:, 0]
    factor[opposites.rows] = opposites.multiples * [1, -1]
    if new is None:
        return Pairing(source, factor, basis, 0)
    source[new[:, 1]], factor[new[:, 1]] = new[:, 0], -1.0
    return Pairing(source, factor, basis, len(new))
