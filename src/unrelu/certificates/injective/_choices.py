"""Determinants of all choices of one row from each of p sets, modulo a prime (Laplace's expansion).

The choices from one half of the sets are expanded into their exterior products, and those of the other half, so
that the determinants are inner products: one multiplication of matrices. Residues are so small that float64
holds every sum exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations

import numpy as np

from unrelu.certificates.injective._residues import PRIME, modulo

MOST_SETS = 8  # sums of C(8, 4) products of residues below 2^23 in size stay below 2^53
_AT_ONCE = 1 << 17


def singular_choices(rows: np.ndarray, widths: list[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield the choices whose determinant is 0 modulo the prime.

    Args:
        rows: Residues, the sets one after another, for many problems of one shape: ``(k, sum of widths, p)``.
        widths: Sizes of the p sets.

    Yields:
        The problem, and the position of the chosen row of each set, in the order of the sets.
    """
    ends = np.cumsum(widths).tolist()
    sets = [np.arange(end - width, end) for width, end in zip(widths, ends, strict=True)]
    order = sorted(range(len(sets)), key=lambda k: -widths[k])
    halves = order[: len(order) // 2 * 2 : 2], order[1::2] + order[len(order) // 2 * 2 :]
    shapes = [[widths[k] for k in half] for half in halves]
    step = max(1, _AT_ONCE // max(1, int(np.prod(widths))))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        first, second = (_blades(part, [sets[k] for k in half]) for half in halves)
        for problem, i, j in _zero_products(first, _complement(second, rows.shape[2])):
            chosen = [0] * len(sets)
            for half, shape, number in zip(halves, shapes, (i, j), strict=True):
                for k, place in zip(half, np.unravel_index(number, shape) if shape else (), strict=True):
                    chosen[k] = int(sets[k][place])
            yield start + problem, chosen


def _zero_products(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield where inner products of residues are 0; both of shape ``(k, choices, d)``."""
    a, b = _centred(first), _centred(second).transpose(0, 2, 1)
    step = max(1, _AT_ONCE // max(1, len(a) * b.shape[2]))
    for start in range(0, a.shape[1], step):
        products = a[:, start : start + step] @ b
        share = products * (1.0 / PRIME)
        share -= np.rint(share)
        # Rounding moves a share by less than 2^-23; whether it is one of 0 is then decided in whole numbers.
        for problem, i, j in zip(*np.nonzero(np.abs(share) < 2.0**-22), strict=True):
            if int(products[problem, i, j]) % PRIME == 0:
                yield int(problem), start + int(i), int(j)


def _centred(residues: np.ndarray) -> np.ndarray:
    """Return residues between -PRIME / 2 and PRIME / 2 in float64."""
    return np.where(residues > PRIME // 2, residues - PRIME, residues).astype(np.float64)


def _blades(rows: np.ndarray, sets: list[np.ndarray]) -> np.ndarray:
    """Return the exterior product of every choice from some sets, shape ``(k, choices, C(p, sets))``."""
    problems, _, p = rows.shape
    blades = np.ones((problems, 1, 1), dtype=np.int64)
    for degree, members in enumerate(sets):
        vectors = rows[:, None, members]
        total = np.zeros((), dtype=np.int64)
        for rest, element, sign in _terms(p, degree):
            total = total + sign * (blades[:, :, None, rest] * vectors[..., element])
        blades = modulo(total).reshape(problems, -1, total.shape[-1])
    return blades


@cache
def _terms(p: int, degree: int) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Return the terms of the product of a blade with a vector: coordinates of both, and the sign."""
    place = {subset: k for k, subset in enumerate(combinations(range(p), degree))}
    larger = list(combinations(range(p), degree + 1))
    return [
        (
            np.array([place[(*subset[:j], *subset[j + 1 :])] for subset in larger]),
            np.array([subset[j] for subset in larger]),
            (-1) ** (degree - j),
        )
        for j in range(degree + 1)
    ]


def _complement(blades: np.ndarray, p: int) -> np.ndarray:
    """Arrange coordinates so that an inner product with a blade of the other degree is the determinant."""
    degree = next(d for d in range(p // 2, p + 1) if len(_subsets(p, d)) == blades.shape[2])
    place = {subset: k for k, subset in enumerate(_subsets(p, degree))}
    others = _subsets(p, p - degree)
    order = [place[tuple(k for k in range(p) if k not in other)] for other in others]
    signs = np.array([(-1) ** (sum(other) - len(other) * (len(other) - 1) // 2) for other in others])
    return np.asarray(blades[:, :, order] * signs % PRIME)


@cache
def _subsets(p: int, size: int) -> list[tuple[int, ...]]:
    return list(combinations(range(p), size))
