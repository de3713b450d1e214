"""Rows of rational numbers: affine functions ``a · u + b``, stored as ``(a, b)``, at points ``(u, 1)``."""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np

Row = list[flint.fmpq]


def dot(row: Row, point: Row) -> flint.fmpq:
    """Return the value of an affine function at a point."""
    return sum((a * v for a, v in zip(row, point, strict=True)), flint.fmpq(0))


def negated(row: Row) -> Row:
    """Return ``-row``."""
    return [-v for v in row]


def exact(value: float | Fraction) -> flint.fmpq:
    """Return a stored number."""
    return flint.fmpq(*value.as_integer_ratio())


def fraction(value: flint.fmpq) -> Fraction:
    """Return a number as Python's own rational."""
    return Fraction(int(value.p), int(value.q))


def near_one(row: Row) -> Row:
    """Return a row with its largest coefficient brought near 1 by a power of two."""
    largest = max(map(abs, row[:-1]), default=flint.fmpq(0))
    if largest == 0:
        return row
    shift = int(largest.q).bit_length() - int(largest.p).bit_length()
    scale = flint.fmpq(1 << max(shift, 0), 1 << max(-shift, 0))
    return [v * scale for v in row]


def table(rows: list[Row], width: int) -> np.ndarray:
    """Return rows as an array of Fractions, shape ``(p, width)``."""
    out = np.empty((len(rows), width), dtype=object)
    for i, row in enumerate(rows):
        out[i] = [fraction(v) for v in row]
    return out


def matrix(rows: list[Row], width: int) -> flint.fmpq_mat:
    """Return rows as a matrix of shape ``(p, width)``."""
    return flint.fmpq_mat(len(rows), width, [v for row in rows for v in row])


def independent(rows: list[Row], width: int) -> list[int]:
    """Return the numbers of the first rows that span the coefficients ``a`` of all, in the given order."""
    if not rows or not width:
        return []
    reduced, rank = matrix([row[:-1] for row in rows], width).transpose().rref()
    return [next(j for j, v in enumerate(row) if v != 0) for row in reduced.tolist()[:rank]]


def combination(target: Row, rows: list[Row]) -> Row | None:
    """Return the weights with which rows combine to the target, entry by entry; ``None`` if they do not."""
    count = len(rows)
    columns = matrix([*rows, target], len(target)).transpose()
    reduced, rank = columns.rref()
    weights = [flint.fmpq(0)] * count
    for row in reduced.tolist()[:rank]:
        pivot = next(j for j, v in enumerate(row) if v != 0)
        if pivot == count:
            return None
        weights[pivot] = row[count]
    return weights


def unit_row(row: Row) -> np.ndarray:
    """Return a row in float64, divided by its largest entry."""
    largest = max(map(abs, row), default=flint.fmpq(0))
    return np.array([float(v / largest) if largest else 0.0 for v in row])
