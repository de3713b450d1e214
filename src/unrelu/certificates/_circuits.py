"""Affine functions as rows of rational numbers, and the positive dependencies between them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import flint

from unrelu.certificates._layer_record import LayerRecord

Row: TypeAlias = list[flint.fmpq]


def stacked(rows: Sequence[Row], width: int) -> flint.fmpq_mat:
    """Return rows as a matrix of shape ``(len(rows), width)``."""
    return flint.fmpq_mat(len(rows), width, [v for row in rows for v in row])


def rational(values: Sequence[float]) -> Row:
    """Return stored numbers as rationals."""
    return [flint.fmpq(*v.as_integer_ratio()) for v in values]


def affine_rows(layer: LayerRecord) -> flint.fmpq_mat:
    """Return ``(w_i, b_i)`` for each row of a layer, shape ``(m, n + 1)``."""
    out = flint.fmpq_mat(layer.m, layer.n + 1)
    for i, j, value in zip(
        layer.rows.numbers.tolist(), layer.columns.tolist(), rational(layer.values.tolist()), strict=True
    ):
        out[i, j] = value
    for i, value in enumerate(rational(layer.bias.tolist())):
        out[i, layer.n] = value
    return out


def kernel(matrix: flint.fmpq_mat) -> flint.fmpq_mat:
    """Return a basis of the null space as columns, shape ``(n, n - rank)``."""
    n = matrix.ncols()
    reduced, rank = matrix.rref() if matrix.nrows() else (matrix, 0)
    table = reduced.tolist()[:rank]
    pivots = [next(j for j in range(n) if row[j] != 0) for row in table]
    free = sorted(set(range(n)) - set(pivots))
    basis = flint.fmpq_mat(n, len(free))
    for column, j in enumerate(free):
        basis[j, column] = 1
        for row, i in zip(table, pivots, strict=True):
            basis[i, column] = -row[j]
    return basis


def is_circuit(rows: Sequence[Row], width: int) -> bool:
    """Say whether the linear dependencies of some rows are the multiples of one positive vector."""
    if not width:
        return len(rows) == 1
    null, nullity = stacked(rows, width).numer_denom()[0].transpose().nullspace()
    if nullity != 1:
        return False
    signs = {(v > 0) - (v < 0) for v in (null[i, 0] for i in range(len(rows)))}
    return signs in ({1}, {-1})
