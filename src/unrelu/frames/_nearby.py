"""Many subsets of rows near one: a factor of that one, corrected where each differs (Woodbury).

With ``Rᵀ R`` a certified factor of the rows ``T`` and ``Y = R⁻ᵀ Wᵀ``, the frame operator of a subset ``S`` is
``Rᵀ (I - Y_D Y_Dᵀ + Y_A Y_Aᵀ) R`` for the removed rows ``D`` and the added rows ``A``. It is positive
definite if ``I - Y_Dᵀ Y_D`` is, a matrix as small as the difference; the Cholesky factor of that one is the
proof.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numba
import numpy as np

from unrelu.frames._factor import certified_cholesky
from unrelu.frames._lapack import columns_product, half_solve, potrf, rows_product, triangular_inverse
from unrelu.frames._scaling import SMALLEST, UNIT

if TYPE_CHECKING:
    from unrelu.frames._dense import DenseFrame


_LARGEST = 1e6  # size of a half: rows of very different sizes do not fit into single precision


@dataclass(frozen=True)
class Correction:
    """What takes the shared factor to that of one subset, in single precision: the proof is done.

    Attributes:
        rows: Rows ``D`` of the shared set that the subset lacks, then rows ``A`` that it has besides.
        without: Cholesky factor of ``I - Y_Dᵀ Y_D``.
        between: Its solution with ``Y_Dᵀ Y_A``, a row for each added row.
        onto: Cholesky factor of ``I + Y_Aᵀ Y_A + between betweenᵀ``.
    """

    rows: np.ndarray
    without: np.ndarray
    between: np.ndarray
    onto: np.ndarray


Packed: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]


def pack(corrections: list[Correction]) -> Packed:
    """Put corrections one behind the other, so that a single call solves with all of them.

    Returns:
        Rows; matrices; and for each correction the numbers of removed and added rows.
    """
    rows = np.concatenate([one.rows for one in corrections])
    parts = [part for one in corrections for part in (one.without, one.between, one.onto)]
    sizes = np.array([(len(one.without), len(one.onto)) for one in corrections], dtype=np.int64)
    return rows, np.concatenate([part.reshape(-1) for part in parts]), sizes


class Neighbourhood:
    """The subsets near one set of rows.

    Attributes:
        shared: That set, boolean, shape ``(m,)``.
    """

    def __init__(
        self, shared: np.ndarray, inverse: np.ndarray, scale: np.ndarray, halves: np.ndarray, error: float
    ) -> None:
        """Keep ``R⁻¹`` for the certified ``R``, the columns' scale, ``Yᵀ`` and its rows' relative error."""
        self.shared = shared
        self._scale, self._error, self._terms = scale, error, len(inverse)
        self._products = rows_product(halves)
        self._squares = self._products.diagonal().copy()
        self._inverse, self._halves = _single(inverse), _single(halves)

    def correction(self, mask: np.ndarray) -> Correction | None:
        """Factor what a subset changes.

        Args:
            mask: The subset, boolean, shape ``(m,)``.

        Returns:
            The correction, which proves that the subset spans all columns that are used; ``None`` where
            nothing is proved.
        """
        removed, added = np.flatnonzero(self.shared & ~mask), np.flatnonzero(mask & ~self.shared)
        proof = _removed(self._products, removed, self._shift(removed))
        if len(removed) and potrf(proof) != 0:
            return None
        without = _single(proof)
        between = half_solve(without, _crossing(self._products, added, removed))
        onto = rows_product(between)
        _add_identity_and(onto, self._products, added)
        if len(added) and potrf(onto) != 0:
            return None
        return Correction(np.concatenate([removed, added]), without, between, onto)

    def _shift(self, removed: np.ndarray) -> float:
        """Bound all rounding in ``I - Y_Dᵀ Y_D`` and its factorisation (Higham 2002, 3.5, Theorem 10.3).

        With ``|Y_D|²`` at most the trace: rounded products, products of rounded halves, the subtraction, and
        the factorisation of a matrix of trace at most ``d``.
        """
        d, trace = len(removed), float(self._squares[removed].sum())
        products = (self._terms + 8) * UNIT + 3 * self._error
        return 1.1 * (products * trace + (d + 8) * UNIT * (d + trace)) + 1e9 * SMALLEST

    def solve(self, packed: Packed, v: np.ndarray) -> np.ndarray:
        """Solve with the frame operators of some subsets, in single precision.

        Args:
            packed: The subsets' corrections.
            v: A right-hand side for each, shape ``(subsets, n)``.
        """
        scaled = self._scale * v
        size = np.abs(scaled).max(axis=1, keepdims=True, initial=0)
        size[size == 0] = 1.0
        half = (scaled / size).astype(np.float32) @ self._inverse
        products = half @ self._halves.T
        weights = np.zeros_like(products)
        _weigh_all(*packed, products, weights)
        half -= weights @ self._halves
        return self._scale * size * (half @ self._inverse.T)


def _single(matrix: np.ndarray) -> np.ndarray:
    """Return a copy in single precision; below the diagonal may stand anything."""
    with np.errstate(over="ignore", invalid="ignore"):
        return matrix.astype(np.float32)


def neighbourhood(frame: DenseFrame, shared: np.ndarray) -> Neighbourhood | None:
    """Factor the frame operator of a set of rows, for subsets near it.

    Args:
        frame: The rows.
        shared: The set, boolean, shape ``(m,)``.

    Returns:
        The neighbourhood, ``None`` where the set is not proved to span well enough.
    """
    index = np.flatnonzero(shared)
    factor = columns_product(frame.rows(index))
    factor[frame.zero_columns, frame.zero_columns] = factor.diagonal().max(initial=1.0)
    scale = certified_cholesky(factor, len(index))
    if scale is None:
        return None
    inverse = np.triu(triangular_inverse(factor))
    error = _half_error(factor, inverse)
    if not error < 1e-3:  # NaN too
        return None
    halves = half_solve(factor, frame.matrix * scale)
    if not np.abs(halves).max(initial=0) < _LARGEST:
        return None
    return Neighbourhood(shared, inverse, scale, halves, error)


def _half_error(factor: np.ndarray, inverse: np.ndarray) -> float:
    """Bound ``|y - R⁻ᵀ w| / |y|`` for a solution by substitution (Higham 2002, Theorem 8.5).

    It is at most ``gamma |R⁻¹| |R|``; the inverse is bounded by the computed one and its residual.
    """
    gamma = 1.1 * (len(factor) + 8) * UNIT
    sizes = float(np.linalg.norm(inverse)) * float(np.linalg.norm(np.triu(factor)))
    return 1.1 * gamma * sizes / (1 - gamma * sizes) if gamma * sizes < 0.5 else np.inf


@numba.njit(cache=True, nogil=True)
def _removed(products: np.ndarray, rows: np.ndarray, shift: float) -> np.ndarray:
    """Return ``(1 - shift) I`` minus the products of some rows, ascending; the upper triangle."""
    out = np.empty((len(rows), len(rows)))
    for i in range(len(rows)):
        line = products[rows[i]]
        for j in range(i, len(rows)):
            out[i, j] = -line[rows[j]]
        out[i, i] = (1.0 + out[i, i]) - shift
    return out


@numba.njit(cache=True, nogil=True)
def _crossing(products: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the products of some rows with some others, from an upper triangle, in single precision."""
    out = np.empty((len(rows), len(columns)), dtype=np.float32)
    for i in range(len(rows)):
        for j in range(len(columns)):
            a, b = rows[i], columns[j]
            out[i, j] = products[a, b] if a < b else products[b, a]
    return out


