"""Rows that point the same way or opposite ways, exactly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from unrelu.frames._scaling import near_one, row_norms, scaled_rows

if TYPE_CHECKING:
    from unrelu.frames._frame import Frame

_CLOSE = 1e-9  # of unit vectors' random projections; only candidates, each is checked exactly


@dataclass(frozen=True)
class Directions:
    """Lines spanned by the rows.

    Attributes:
        line: For every row the first row on the same line, its own number if there is none, -1 for a zero
            row. Shape ``(m,)``.
        sign: 1 if the row is a positive multiple of that first row, -1 if a negative one, 0 for a zero row.
    """

    line: np.ndarray
    sign: np.ndarray

    @property
    def zero_rows(self) -> int:
        """Number of zero rows."""
        return int((self.line < 0).sum())

    @property
    def duplicate_rows(self) -> int:
        """Rows that are a positive multiple of an earlier row."""
        return len(self._keys) - len(set(self._keys))

    @property
    def antiparallel_rows(self) -> int:
        """Rows that are the first to point against an earlier row."""
        return len(set(self._keys)) - len({line for line, _ in self._keys})

    @property
    def _keys(self) -> list[tuple[int, int]]:
        used = self.line >= 0
        return list(zip(self.line[used].tolist(), self.sign[used].tolist(), strict=True))

    def one_per_line(self, index: np.ndarray) -> np.ndarray:
        """Return the rows ``index`` without zero rows and all but one on every line: the span stays."""
        lines = self.line[index]
        _, first = np.unique(lines, return_index=True)
        return index[np.sort(first[lines[first] >= 0])]


def directions(frame: Frame) -> Directions:
    """Group rows by the line they span, true for the stored numbers."""
    rows = sp.csr_array(frame.rows(np.arange(frame.m)))
    line = np.where(np.diff(rows.indptr) > 0, np.arange(frame.m), -1)
    sign = (line >= 0).astype(np.int8)
    scaled = scaled_rows(rows, near_one(rows))
    unit = scaled @ np.random.default_rng(0).standard_normal((frame.n, 2))
    unit /= np.where(line >= 0, row_norms(scaled), 1.0)[:, None]
    unit *= np.where(unit[:, :1] < 0, -1, 1)
    order = np.argsort(unit[:, 0], kind="stable")
    order = order[line[order] >= 0]
    apart = np.flatnonzero(np.diff(unit[order, 0]) >= _CLOSE) + 1
    for cluster in np.split(order, apart):
        if len(cluster) > 1:
            _group(rows, unit, np.sort(cluster).tolist(), line, sign)
    return Directions(line, sign)


def _group(
    rows: sp.csr_array, unit: np.ndarray, candidates: list[int], line: np.ndarray, sign: np.ndarray
) -> None:
    """Sort rows with almost the same projection into lines."""
    heads: list[int] = []
    for row in candidates:
        for head in heads:
            if abs(unit[row, 1] - unit[head, 1]) < _CLOSE:
                along = _sign_of_ratio(rows, row, head)
                if along:
                    line[row], sign[row] = head, along
                    break
        else:
            heads.append(row)


def _sign_of_ratio(rows: sp.csr_array, a: int, b: int) -> int:
    """Return the sign of ``c`` where ``row a = c * row b`` exactly, 0 if there is no such number."""
    columns_a, values_a = _entries(rows, a)
    columns_b, values_b = _entries(rows, b)
    if not np.array_equal(columns_a, columns_b):
        return 0
    sign = 1 if (values_a[0] > 0) == (values_b[0] > 0) else -1
    if np.array_equal(values_a, sign * values_b) or _proportional(values_a, values_b):
        return sign
    return 0


def _proportional(a: np.ndarray, b: np.ndarray) -> bool:
    """Return whether ``a_k b_0 = a_0 b_k`` for all k, exactly: products of 53-bit integers."""
    (whole_a, power_a), (whole_b, power_b) = _whole_and_power(a), _whole_and_power(b)
    shift = (power_a + power_b[0]) - (power_a[0] + power_b)
    if (abs(shift) > 1).any():  # the products of the whole numbers differ by less than a factor of 4
        return False
    left = whole_a * whole_b[0] * 2 ** shift.clip(min=0).astype(object)
    right = whole_a[0] * whole_b * 2 ** (-shift).clip(min=0).astype(object)
    return bool((left == right).all())


def _whole_and_power(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return Python integers of 53 bits, and the powers of two that go with them."""
    fraction, power = np.frexp(values)
    return (fraction * 2.0**53).astype(np.int64).astype(object), power.astype(np.int64)


def _entries(rows: sp.csr_array, row: int) -> tuple[np.ndarray, np.ndarray]:
    part = slice(rows.indptr[row], rows.indptr[row + 1])
    order = np.argsort(rows.indices[part])
    return rows.indices[part][order], rows.data[part][order]
