"""Which rows stay active within a distance of points, as the numbers say (Behrmann et al. 2018, Theorem 4).

A row is strictly active in the whole ball of radius ``r`` around ``x`` if ``w·x + b > r |w|``. Floating point
settles most pairs of a row and a point, with bounds of its errors. The others are settled in integers: with
both sides squared no root is left, and all numbers are rational.
"""

from __future__ import annotations

import numpy as np

from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import Rows, integer_rows, whole
from unrelu.certificates._scaled_rows import UNIT, exponents, scaled_rows

_ENTRIES = 1 << 22  # of the rows that are held densely at a time
_POINTS = 1024  # of which products are held at a time
_LOST = 2.0**-900  # more than what operations below the normal range lose, for entries below 1


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
    size = max(1, _ENTRIES // layer.n)
    for first in range(0, len(index), size):
        part = np.asarray(index[first : first + size], dtype=np.int64)
        rows, bias = layer.rows.take(part), layer.bias[part]
        for start in range(0, len(points), _POINTS):
            near = points[start : start + _POINTS]
            sure, never = _in_floats(rows, bias, near, radius)
            _in_integers(rows, bias, near, radius, sure, ~(sure | never))
            out[start : start + _POINTS, first : first + size] = sure
    return out


def _in_floats(
    rows: Rows, bias: np.ndarray, points: np.ndarray, radius: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows surely stay active around each point, and which surely do not.

    Rows, and points, are divided by powers of two above their entries; what then overflows is not sure.
    """
    powers, scales = exponents(rows), np.frexp(np.abs(points).max(axis=1))[1].astype(np.int64)
    matrix, x = scaled_rows(rows, powers), np.ldexp(points, -scales[:, None])
    norms, lengths = (np.linalg.norm(part, axis=1) for part in (matrix, x))
    with np.errstate(over="ignore", invalid="ignore"):
        offsets = np.ldexp(bias, -scales[:, None] - powers)
        margins = np.ldexp(radius, -scales)[:, None] * norms
        values = x @ matrix.T + offsets - margins
        # Twice the bound of Higham (2002), 3.5, which also covers how this bound itself is rounded.
        sizes = lengths[:, None] * norms + np.abs(offsets) + margins
        errors = 2 * (rows.n + 8) * UNIT * sizes + _LOST
        return values > errors, values < -errors


def _in_integers(
    rows: Rows,
    bias: np.ndarray,
    points: np.ndarray,
    radius: float,
    active: np.ndarray,
    unclear: np.ndarray,
) -> None:
    """Settle in ``active`` what is not clear."""
    used = np.flatnonzero(unclear.any(axis=0))
    exact = integer_rows(rows.take(used).beside(bias[used]))
    squares: dict[int, int] = {}
    p, q = radius.as_integer_ratio()
    for k in np.flatnonzero(unclear.any(axis=1)).tolist():
        numbers, common = whole(points[k].tolist())
        point = [*numbers, common]
        for i in np.flatnonzero(unclear[k, used]).tolist():
            columns, entries = exact.row(i)
            value = sum(v * point[j] for j, v in zip(columns.tolist(), entries, strict=True))
            if i not in squares:
                squares[i] = sum(v * v for j, v in zip(columns.tolist(), entries, strict=True) if j < rows.n)
            active[k, used[i]] = value > 0 and (value * q) ** 2 > squares[i] * (p * common) ** 2
