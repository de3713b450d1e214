"""Which rows of a weight are opposite, and which are to become so (Puthawala et al. 2022, Corollary 1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.optimize

from unrelu.errors import ArgumentError
from unrelu.frames import DenseFrame


@dataclass(frozen=True, eq=False)
class Pairing:
    """Pairs of rows ``w_i`` and ``-d w_i``, with a power of two ``d >= 1``: so the product is exact.

    Attributes:
        source: For each row the one that it follows, its own number if none. Shape ``(m,)``, int64.
        factor: ``-d`` for rows that follow another one, else 1. Shape ``(m,)``, float64.
        basis: Rows that are followed and span R^n, ascending. Shape ``(n,)``, int64.
        replaced: Number of rows that were not opposite to the one that they follow.
    """

    source: np.ndarray
    factor: np.ndarray
    basis: np.ndarray
    replaced: int


def pairing(weight: np.ndarray, precision: float, part: np.ndarray | None = None) -> Pairing:
    """Return pairs of rows that span R^n, changing as few rows as it takes.

    Pairs that are there are used; where they span R^n they are all that is needed. Where they do not, further
    rows are kept, chosen by a pivoted QR factorisation so that they are far from dependent, and as many of
    the rest become their opposites: those that change least, in the sum of squares.

    Args:
        weight: Finite numbers, shape ``(m, k)``.
        precision: Rounding unit of the weights. Rows without opposite ones count as dependent where a
            distance to the span of others is below ``max(m, n)`` times that, relative to their norms.
        part: What of the rows has to span R^n, shape ``(m, n)``; the rows themselves by default. Rows of
            which it is a large part come first.

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
    pairs = opposite_rows(weight)
    spanning = pairs[_independent(shares[pairs[:, 0]], np.finfo(np.float64).eps)]
    if len(spanning) == n:
        return _paired(weight, pairs, np.sort(spanning[:, 0]))
    pairs = spanning[np.argsort(spanning[:, 0])]
    rest = np.setdiff1d(np.arange(m), pairs)
    basis = scipy.linalg.qr(shares[pairs[:, 0]].T, mode="economic")[0]
    found = _independent(shares[rest] - (shares[rest] @ basis) @ basis.T, precision)
    missing = n - len(pairs)
    if len(found) < missing:
        raise ArgumentError(f"weight: expected rank n = {n}, got {len(pairs) + len(found)} independent rows")
    kept = rest[np.sort(found[:missing])]
    others = np.setdiff1d(rest, kept)
    new = np.stack([kept, others[_nearest_opposites(weight, kept, others)]], axis=1)
    return _paired(weight, pairs, np.sort(np.concatenate([pairs[:, 0], kept])), new)


def opposite_rows(weight: np.ndarray) -> np.ndarray:
    """Return disjoint pairs of rows ``w_i``, ``-d w_i`` with ``d`` a power of two, ``i`` being the shorter.

    Args:
        weight: Shape ``(m, k)``.

    Returns:
        Row numbers, shape ``(pairs, 2)``, int64.
    """
    lines = DenseFrame(weight).directions
    first = np.take_along_axis(weight, (weight != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    mantissa, exponent = np.frexp(np.abs(first))
    alike: dict[tuple[int, float], dict[int, list[int]]] = {}
    for row in np.flatnonzero(lines.line >= 0).tolist():
        sides = alike.setdefault((int(lines.line[row]), float(mantissa[row])), {1: [], -1: []})
        sides[int(lines.sign[row])].append(row)
    pairs = [
        sorted(pair, key=lambda row: (exponent[row], row))
        for sides in alike.values()
        for pair in zip(sides[1], sides[-1], strict=False)
    ]
    return np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)


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


def _paired(
    weight: np.ndarray, pairs: np.ndarray, basis: np.ndarray, new: np.ndarray | None = None
) -> Pairing:
    """Write pairs down that are there, and new ones."""
    source, factor = np.arange(len(weight)), np.ones(len(weight))
    size = np.abs(weight).max(axis=1)
    source[pairs[:, 1]], factor[pairs[:, 1]] = pairs[:, 0], -size[pairs[:, 1]] / size[pairs[:, 0]]
    if new is None:
        return Pairing(source, factor, basis, 0)
    source[new[:, 1]], factor[new[:, 1]] = new[:, 0], -1.0
    return Pairing(source, factor, basis, len(new))
