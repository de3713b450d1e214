"""Sparse rows of float64 numbers, and the same rows as integers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from operator import mul

import numpy as np

_WIDTH = 62  # bits of an int64 without its sign, and one to spare


@dataclass(frozen=True, eq=False)
class Rows:
    """A sparse matrix of ``n`` columns.

    Attributes:
        n: Number of columns.
        starts: Where each row starts, shape ``(m + 1,)``.
        columns: Column of each entry, ascending in each row.
        values: The entries, float64, none of them 0.
    """

    n: int
    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray) -> Rows:
        """Return the rows of a dense matrix."""
        rows, columns = np.nonzero(matrix)
        starts = np.searchsorted(rows, np.arange(len(matrix) + 1))
        return cls(matrix.shape[1], starts, columns, matrix[rows, columns])

    @property
    def m(self) -> int:
        """Number of rows."""
        return len(self.starts) - 1

    @property
    def numbers(self) -> np.ndarray:
        """The row of each entry."""
        return np.repeat(np.arange(self.m), np.diff(self.starts))

    def take(self, index: np.ndarray) -> Rows:
        """Return some rows, in the order given."""
        index = np.asarray(index, dtype=np.int64)
        lengths = np.diff(self.starts)[index]
        starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        entries = np.arange(starts[-1]) + np.repeat(self.starts[index] - starts[:-1], lengths)
        return Rows(self.n, starts, self.columns[entries], self.values[entries])

    def beside(self, *columns: np.ndarray) -> Rows:
        """Return the rows with further columns behind."""
        further = Rows.of(np.column_stack(columns))
        rows = np.concatenate([self.numbers, further.numbers])
        order = np.argsort(rows, kind="stable")
        return Rows(
            self.n + len(columns),
            self.starts + further.starts,
            np.concatenate([self.columns, further.columns + self.n])[order],
            np.concatenate([self.values, further.values])[order],
        )

    def above(self, other: Rows) -> Rows:
        """Return these rows with others below."""
        return Rows(
            self.n,
            np.concatenate([self.starts, self.starts[-1] + other.starts[1:]]),
            np.concatenate([self.columns, other.columns]),
            np.concatenate([self.values, other.values]),
        )

    def within(self, columns: np.ndarray) -> Rows:
        """Return the rows with only some columns, ascending, numbered anew."""
        place = np.full(self.n, -1)
        place[columns] = np.arange(len(columns))
        kept = place[self.columns] >= 0
        counts = np.concatenate([[0], np.cumsum(kept)])
        return Rows(len(columns), counts[self.starts], place[self.columns[kept]], self.values[kept])


@dataclass(frozen=True, eq=False)
class IntegerRows:
    """Rows times powers of two, so that all entries are whole.

    Attributes:
        n: Number of columns.
        starts: Where each row starts.
        columns: Column of each entry.
        entries: The entries.
        powers: The row times ``2 ** -power`` is what is held, shape ``(m,)``.
    """

    n: int
    starts: list[int]
    columns: np.ndarray
    entries: list[int]
    powers: list[int]

    @property
    def m(self) -> int:
        """Number of rows."""
        return len(self.starts) - 1

    def row(self, i: int) -> tuple[np.ndarray, list[int]]:
        """Return columns and entries of a row."""
        part = slice(self.starts[i], self.starts[i + 1])
        return self.columns[part], self.entries[part]

    def times(self, vector: Sequence[int]) -> list[int]:
        """Return the products of all rows with a vector."""
        limits = list(pairwise(self.starts))
        if len(self.entries) == self.m * self.n:
            return [sum(map(mul, self.entries[s:e], vector)) for s, e in limits]
        gathered = list(map(vector.__getitem__, self.columns.tolist()))
        return [sum(map(mul, self.entries[s:e], gathered[s:e])) for s, e in limits]

    def absolute(self) -> IntegerRows:
        """Return the rows with the sizes of their entries."""
        return IntegerRows(self.n, self.starts, self.columns, list(map(abs, self.entries)), self.powers)

    def combined(self, weights: Sequence[int]) -> list[int]:
        """Return the sum of all rows, each times its weight."""
        totals = [0] * self.n
        columns = self.columns.tolist()
        for i, weight in enumerate(weights):
            if weight:
                for k in range(self.starts[i], self.starts[i + 1]):
                    totals[columns[k]] += weight * self.entries[k]
        return totals

    def dense(self) -> list[list[int]]:
        """Return the rows with their zeros."""
        out = []
        for i in range(self.m):
            columns, entries = self.row(i)
            row = [0] * self.n
            for j, v in zip(columns.tolist(), entries, strict=True):
                row[j] = v
            out.append(row)
        return out


def dyadic(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return odd whole numbers and exponents with ``values = number * 2 ** exponent``, int64."""
    fraction, exponent = np.frexp(values)
    mantissa = np.ldexp(fraction, 53).astype(np.int64)
    lowest = np.where(mantissa != 0, mantissa & -mantissa, 1)
    shift = np.frexp(lowest.astype(np.float64))[1] - 1
    return mantissa >> shift, np.where(mantissa != 0, exponent - 53 + shift, 0).astype(np.int64)


