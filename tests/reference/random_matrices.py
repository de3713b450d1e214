"""Gaussian layers by enumeration: cells, fewest active rows, walks around the circle."""

from fractions import Fraction
from itertools import combinations, product

import numpy as np


def faces(weight: np.ndarray) -> set[tuple[int, ...]]:
    """All sign patterns of ``W x``, ``x != 0``, rows in general position: all occur next to vertices."""
    m, n = weight.shape
    found = set()
    for chosen in combinations(range(m), n - 1):
        x = np.linalg.svd(np.vstack([weight[list(chosen)], np.zeros((1, n))]))[2][-1]
        for side in (x, -x):
            signs = np.sign(weight @ side).astype(int)
            for local in product((-1, 0, 1), repeat=n - 1):
                signs[list(chosen)] = local
                found.add(tuple(signs.tolist()))
    return found


def fewest_active(weight: np.ndarray) -> int:
    """The smallest number of weakly active rows at any input but 0, rows in general position."""
    return min(sum(s >= 0 for s in signs) for signs in faces(weight))


def planar_probability(m: int) -> Fraction:
    """I(m, 2) by walking around the circle: every row crossed changes its side, all orders equally likely."""
    good = 0
    for first in product((-1, 1), repeat=m):
        changes = [*first, *(-s for s in first)]
        active = sum(s < 0 for s in first)
        counts = [active := active + s for s in changes]
        good += min(counts) >= 2
    return Fraction(good, 2**m)
