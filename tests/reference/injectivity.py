"""Injectivity on the line by looking at every point that could matter, in exact arithmetic."""

from fractions import Fraction
from itertools import pairwise

import numpy as np


def is_injective_on_the_line(weight: np.ndarray, bias: np.ndarray) -> bool:
    """On R a layer is injective iff at every point some row with a non-zero weight is weakly active."""
    rows = [(Fraction(float(w)), Fraction(float(b))) for w, b in zip(weight[:, 0], bias, strict=True) if w]
    breaks = sorted({-b / w for w, b in rows})
    if not breaks:
        return False
    between = [(a + b) / 2 for a, b in pairwise(breaks)]
    points = [breaks[0] - 1, *breaks, *between, breaks[-1] + 1]
    return all(any(w * x + b >= 0 for w, b in rows) for x in points)


def weakly_active(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Rows with w_i x + b_i >= 0, one rational number at a time."""
    point = [Fraction(float(t)) for t in x]
    sums = [
        sum((Fraction(float(w)) * t for w, t in zip(row, point, strict=True)), Fraction(float(b)))
        for row, b in zip(weight, bias, strict=True)
    ]
    return np.array([s >= 0 for s in sums], dtype=bool)


def exact_rank(rows: np.ndarray) -> int:
    """Rank by elimination over the rationals."""
    left = [[Fraction(float(w)) for w in row] for row in rows]
    rank = 0
    for column in range(rows.shape[1]):
        pivot = next((r for r in left if r[column]), None)
        if pivot is None:
            continue
        left.remove(pivot)
        left = [[a - r[column] / pivot[column] * b for a, b in zip(r, pivot, strict=True)] for r in left]
        rank += 1
    return rank
