"""Which rows stay active within a distance of points, decided in integers (Behrmann et al. 2018, Theorem 4).

A row is strictly active in the whole ball of radius ``r`` around ``x`` if ``w·x + b > r |w|``. With both
sides squared no root is left, and all numbers are rational.
"""

from __future__ import annotations

from functools import cached_property

import flint
import numpy as np

from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import Rows, integer_rows, whole

_ENTRIES = 1 << 22  # of the rows that are held as integers at a time
_ROWS, _POINTS = 4096, 256  # of which products are held at a time
_SPARSE = 1 / 16  # share of entries that are not 0, below which rows are multiplied one by one


def stays_active(layer: LayerRecord, index: np.ndarray, points: np.ndarray, radius: float) -> np.ndarray:
    """Say which rows are strictly active in closed balls around points.

    Args:
        layer: The layer.
        index: Row numbers.
        points: Float64, shape ``(N, n)``, finite.
        radius: Of the balls, Euclidean; 0 for the points alone.

    Returns:
        Whether ``w_i·x + b_i > radius |w_i|``, bool, shape ``(N, len(index))``; exact for these numbers.
    """
    out = np.zeros((len(points), len(index)), dtype=bool)
    size = max(1, min(_ROWS, _ENTRIES // (layer.n + 1)))
    for first in range(0, len(index), size):
        part = np.asarray(index[first : first + size], dtype=np.int64)
        rows = _WholeRows(layer.rows.take(part), layer.bias[part])
        for start in range(0, len(points), _POINTS):
            near = points[start : start + _POINTS]
            out[start : start + _POINTS, first : first + size] = rows.stay_active(near, radius)
    return out


class _WholeRows:
    """Rows with their offsets, each times a power of two, so that all entries are whole."""

    def __init__(self, linear: Rows, bias: np.ndarray) -> None:
        self._n = linear.n
        self._rows = integer_rows(linear.beside(bias))

    def stay_active(self, points: np.ndarray, radius: float) -> list[list[bool]]:
        """Say which rows are strictly active in balls around points."""
        scaled = [whole(x) for x in points.tolist()]
        table = self._times([[*values, common] for values, common in scaled])
        if radius == 0:
            return [[v > 0 for v in values] for values in table]
        p, q = radius.as_integer_ratio()
        reach, unit = [p * p * square for square in self._squares], q * q
        return [
            [v > 0 and v * v * unit > r * common**2 for v, r in zip(values, reach, strict=True)]
            for values, (_, common) in zip(table, scaled, strict=True)
        ]

    def _times(self, vectors: list[list[int]]) -> list[list[int]]:
        """Return the products of all rows with each vector."""
        if self._matrix is None:
            return [self._rows.times(vector) for vector in vectors]
        products = flint.fmpz_mat(vectors) * self._matrix
        return [list(map(int, values)) for values in products.tolist()]

    @cached_property
    def _matrix(self) -> flint.fmpz_mat | None:
        """The rows as columns of a matrix; ``None`` where most entries are 0."""
        rows = self._rows
        sparse = len(rows.entries) < _SPARSE * rows.m * rows.n
        return None if sparse else flint.fmpz_mat(rows.dense()).transpose()

    @cached_property
    def _squares(self) -> list[int]:
        """The squared norms of the rows, without their offsets."""
        rows = map(self._rows.row, range(self._rows.m))
        return [
            sum(v * v for j, v in zip(columns.tolist(), entries, strict=True) if j < self._n)
            for columns, entries in rows
        ]
