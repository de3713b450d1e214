"""Pairs of opposite rows, of which one is weakly active everywhere (Puthawala et al. 2022, Corollary 1)."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._verification import require


def check_pairs(layer: LayerRecord, pairs: np.ndarray) -> None:
    """Check that rows ``(w, b)``, ``(-d w, c)`` with ``d > 0`` are opposite and nowhere both negative.

    Args:
        layer: The layer.
        pairs: Row numbers that exist, shape ``(k, 2)``.

    Raises:
        NotProvedError: Naming the first pair that is none.
    """
    for i, j in pairs[~mirrored(layer, pairs)].tolist():
        _check_pair(layer, i, j)


def mirrored(layer: LayerRecord, pairs: np.ndarray) -> np.ndarray:
    """Say for which pairs ``d = 1`` and no point has both rows negative.

    Nothing is rounded: the numbers are compared, and a sum of two has the right sign.

    Args:
        layer: The layer.
        pairs: Row numbers that exist, shape ``(k, 2)``.
    """
    lengths = np.diff(layer.starts)[pairs]
    with np.errstate(over="ignore"):
        weakly = layer.bias[pairs].sum(axis=1) >= 0
    out = (lengths[:, 0] == lengths[:, 1]) & (lengths[:, 0] > 0) & weakly
    one, other = (layer.rows.take(pairs[out, side]) for side in (0, 1))
    same = (one.columns == other.columns) & (one.values == -other.values)
    out[out] = np.bincount(one.numbers, weights=~same, minlength=one.m) == 0
    return out


def _check_pair(layer: LayerRecord, i: int, j: int) -> None:
    (columns_i, p, b), (columns_j, q, c) = _whole_row(layer, i), _whole_row(layer, j)
    opposite = len(p) > 0 and np.array_equal(columns_i, columns_j) and (p[0] > 0) != (q[0] > 0)
    opposite = opposite and all(s * q[0] == t * p[0] for s, t in zip(p, q, strict=True))
    require(opposite, f"rows {i} and {j} are not opposite")
    require(b * abs(q[0]) + c * abs(p[0]) >= 0, f"rows {i} and {j} are both negative somewhere")


def _whole_row(layer: LayerRecord, i: int) -> tuple[np.ndarray, list[int], int]:
    """Return columns, weights and bias of a row times a power of two, as whole numbers."""
    columns, entries = layer.affine.row(i)
    if len(columns) and columns[-1] == layer.n:
        return columns[:-1], entries[:-1], entries[-1]
    return columns, entries, 0
