"""Positive dependencies of as few rows as possible: proposed in floating point, checked exactly.

Where the proposal fails, a dependency of more rows is cut down in rational arithmetic (Carathéodory).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates._circuits import is_circuit, kernel, stacked
from unrelu.preimage.pieces._rationals import unit_row
from unrelu.solvers import minimize

if TYPE_CHECKING:
    from unrelu.certificates._circuits import Row

_POSITIVE = 1e-9  # share of the largest weight that counts as one; what is taken is checked


def proposed(rows: list[Row], keep: int) -> list[int] | None:
    """Return some of the rows, among them a given one, with one positive dependency up to a factor.

    A basic solution of the linear program for the least weights uses so few rows.

    Args:
        rows: Rows of rational numbers.
        keep: Number of the row that is wanted.

    Returns:
        Row numbers, ascending; ``None`` where floating point finds none.
    """
    unit = np.array([unit_row(row) for row in rows])
    low, high = np.zeros(len(rows)), np.full(len(rows), np.inf)
    low[keep] = high[keep] = 1.0
    zero = np.zeros(unit.shape[1])
    found = minimize(np.ones(len(rows)), unit.T, zero, (low, high), lower=zero)
    if not found.optimal:
        return None
    numbers = np.flatnonzero(found.v > _POSITIVE * found.v.max()).tolist()
    return numbers if is_circuit([rows[i] for i in numbers], unit.shape[1]) else None


def circuit(rows: list[Row], weights: Row, keep: int) -> list[int]:
    """Return some of the rows, among them a given one, with one positive dependency up to a factor.

    Args:
        rows: Rows of rational numbers.
        weights: Positive numbers with which they add up to 0.
        keep: Number of the row that is wanted.

    Returns:
        Row numbers, ascending.
    """
    left = dict(enumerate(weights))
    while True:
        numbers = list(left)
        table = stacked([rows[i] for i in numbers], len(rows[keep])).transpose()
        dependencies = kernel(table).transpose().tolist()
        if len(dependencies) == 1:
            return numbers
        step = _without(dependencies, numbers.index(keep))
        if not any(v > 0 for v in step):
            step = [-v for v in step]
        share = min(left[i] / v for i, v in zip(numbers, step, strict=True) if v > 0)
        moved = {i: left[i] - share * v for i, v in zip(numbers, step, strict=True)}
        left = {i: v for i, v in moved.items() if v != 0}


def _without(dependencies: list[Row], k: int) -> Row:
    """Return a dependency other than 0 that does not use row ``k``, one of at least two."""
    first, second = dependencies[:2]
    if first[k] == 0:
        return first
    return [a * first[k] - b * second[k] for a, b in zip(second, first, strict=True)]
