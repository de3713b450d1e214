"""The rows of a layer and of a domain as affine functions, evaluated in integer arithmetic."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import IntegerRows, Rows, integer_rows, whole


class AffineRows:
    """``W x + b`` and then ``G x - h``.

    Attributes:
        layer: The layer.
        m: Number of its rows.
        n: Number of columns.
        total: Number of all rows.
        linear: ``W`` above ``G``.
        offsets: ``b`` and then ``-h``, shape ``(total,)``.
    """

    def __init__(self, layer: LayerRecord, domain: DomainRecord) -> None:
        """Take the rows of a layer and a domain of the same dimension."""
        self.layer, self.m, self.n = layer, layer.m, layer.n
        borders, h = border_rows(domain)
        self.total = self.m + len(h)
        self.linear = layer.rows.above(borders)
        self.offsets = np.concatenate([layer.bias, -h])
        self._borders = integer_rows(borders.beside(-h))

    def times(self, point: list[int]) -> list[int]:
        """Return the values at a point times positive numbers, its last entry the common denominator."""
        return self.layer.affine.times(point) + self._borders.times(point)

    def signs(self, x: np.ndarray) -> np.ndarray:
        """Return the signs of all rows at a point."""
        values, common = whole(x.tolist())
        return signs_of(self.times([*values, common]))

    def chosen(self, index: np.ndarray) -> IntegerRows:
        """Return some rows as integers, with their offsets as a last column."""
        return integer_rows(self.linear.take(index).beside(self.offsets[index]))


def border_rows(domain: DomainRecord) -> tuple[Rows, np.ndarray]:
    """Return ``G`` and ``h`` of ``DomainRecord.inequalities``, sparse.

    Raises:
        ArgumentError: For a ball, which has none.
    """
    if domain.kind == "orthant":
        columns, values, h = np.arange(domain.n), -np.ones(domain.n), np.zeros(domain.n)
    elif domain.lower is not None and domain.upper is not None:
        bounds = np.concatenate([domain.upper, -domain.lower])
        kept = np.flatnonzero(np.isfinite(bounds))
        columns, values, h = kept % domain.n, np.where(kept < domain.n, 1.0, -1.0), bounds[kept]
    else:
        G, h = domain.inequalities()
        return Rows.of(G), h
    return Rows(domain.n, np.arange(len(h) + 1), columns, values), h


def signs_of(values: list[int]) -> np.ndarray:
    """Return -1, 0 or 1 for each number."""
    return np.array([(v > 0) - (v < 0) for v in values], dtype=np.int64)


def quotients(layer: LayerRecord, products: list[int], common: int) -> list[Fraction]:
    """Return what products of the integer rows with ``(values, common)`` stand for."""
    powers = zip(products, layer.affine.powers, strict=True)
    return [Fraction(v << max(p, 0), common << max(-p, 0)) for v, p in powers]
