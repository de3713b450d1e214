"""Signs of rows at a point, and whether it lies inside of a domain: true for the stored numbers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import IntegerRows, Rows, integer_rows, whole
from unrelu.certificates._span import primitive

_ROUNDING = 2.0**-50  # of a sum of k products, relative to their sizes, times k + 2: eight times the unit
_UNDERFLOW = 2.0**-1060


def bounded_sums(layer: LayerRecord, factors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return ``sum of w_ij f_ij + b_i`` for each row in floating point, with bounds of the errors.

    Args:
        layer: The layer.
        factors: One for each stored entry of ``W``, finite.

    Returns:
        Values and bounds, shape ``(m,)`` each; NaN or infinite where they overflow.
    """
    rows = np.repeat(np.arange(layer.m), np.diff(layer.starts))
    with np.errstate(over="ignore", invalid="ignore"):
        products = layer.values * factors
        values, size, terms = (
            np.bincount(rows, weights=v, minlength=layer.m)
            for v in (products, np.abs(products), factors != 0)
        )
        slack = _ROUNDING * (terms + 2) * (size + np.abs(layer.bias)) + _UNDERFLOW * terms
        slack[terms == 0] = 0.0
        return values + layer.bias, slack


def signs_at(layer: LayerRecord, x: np.ndarray) -> np.ndarray:
    """Return the signs of ``W x + b``, int64, shape ``(m,)``.

    Args:
        layer: The layer.
        x: A point, float64 and finite, or Fractions.
    """
    if x.dtype == object:
        numbers, common = whole(x.tolist())
        return _signs(layer.affine, [*numbers, common])
    values, slack = bounded_sums(layer, x[layer.columns])
    signs = np.sign(np.nan_to_num(values)).astype(np.int64)
    unclear = np.flatnonzero(~(np.abs(values) > slack))
    if len(unclear):
        numbers, common = whole(x.tolist())
        rows = layer.rows.take(unclear).beside(layer.bias[unclear])
        signs[unclear] = _signs(integer_rows(rows), [*numbers, common])
    return signs


def _signs(rows: IntegerRows, point: list[int]) -> np.ndarray:
    return np.array([(v > 0) - (v < 0) for v in rows.times(point)], dtype=np.int64)


def lies_inside(domain: DomainRecord, x: np.ndarray) -> bool:
    """Say whether a point lies in a domain and off its border.

    Args:
        domain: The domain.
        x: A point, float64 and finite, or Fractions.
    """
    if domain.kind == "orthant":
        return bool((x > 0).all())
    if domain.lower is not None and domain.upper is not None:
        return bool(((domain.lower < x) & (x < domain.upper)).all())
    if domain.center is not None and domain.radius is not None:
        return square_distance(x, domain.center) < Fraction(domain.radius) ** 2
    if domain.matrix is not None and domain.offsets is not None:
        faces = LayerRecord.dense(domain.matrix, -domain.offsets)
        return bool((signs_at(faces, x) < 0).all())
    return True


def square_distance(x: np.ndarray, y: np.ndarray) -> Fraction:
    """Return the squared Euclidean distance, exactly."""
    pairs = zip(x.tolist(), y.tolist(), strict=True)
    numbers, common = whole(Fraction(a) - Fraction(b) for a, b in pairs)
    return Fraction(sum(v * v for v in numbers), common * common)


def lines_of(rows: Rows) -> int:
    """Return the number of different lines that the rows other than 0 span."""
    integers = integer_rows(rows)
    parts = (integers.row(i) for i in range(rows.m))
    return len({(columns.tobytes(), primitive(entries)) for columns, entries in parts if entries})


def lies_in(domain: DomainRecord, x: np.ndarray) -> bool:
    """Say whether a point lies in a closed domain."""
    if domain.center is not None and domain.radius is not None:
        return square_distance(x, domain.center) <= Fraction(domain.radius) ** 2
    G, h = domain.inequalities()
    return bool((signs_at(LayerRecord.dense(G, -h), x) <= 0).all())
