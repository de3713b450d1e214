"""Whether float64 arithmetic on stored numbers rounds anything."""

from __future__ import annotations

import math

import numpy as np
import torch

_BITS = 53  # of a float64 number
_LEAST = 2.0**-1022  # products below it lose digits


def products_are_exact(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Say whether no entry of ``a`` times an entry of ``b`` is rounded; ``False`` also where that is open.

    Two numbers of p and q significant bits have a product of at most p + q, and a power of two changes none.
    """
    sizes = [np.abs(_array(t)) for t in (a, b)]
    p, q = (int(_significant_bits(size).max(initial=0)) for size in sizes)
    if not (p and q):
        return True
    if p + q > _BITS and min(p, q) > 1:
        return False
    used = [size[size > 0] for size in sizes]
    least = math.prod(float(size.min(initial=1.0)) for size in used)
    largest = math.prod(float(size.max(initial=1.0)) for size in used)
    return least >= _LEAST and largest < np.inf


def sums_are_exact(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Say whether no sum of entries, in shapes that broadcast, is rounded (Knuth's error of a sum is 0)."""
    total = a + b
    part = total - a
    return bool((((a - (total - part)) + (b - part)) == 0).all())


def powers_of_two(a: torch.Tensor) -> bool:
    """Say whether all entries are powers of two or their negatives: these have exact inverses."""
    return bool((_significant_bits(np.abs(_array(a))) == 1).all())


def _significant_bits(sizes: np.ndarray) -> np.ndarray:
    """Return how many binary digits lie between the first and the last that is 1, both included."""
    mantissa = np.ldexp(np.frexp(sizes)[0], _BITS).astype(np.int64)
    last = np.frexp((mantissa & -mantissa).astype(np.float64))[1]
    return np.where(mantissa == 0, 0, _BITS + 1 - last)


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().double().cpu().numpy()
