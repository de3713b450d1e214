"""Rows of a layer and of its domain in one numbering, with one more coordinate for the constant."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from unrelu.certificates._affine import AffineRows
from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import Rows, integer_rows


def homogeneous_rows(layer: LayerRecord, domain: DomainRecord, index: np.ndarray) -> np.ndarray:
    """Return ``(w_i, b_i)``, ``(g_j, -h_j)`` or ``(0, -1)`` for each row number, shape ``(k, n + 1)``."""
    rows = AffineRows(layer, domain)
    out = np.zeros((len(index), layer.n + 1))
    out[index == rows.total, -1] = -1.0
    given = index < rows.total
    out[given, :-1] = dense(rows.linear.take(index[given]))
    out[given, -1] = rows.offsets[index[given]]
    return out


def dense(rows: Rows) -> np.ndarray:
    """Return rows with their zeros, shape ``(m, n)``."""
    out = np.zeros((rows.m, rows.n))
    out[rows.numbers, rows.columns] = rows.values
    return out


def whole_rows(rows: np.ndarray) -> list[list[int]]:
    """Return each row times a power of two as whole numbers, exactly."""
    return integer_rows(Rows.of(rows)).dense()


def exact_vector(values: Iterable[Fraction | float]) -> np.ndarray:
    """Return numbers as an array of Fractions."""
    exact = [Fraction(v) for v in values]
    out = np.empty(len(exact), dtype=object)
    out[:] = exact
    return out
