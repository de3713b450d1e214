"""A layer and a domain with numbers near 1: rows and columns times powers of two, not rounded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates._rows import Rows, column_scales

if TYPE_CHECKING:
    from unrelu.certificates import DomainRecord, LayerRecord


@dataclass(frozen=True, eq=False)
class ScaledRows:
    """``(W, b)`` and ``(G, -h)`` with rows and columns scaled, dense.

    The same sets of rows are dependent, and the same are negative at points that correspond.

    Attributes:
        rows: Shape ``(m, n + 1)``.
        faces: Shape ``(p, n + 1)``.
        scales: Exponents of the columns' factors, int64, shape ``(n + 1,)``.
    """

    rows: np.ndarray
    faces: np.ndarray
    scales: np.ndarray

    def point(self, x: np.ndarray) -> np.ndarray:
        """Return the point of the domain that a point in scaled coordinates stands for, maybe not finite."""
        with np.errstate(over="ignore"):
            return np.asarray(np.ldexp(x, self.scales[:-1] - self.scales[-1]))


def scaled_rows(layer: LayerRecord, domain: DomainRecord) -> ScaledRows:
    """Return the rows scaled, or as they are where scaling would round."""
    G, h = domain.inequalities()
    dense = np.zeros((layer.m, layer.n + 1))
    dense[np.repeat(np.arange(layer.m), np.diff(layer.starts)), layer.columns] = layer.values
    dense[:, -1] = layer.bias
    faces = np.column_stack([G, -h])
    table = np.concatenate([dense, faces])
    scales = column_scales(Rows.of(table))
    if scales.any():
        exponents = np.where(table != 0, np.frexp(table)[1] + scales, np.iinfo(np.int32).min)
        shifts = scales - exponents.max(axis=1, initial=0, where=table != 0)[:, None]
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.ldexp(table, shifts)
            exact = np.array_equal(np.ldexp(scaled, -shifts), table)
        if exact:
            return ScaledRows(scaled[: layer.m], scaled[layer.m :], scales)
    return ScaledRows(dense, faces, np.zeros(layer.n + 1, dtype=np.int64))
