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
from itertools import pairwise

import numpy as np

from unrelu.certificates._dominance import Dominance
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

Piece = tuple[bytes, bytes, bytes]  # row and column numbers within a block, values


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
    row, column = _within(of_line)[lines.numbers], _within(dominance.columns)[lines.columns]
    count = int(max(of_line.max(initial=-1), dominance.columns.max(initial=-1))) + 1
    part = of_line[lines.numbers] * count + dominance.columns[lines.columns]
    order = np.argsort(part, kind="stable")
    part, arrays = part[order], [row[order], column[order], lines.values[order]]
    limits = np.flatnonzero(np.diff(part, prepend=-1, append=-1)).tolist() if len(part) else []
    diagonal: Piece | None = None
    others: list[Piece] = []
    for start, end in pairwise(limits):
        g, h = divmod(int(part[start]), count)
        row_bytes, column_bytes, values = (array[start:end].tobytes() for array in arrays)
        piece = row_bytes, column_bytes, values
        if g == h:
            diagonal = piece
        else:
            others.append(piece)
        if end == len(part) or int(part[end]) // count != g:
            if diagonal is not None:
                yield g, diagonal, others
            diagonal, others = None, []


def _within(labels: np.ndarray) -> np.ndarray:
    """Return for each entry how many with the same label stand before it, int64."""
    order = np.argsort(labels, kind="stable")
    first = np.cumsum(np.bincount(labels)) - np.bincount(labels)
    out = np.empty(len(labels), dtype=np.int64)
    out[order] = np.arange(len(labels)) - first[labels[order]]
    return out


def _outweighs(width: int, diagonal: Piece, others: tuple[Piece, ...]) -> bool:
    """Say whether the sum of norms for one block is proved to be less than 1."""
    parts = [_dense(piece, width if k == 0 else 0) for k, piece in enumerate((diagonal, *others))]
    height = max(len(part) for part in parts)
    exponent = int(np.frexp(max(np.abs(part).max() for part in parts))[1])
    parts = [np.ldexp(np.pad(part, ((0, height - len(part)), (0, 0))), -exponent) for part in parts]
    inverse = _approximate_inverse(parts[0])
    if inverse is None:
        return False
    near = inverse @ parts[0] - np.eye(width)
    # A difference is off by half a unit of it.
    products = [(near, product_error(inverse, parts[0]) + 2.0**-52 * frobenius(near))]
    products += [(inverse @ part, product_error(inverse, part)) for part in parts[1:]]
    return any(sum(bound(*one) for one in products) < _LIMIT for bound in (frobenius_bound, norm_bound))


def _approximate_inverse(matrix: np.ndarray) -> np.ndarray | None:
    """Return a left inverse in floating point, or something that is none; ``None`` where that is no use."""
    try:
        square = matrix.shape[0] == matrix.shape[1]
        inverse = np.linalg.inv(matrix) if square else np.linalg.pinv(matrix)
    except np.linalg.LinAlgError:
        return None
    return inverse if np.abs(inverse).max() < _LARGEST else None


def _dense(piece: Piece, width: int) -> np.ndarray:
    """Return a part with its zeros; columns of zeros at the end count only where a width is given."""
    row, column = (np.frombuffer(numbers, dtype=np.int64) for numbers in piece[:2])
    out = np.zeros((int(row.max()) + 1, max(width, int(column.max()) + 1)))
    out[row, column] = np.frombuffer(piece[2], dtype=np.float64)
    return out
