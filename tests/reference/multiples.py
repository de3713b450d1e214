"""Numbers whose whole multiples are exact, found one after another."""

import math
from fractions import Fraction

import torch


def is_number(value: Fraction, dtype: torch.dtype) -> bool:
    """Say whether a finite number of a type has that value."""
    try:
        rounded = float(torch.tensor(float(value), dtype=torch.float64).to(dtype).double())
    except OverflowError:
        return False
    return abs(rounded) != float("inf") and Fraction(rounded) == value


def has_exact_multiples(u: Fraction, p: int, q: int, dtype: torch.dtype) -> bool:
    """Say whether ``u``, ``p u`` and ``q u`` are numbers of a type."""
    return all(is_number(multiple * u, dtype) for multiple in (1, p, q))


def nearest_common(w: Fraction, p: int, q: int, dtype: torch.dtype) -> Fraction:
    """Return ``u`` with exact multiples such that ``p u`` is nearest to ``w``."""
    best = Fraction(0)
    size = math.frexp(float(w))[1] - p.bit_length()
    for exponent in range(size - 60, size + 3):
        unit = Fraction(2) ** exponent
        for u in (round(w / p / unit) * unit, (1 if w > 0 else -1) * unit):
            if abs(p * u - w) < abs(p * best - w) and has_exact_multiples(u, p, q, dtype):
                best = u
    return best
