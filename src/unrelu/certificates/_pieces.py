"""A sparse matrix in blocks of rows and columns, of which equal ones are recognised."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from unrelu.certificates._rows import Rows

Piece: TypeAlias = tuple[bytes, bytes, bytes]  # row and column numbers within a block, values


def pieces(rows: Rows, of_row: np.ndarray, of_column: np.ndarray) -> Iterator[tuple[int, int, Piece]]:
    """Yield block row, block column and the entries there, ascending, blocks without an entry left out.

    Args:
        rows: The matrix.
        of_row: For each row its block, int64, at least 0.
        of_column: For each column its block, likewise.
    """
    if not len(rows.values):
        return
    row, column = numbers_within(of_row)[rows.numbers], numbers_within(of_column)[rows.columns]
    count = int(of_column.max()) + 1
    part = of_row[rows.numbers] * count + of_column[rows.columns]
    order = np.argsort(part, kind="stable")
    part, arrays = part[order], [row[order], column[order], rows.values[order]]
    for start, end in pairwise(np.flatnonzero(np.diff(part, prepend=-1, append=-1)).tolist()):
        numbers, places, values = (array[start:end].tobytes() for array in arrays)
        g, h = divmod(int(part[start]), count)
        yield g, h, (numbers, places, values)


def dense_piece(piece: Piece, width: int = 0) -> np.ndarray:
    """Return a part with its zeros; columns of zeros at the end count only where a width is given."""
    row, column = (np.frombuffer(numbers, dtype=np.int64) for numbers in piece[:2])
    out = np.zeros((int(row.max()) + 1, max(width, int(column.max()) + 1)))
    out[row, column] = np.frombuffer(piece[2], dtype=np.float64)
    return out


def numbers_within(labels: np.ndarray) -> np.ndarray:
    """Return for each entry how many with the same label stand before it, int64."""
    order = np.argsort(labels, kind="stable")
    first = np.cumsum(np.bincount(labels)) - np.bincount(labels)
    out = np.empty(len(labels), dtype=np.int64)
    out[order] = np.arange(len(labels)) - first[labels[order]]
    return out
