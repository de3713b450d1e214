"""Tensors as affine functions of an activation: chosen entries of it, or rows of numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import Rows
from unrelu.certificates.onnx._products import is_sum, merged, product


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
        return replace(self, offset=total, exact=self.exact and is_sum(self.offset, constant, total))

    def added(self, other: Value) -> Value:
        """Return the sum with another tensor of the same shape, each entry rounded once."""
        rows, same = merged(self.rows.above(other.rows), np.tile(np.arange(len(self.offset)), 2))
        exact = self.exact and other.exact and same
        return replace(self, rows=rows, plain=False, exact=exact).plus(other.offset)

    def scaled(self, factors: np.ndarray) -> Value:
        """Return the entries times factors, each rounded once."""
        scale = Rows(len(factors), np.arange(len(factors) + 1), np.arange(len(factors)), factors)
        return self.mapped(scale, np.zeros(len(factors)), self.shape)

    def mapped(self, rows: Rows, bias: np.ndarray, shape: tuple[int, ...]) -> Value:
        """Return a linear map of the entries, plus a bias; each number that results is rounded once."""
        made, exact = product(rows, self.rows)
        offset, same = self._image(rows, bias) if self.offset.any() else (bias, True)
        return Value(shape, made, offset, plain=False, exact=self.exact and exact and same)

    def _image(self, rows: Rows, bias: np.ndarray) -> tuple[np.ndarray, bool]:
        """Return the image of the offset plus a bias, rounded once, and whether it is exact."""
        exact = [Fraction(b) for b in bias.tolist()]
        used = rows.values, self.offset[rows.columns]
        for i, w, o in zip(rows.numbers.tolist(), *(v.tolist() for v in used), strict=True):
            if o:
                exact[i] += Fraction(w) * Fraction(o)
        rounded = [float(b) for b in exact]
        return np.array(rounded), all(Fraction(r) == b for r, b in zip(rounded, exact, strict=True))

    def record(self, node: str) -> LayerRecord:
        """Return the numbers."""
        rows = self.rows
        return LayerRecord(
            node, node, rows.n, rows.starts, rows.columns, rows.values, self.offset, self.exact
        )
