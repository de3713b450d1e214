"""Opposite rows, pair by pair in rational arithmetic."""

from fractions import Fraction
from math import log2

import numpy as np


def are_opposite(a: np.ndarray, b: np.ndarray) -> bool:
    """Say whether ``b = -d a`` with a power of two ``d``."""
    ratios = {Fraction(float(q)) / Fraction(float(p)) for p, q in zip(a, b, strict=True) if p or q if p}
    if len(ratios) != 1 or any(q and not p for p, q in zip(a, b, strict=True)):
        return False
    d = -ratios.pop()
    return d > 0 and log2(d).is_integer()


def most_pairs(weight: np.ndarray) -> int:
    """Return how many disjoint pairs of opposite rows there are: one after another, as they come."""
    free, count = list(range(len(weight))), 0
    while free:
        i = free.pop(0)
        partner = next((j for j in free if are_opposite(weight[i], weight[j])), None)
        if partner is not None:
            free.remove(partner)
            count += 1
    return count
