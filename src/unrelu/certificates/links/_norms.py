"""Upper bounds of norms of sparse matrices by blocks (Schur), rounding errors included."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from unrelu.certificates._pieces import Piece, dense_piece, pieces
from unrelu.certificates._rows import Rows
from unrelu.certificates._verification import NotProvedError, require
from unrelu.certificates.injective._dominance_proof import approximate_inverse
from unrelu.certificates.injective._norms import frobenius, norm_bound, product_error

_LARGEST = 1e80  # entry of a matrix whose norm can be bounded
_ABOVE = 1 + 1e-9  # of a sum over what floating point makes of it, for fewer than a million terms
_MOST_ENTRIES = 1 << 24  # of a block: the norm of a larger one is not bounded


@dataclass(frozen=True, eq=False)
class Left:
    """A diagonal block of ``R``: roughly the inverse of a block of ``A_0``.

    Attributes:
        key: The block that it belongs to.
        width: Number of its columns, those without an entry counted.
        inverse: The inverse of this block times ``2 ** -exponent``, shape ``(n_g, m_g)``; ``None`` for 1.
        exponent: What the block was divided by, as a power of two.
    """

    key: Piece
    width: int
    inverse: np.ndarray | None = None
    exponent: int = 0


class Norms:
    """Bounds of norms of one link; those of equal blocks are computed once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Piece | int, ...], float] = {}

    def bound(
        self, rows: Rows, of_row: np.ndarray, of_column: np.ndarray, left: dict[int, Left] | None = None
    ) -> float:
        """Return an upper bound of the norm of ``A``, or of ``R A``.

        Args:
            rows: ``A``.
            of_row: For each row its block.
            of_column: For each column its block.
            left: The blocks of ``R``, 0 where there is none. ``None``: ``R`` is 1.

        Raises:
            NotProvedError: If a block is too large.
        """

        def norm(g: int, h: int, piece: Piece) -> float:
            if left is None:
                return self._once((piece,), lambda: _norm(dense_piece(piece)))
            if g not in left:
                return 0.0
            return self._product(left[g], piece)

        return _schur(rows, of_row, of_column, norm)

    def remainder(
        self, rows: Rows, of_row: np.ndarray, of_column: np.ndarray, left: dict[int, Left]
    ) -> float:
        """Return an upper bound of the norm of ``I - R A_0``.

        Args:
            rows: ``A_0``.
            of_row: For each row its block.
            of_column: For each column its block.
            left: The blocks of ``R``, one for each block of columns.

        Raises:
            NotProvedError: If a block is too large.
        """

        def norm(g: int, h: int, piece: Piece) -> float:
            if g not in left:
                return 0.0
            if g == h:
                return self._once((left[g].width, piece), lambda: _norm_of_rest(left[g], piece))
            return self._product(left[g], piece)

        return _schur(rows, of_row, of_column, norm)

    def _product(self, left: Left, piece: Piece) -> float:
        key = left.width, left.key, piece
        return self._once(key, lambda: _norm(*_product(left, piece, 0)))

    def _once(self, key: tuple[Piece | int, ...], compute: Callable[[], float]) -> float:
        if key not in self._known:
            self._known[key] = compute()
        return self._known[key]


def inverses(rows: Rows, of_row: np.ndarray, of_column: np.ndarray) -> dict[int, Left]:
    """Return rough inverses of the diagonal blocks of a matrix.

    Raises:
        NotProvedError: If a block of columns has none.
    """
    widths = np.bincount(of_column).tolist()
    known: dict[tuple[int, Piece], Left] = {}
    found = {}
    for g, h, piece in pieces(rows, of_row, of_column):
        if g == h:
            if (widths[g], piece) not in known:
                known[widths[g], piece] = _inverse(piece, widths[g])
            found[g] = known[widths[g], piece]
    missing = [g for g, width in enumerate(widths) if width and g not in found]
    if missing:
        raise NotProvedError(f"blocks: no row of block {missing[0]} uses its columns")
    return found


def _schur(
    rows: Rows, of_row: np.ndarray, of_column: np.ndarray, norm: Callable[[int, int, Piece], float]
) -> float:
    """Return the root of the largest sum of norms in a block row times that in a block column."""
    by_row, by_column = (np.zeros(int(labels.max(initial=0)) + 1) for labels in (of_row, of_column))
    for g, h, piece in pieces(rows, of_row, of_column):
        value = norm(g, h, piece)
        by_row[g] += value
        by_column[h] += value
    return math.sqrt(by_row.max()) * math.sqrt(by_column.max()) * _ABOVE


def _inverse(piece: Piece, width: int) -> Left:
    matrix = _checked(dense_piece(piece, width))
    if matrix.shape == (width, width) and (matrix == np.eye(width)).all():
        return Left(piece, width)
    exponent = int(np.frexp(np.abs(matrix).max())[1])
    inverse = approximate_inverse(np.ldexp(matrix, -exponent))
    if inverse is None:
        raise NotProvedError("blocks: a diagonal block has no inverse")
    return Left(piece, width, inverse, exponent)


def _norm(matrix: np.ndarray, error: float = 0.0) -> float:
    return norm_bound(_checked(matrix), error) if np.abs(matrix).max() < _LARGEST else math.inf


def _product(left: Left, piece: Piece, width: int) -> tuple[np.ndarray, float]:
    """Return ``R_g A_gh`` in floating point, with a bound of its error."""
    matrix = _checked(dense_piece(piece, width))
    if left.inverse is None:
        return matrix, 0.0
    with np.errstate(over="ignore"):
        scaled = np.ldexp(matrix, -left.exponent)
    count = min(len(scaled), left.inverse.shape[1])
    inverse, scaled = left.inverse[:, :count], scaled[:count]
    if not np.abs(scaled).max() < _LARGEST:
        return scaled, math.inf
    return inverse @ scaled, product_error(inverse, scaled)


def _norm_of_rest(left: Left, piece: Piece) -> float:
    if left.inverse is None:
        return 0.0
    product, error = _product(left, piece, left.width)
    near = product - np.eye(left.width)
    # A difference is off by half a unit of it.
    return _norm(near, error + 2.0**-52 * frobenius(near))


def _checked(matrix: np.ndarray) -> np.ndarray:
    require(matrix.size <= _MOST_ENTRIES, f"a block of {matrix.size} entries is too large")
    return matrix
