"""Opposite rows, pair by pair in rational arithmetic."""

from fractions import Fraction
from itertools import permutations

import numpy as np


def ratio(a: np.ndarray, b: np.ndarray) -> Fraction | None:
    """Return ``d > 0`` where ``b = -d a``, else ``None``."""
    one, other = ([Fraction(float(x)) for x in row] for row in (a, b))
    ratios = {-q / p for p, q in zip(one, other, strict=True) if p}
    if len(ratios) != 1 or min(ratios) <= 0 or any(q for p, q in zip(one, other, strict=True) if not p):
        return None
    return ratios.pop()


def digits(d: Fraction) -> int:
    """Return the larger odd part of numerator and denominator; 1 for a power of two."""
    return max(n // (n & -n) for n in (d.numerator, d.denominator))


def fewest_digits(weight: np.ndarray) -> dict[int, int]:
    """Return for each row that has opposite ones the fewest digits of such a pair."""
    found: dict[int, int] = {}
    for i, j in permutations(range(len(weight)), 2):
        d = ratio(weight[i], weight[j])
        if d is not None:
            found[i] = min(found.get(i, digits(d)), digits(d))
    return found


def plain_pairs(weight: np.ndarray) -> int:
    """Return how many disjoint pairs have a power of two for ratio: one after another, as they come."""
    free, count = list(range(len(weight))), 0
    while free:
        i = free.pop(0)
        ratios = {j: ratio(weight[i], weight[j]) for j in free}
        partner = next((j for j, d in ratios.items() if d and digits(d) == 1), None)
        if partner is not None:
            free.remove(partner)
            count += 1
    return count


def spans(weight: np.ndarray) -> int:
    """Return the dimension that rows with opposite ones span, by rational elimination."""
    rows = [[Fraction(float(x)) for x in weight[i]] for i in fewest_digits(weight)]
    rank = 0
    for column in range(weight.shape[1]):
        pivot = next((k for k in range(rank, len(rows)) if rows[k][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for k in range(rank + 1, len(rows)):
            share = rows[k][column] / rows[rank][column]
            rows[k] = [x - share * y for x, y in zip(rows[k], rows[rank], strict=True)]
        rank += 1
    return rank