def integer_rows(rows: Rows, scales: np.ndarray | None = None) -> IntegerRows:
    """Return rows as integers, column ``j`` times ``2 ** scales[j]`` first."""
    mantissa, exponent = dyadic(rows.values)
    if scales is not None:
        exponent = exponent + scales[rows.columns]
    filled = np.diff(rows.starts) > 0
    powers = np.zeros(rows.m, dtype=np.int64)
    if filled.any():
        powers[filled] = np.minimum.reduceat(exponent, rows.starts[:-1][filled])
    entries = _shifted(mantissa, exponent - powers[rows.numbers])
    return IntegerRows(rows.n, rows.starts.tolist(), rows.columns, entries, powers.tolist())


def _shifted(mantissa: np.ndarray, shift: np.ndarray) -> list[int]:
    bits = np.frexp(np.abs(mantissa).astype(np.float64))[1] + shift
    if not len(bits) or bits.max() <= _WIDTH:
        return (mantissa << shift).tolist()
    return [v << s for v, s in zip(mantissa.tolist(), shift.tolist(), strict=True)]


def column_scales(rows: Rows) -> np.ndarray:
    """Return exponents that bring columns to similar sizes, 0 where they are similar already."""
    largest = np.full(rows.n, np.iinfo(np.int64).min // 4)
    if not len(rows.values):
        return np.zeros(rows.n, dtype=np.int64)
    exponent = np.frexp(rows.values)[1].astype(np.int64)
    filled = np.diff(rows.starts) > 0
    of_row = np.zeros(rows.m, dtype=np.int64)
    of_row[filled] = np.maximum.reduceat(exponent, rows.starts[:-1][filled])
    np.maximum.at(largest, rows.columns, exponent - of_row[rows.numbers])
    used = largest > np.iinfo(np.int64).min // 4
    scales = np.where(used, -largest, 0)
    return np.zeros_like(scales) if np.ptp(scales[used]) <= 16 else scales


def whole(vector: Iterable[Fraction | float], scales: np.ndarray | None = None) -> tuple[list[int], int]:
    """Return a vector of float64 or Fractions as integers, with what it was multiplied by.

    Entry ``j`` is multiplied by ``2 ** -scales[j]`` before.
    """
    pairs = [v.as_integer_ratio() for v in vector]
    if scales is not None:
        pairs = [_scaled(pair, -s) for pair, s in zip(pairs, scales.tolist(), strict=True)]
    common = math.lcm(*{q for _, q in pairs})
    return [p * (common // q) for p, q in pairs], common


def _scaled(pair: tuple[int, int], power: int) -> tuple[int, int]:
    p, q = pair
    return (p << power, q) if power >= 0 else (p, q << -power)


def residues(rows: Rows, prime: int) -> list[int]:
    """Return the dense entries, row by row, modulo a prime below 2^31; rows are scaled by powers of two."""
    mantissa, exponent = dyadic(rows.values)
    filled = np.diff(rows.starts) > 0
    lowest = np.zeros(rows.m, dtype=np.int64)
    if filled.any():
        lowest[filled] = np.minimum.reduceat(exponent, rows.starts[:-1][filled])
    dense = np.zeros((rows.m, rows.n), dtype=np.int64)
    dense[rows.numbers, rows.columns] = _modulo(mantissa, exponent - lowest[rows.numbers], prime)
    return dense.ravel().tolist()


def modulo(values: np.ndarray, prime: int) -> np.ndarray:
    """Return what float64 numbers are modulo an odd prime below 2^31, int64."""
    return _modulo(*dyadic(values), prime)


def _modulo(mantissa: np.ndarray, exponent: np.ndarray, prime: int) -> np.ndarray:
    powers, inverse = np.unique(exponent, return_inverse=True)
    factors = np.array([pow(2, int(v), prime) for v in powers], dtype=np.int64)[inverse]
    return mantissa % prime * factors % prime
