"""Verification that lines are block diagonally dominant (Feingold and Varga 1962, Theorem 1).

Of columns in blocks ``g``, each with some rows ``A_g = (A_gh)_h``, let ``R_g`` be any matrices with

    ||I - R_g A_gg|| + sum over h other than g of ||R_g A_gh|| < 1        (spectral norms).

A vector ``x`` with ``A x = 0`` has ``x_g = (I - R_g A_gg) x_g - sum R_g A_gh x_h``, so that no part ``x_g``
that is as long as any other can be other than 0: the rows span all columns. What ``R_g`` are does not matter,
floating point finds them; what they show is checked with bounds of all rounding errors. Numbers that stand in
many places, as those of a convolution do, are checked once.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

import numpy as np

from unrelu.certificates._dominance import Dominance
from unrelu.certificates._pieces import Piece, dense_piece, pieces
from unrelu.certificates._rows import Rows
from unrelu.certificates._verification import NotProvedError, require
from unrelu.certificates.injective._norms import (
    frobenius,
    frobenius_bound,
    norm_bound,
    product_error,
)

_LARGEST = 1e80  # entry of an approximate inverse that may be of use
_LIMIT = 1 - 1e-9


def check_dominance(lines: Rows, dominance: Dominance) -> None:
    """Check that lines span all columns.

    Args:
        lines: The rows, restricted to the columns that are to be spanned.
        dominance: Their blocks.

    Raises:
        NotProvedError: Naming the first block whose diagonal part is not proved to outweigh the others.
    """
    of_line, of_column = dominance.lines, dominance.columns
    fits = (len(of_line), len(of_column)) == (lines.m, lines.n)
    require(fits, "dominance: it speaks of another number of lines or columns")
    within = (of_line < lines.n).all() and ((of_column >= 0) & (of_column < lines.n)).all()
    require(bool(within), "dominance: a number of a block is out of range")
    widths = np.bincount(of_column)
    known: set[tuple[int, Piece, tuple[Piece, ...]]] = set()
    last = -1
    for block, diagonal, others in _block_rows(lines.take(np.flatnonzero(of_line >= 0)), dominance):
        require(last + 1 == block, f"dominance: no row of block {last + 1} uses its columns")
        last = block
        key = (int(widths[block]), diagonal, tuple(sorted(others)))
        if key not in known:
            require(_outweighs(*key), f"dominance: block {block} is not proved to outweigh the others")
            known.add(key)
    require(last + 1 == len(widths), f"dominance: no row of block {last + 1} uses its columns")


def is_dominant(lines: Rows, dominance: Dominance) -> bool:
    """Say whether `check_dominance` finds that lines span all columns."""
    try:
        check_dominance(lines, dominance)
    except NotProvedError:
        return False
    return True


def _block_rows(lines: Rows, dominance: Dominance) -> Iterator[tuple[int, Piece, list[Piece]]]:
    """Yield the blocks that have a diagonal part, ascending, with this and the other parts of their rows."""
    of_line = dominance.lines[dominance.lines >= 0]
    for block, row in groupby(pieces(lines, of_line, dominance.columns), key=itemgetter(0)):
        parts = {h: piece for _, h, piece in row}
        if block in parts:
            yield block, parts.pop(block), list(parts.values())


def _outweighs(width: int, diagonal: Piece, others: tuple[Piece, ...]) -> bool:
    """Say whether the sum of norms for one block is proved to be less than 1."""
    parts = [dense_piece(piece, width if k == 0 else 0) for k, piece in enumerate((diagonal, *others))]
    height = max(len(part) for part in parts)
    exponent = int(np.frexp(max(np.abs(part).max() for part in parts))[1])
    parts = [np.ldexp(np.pad(part, ((0, height - len(part)), (0, 0))), -exponent) for part in parts]
    inverse = approximate_inverse(parts[0])
    if inverse is None:
        return False
    near = inverse @ parts[0] - np.eye(width)
    # A difference is off by half a unit of it.
    products = [(near, product_error(inverse, parts[0]) + 2.0**-52 * frobenius(near))]
    products += [(inverse @ part, product_error(inverse, part)) for part in parts[1:]]
    return any(sum(bound(*one) for one in products) < _LIMIT for bound in (frobenius_bound, norm_bound))


def approximate_inverse(matrix: np.ndarray) -> np.ndarray | None:
    """Return a left inverse in floating point, or something that is none; ``None`` where that is no use."""
    try:
        square = matrix.shape[0] == matrix.shape[1]
        inverse = np.linalg.inv(matrix) if square else np.linalg.pinv(matrix)
    except np.linalg.LinAlgError:
        return None
    return inverse if np.abs(inverse).max() < _LARGEST else None
