"""Tensors as affine functions of an activation: chosen entries of it, or rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import Rows


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor ``W a + b`` of an activation ``a``.

    Attributes:
        shape: Its shape, batch axis of 1 included.
        rows: ``W``, a row for each entry.
        offset: ``b``.
        plain: Whether every row has a single entry of 1.
        exact: Whether no rounding was needed so far.
    """

    shape: tuple[int, ...]
    rows: Rows
    offset: np.ndarray
    plain: bool = True
    exact: bool = True

    @classmethod
    def activation(cls, shape: tuple[int, ...]) -> Value:
        """Return an activation itself."""
        size = int(np.prod(shape))
        rows = Rows(size, np.arange(size + 1), np.arange(size), np.ones(size))
        return cls(shape, rows, np.zeros(size))

    def reshaped(self, shape: tuple[int, ...]) -> Value:
        """Return the same entries in another shape."""
        return replace(self, shape=shape)

    def transposed(self, axes: tuple[int, ...]) -> Value:
        """Return the entries in the order of permuted axes."""
        return self.chosen(np.arange(len(self.offset)).reshape(self.shape).transpose(axes))

    def chosen(self, order: np.ndarray) -> Value:
        """Return a tensor of the shape of ``order``, whose entries have the numbers that stand there."""
        rows, offset = self.rows.take(order.ravel()), self.offset[order.ravel()]
        return replace(self, shape=order.shape, rows=rows, offset=offset)

    def negated(self) -> Value:
        """Return the negative."""
        rows = replace(self.rows, values=-self.rows.values)
        return replace(self, rows=rows, offset=0.0 - self.offset, plain=False)

    def above(self, other: Value) -> Value:
        """Return a list of the entries, with those of another tensor behind."""
        offset = np.concatenate([self.offset, other.offset])
        plain, exact = self.plain and other.plain, self.exact and other.exact
        return Value(offset.shape, self.rows.above(other.rows), offset, plain, exact)

    def plus(self, constant: np.ndarray) -> Value:
        """Return the sum with a constant, each entry rounded once."""
        total = self.offset + constant
        rest = [
            Fraction(a) + Fraction(b) == Fraction(c) for a, b, c in _triples(self.offset, constant, total)
        ]
        return replace(self, offset=total, exact=self.exact and all(rest))

    def mapped(self, rows: Rows, bias: np.ndarray, shape: tuple[int, ...]) -> Value:
        """Return a linear map of plain entries, plus a bias; each entry of the new bias is rounded once."""
        columns = self.rows.columns[rows.columns]
        order = np.lexsort((columns, rows.numbers))
        mapped = Rows(self.rows.n, rows.starts, columns[order], rows.values[order])
        exact = [Fraction(b) for b in bias.tolist()]
        if self.offset.any():
            used = rows.values, self.offset[rows.columns]
            for i, w, o in zip(rows.numbers.tolist(), *(v.tolist() for v in used), strict=True):
                exact[i] += Fraction(w) * Fraction(o)
        rounded = np.array([float(b) for b in exact])
        same = all(Fraction(r) == b for r, b in zip(rounded.tolist(), exact, strict=True))
        return Value(shape, mapped, rounded, plain=False, exact=self.exact and same)

    def record(self, node: str) -> LayerRecord:
        """Return the numbers."""
        rows = self.rows
        return LayerRecord(
            node, node, rows.n, rows.starts, rows.columns, rows.values, self.offset, self.exact
        )


def _triples(*vectors: np.ndarray) -> zip[tuple[float, ...]]:
    return zip(*(v.tolist() for v in vectors), strict=True)