@numba.njit(cache=True, nogil=True)
def _add_identity_and(matrix: np.ndarray, products: np.ndarray, rows: np.ndarray) -> None:
    """Add ``I`` and the products of some rows, ascending, to an upper triangle."""
    for i in range(len(rows)):
        line = products[rows[i]]
        for j in range(i, len(rows)):
            matrix[i, j] += line[rows[j]]
        matrix[i, i] += 1.0


@numba.njit(cache=True, nogil=True, fastmath=True)
def _weigh(
    rows: np.ndarray,
    without: np.ndarray,
    between: np.ndarray,
    onto: np.ndarray,
    products: np.ndarray,
    out: np.ndarray,
) -> None:
    """Solve ``[Y_Dᵀ Y_D - I, Y_Dᵀ Y_A; Y_Aᵀ Y_D, I + Y_Aᵀ Y_A] s = products[rows]`` into ``out[rows]``."""
    d, a = len(without), len(onto)
    first, second = products[rows[:d]], products[rows[d:]]
    _forwards(without, first)
    for i in range(a):
        total = second[i]
        for j in range(d):
            total += between[i, j] * first[j]
        second[i] = total
    _forwards(onto, second)
    _backwards(onto, second)
    for j in range(d):
        first[j] = -first[j]
    for i in range(a):
        known = second[i]
        for j in range(d):
            first[j] += between[i, j] * known
    _backwards(without, first)
    out[rows[:d]] = first
    out[rows[d:]] = second


@numba.njit(cache=True, nogil=True, fastmath=True)
def _forwards(factor: np.ndarray, v: np.ndarray) -> None:
    """Solve ``Rᵀ u = v`` in place."""
    for i in range(len(v)):
        known = v[i] / factor[i, i]
        v[i] = known
        for j in range(i + 1, len(v)):
            v[j] -= factor[i, j] * known


@numba.njit(cache=True, nogil=True, fastmath=True)
def _backwards(factor: np.ndarray, v: np.ndarray) -> None:
    """Solve ``R u = v`` in place."""
    for i in range(len(v) - 1, -1, -1):
        total = v[i]
        for j in range(i + 1, len(v)):
            total -= factor[i, j] * v[j]
        v[i] = total / factor[i, i]


@numba.njit(cache=True, nogil=True)
def _weigh_all(
    rows: np.ndarray, matrices: np.ndarray, sizes: np.ndarray, products: np.ndarray, out: np.ndarray
) -> None:
    """Do `_weigh` for packed corrections, one a row of ``products`` and ``out``."""
    row, entry = 0, 0
    for k in range(len(sizes)):
        d, a = sizes[k]
        ends = entry + d * d, entry + d * d + a * d, entry + d * d + a * d + a * a
        _weigh(
            rows[row : row + d + a],
            matrices[entry : ends[0]].reshape((d, d)),
            matrices[ends[0] : ends[1]].reshape((a, d)),
            matrices[ends[1] : ends[2]].reshape((a, a)),
            products[k],
            out[k],
        )
        row, entry = row + d + a, ends[2]
