"""Determinants of all choices of one row from each of p sets, modulo a prime (Laplace's expansion).

The choices from one half of the sets are expanded into their exterior products, and those of the other half,
so that the determinants are inner products: one multiplication of matrices. Residues lie between -PRIME / 2
and PRIME / 2, so small that float64 holds every sum exactly.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import combinations

import numpy as np

from unrelu.certificates.injective._residues import PRIME

MOST_SETS = 6  # of more sets, exterior products have so many coordinates that elimination is faster
_AT_ONCE = 1 << 17


def singular_choices(rows: np.ndarray, widths: list[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield the choices whose determinant is 0 modulo the prime.

    Args:
        rows: Residues, the sets one after another, for many problems of one shape: ``(k, sum of widths, p)``.
        widths: Sizes of the p sets.

    Yields:
        The problem, and the position of the chosen row of each set, in the order of the sets.
    """
    centred = _reduced(rows.astype(np.float64))
    ends = np.cumsum(widths).tolist()
    sets = [np.arange(end - width, end) for width, end in zip(widths, ends, strict=True)]
    order = sorted(range(len(sets)), key=lambda k: -widths[k])
    halves = order[: len(order) // 2 * 2 : 2], order[1::2] + order[len(order) // 2 * 2 :]
    shapes = [[widths[k] for k in half] for half in halves]
    step = max(1, _AT_ONCE // max(1, int(np.prod(widths))))
    for start in range(0, len(rows), step):
        part = centred[start : start + step]
        first, second = (_blades(part, [sets[k] for k in half]) for half in halves)
        for problem, i, j in _zero_products(first, _complement(second, rows.shape[2], len(halves[1]))):
            chosen = [0] * len(sets)
            for half, shape, number in zip(halves, shapes, (i, j), strict=True):
                for k, place in zip(half, _digits(number, shape), strict=True):
                    chosen[k] = int(sets[k][place])
            yield start + problem, chosen


def _digits(number: int, shape: list[int]) -> list[int]:
    """Return the choice from each set that a number stands for, the last one counting fastest."""
    digits = []
    for width in reversed(shape):
        number, digit = divmod(number, width)
        digits.append(digit)
    return digits[::-1]


def _zero_products(first: np.ndarray, second: np.ndarray) -> Iterator[tuple[int, int, int]]:
    """Yield where inner products of residues are 0; both of shape ``(k, choices, d)``."""
    turned = second.transpose(0, 2, 1)
    step = max(1, _AT_ONCE // max(1, len(first) * turned.shape[2]))
    for start in range(0, first.shape[1], step):
        products = _reduced(first[:, start : start + step] @ turned)
        if not products.all():
            for problem, i, j in zip(*(part.tolist() for part in np.nonzero(products == 0)), strict=True):
                yield problem, start + i, j


def _reduced(values: np.ndarray) -> np.ndarray:
    """Return residues of whole numbers below 2^53 in size: at most PRIME / 2 in size, but for rounding."""
    quotient = values * (1.0 / PRIME)
    np.rint(quotient, out=quotient)
    quotient *= -PRIME
    quotient += values
    return quotient


def _blades(rows: np.ndarray, sets: list[np.ndarray]) -> np.ndarray:
    """Return the exterior product of every choice from some sets, shape ``(k, choices, C(p, sets))``."""
    problems, _, p = rows.shape
    last = np.ascontiguousarray(rows.transpose(2, 1, 0))  # long inner loops: the problems come last
    blades = np.ones((1, 1, problems))
    for degree, members in enumerate(sets):
        vectors = last[:, None, members]
        total = np.zeros((len(_subsets(p, degree + 1)), blades.shape[1], len(members), problems))
        for rest, element, sign in _terms(p, degree):
            total += blades[rest][:, :, None] * (sign * vectors[element])
        blades = _reduced(total).reshape(len(total), -1, problems)
    return np.ascontiguousarray(blades.transpose(2, 1, 0))


@cache
def _terms(p: int, degree: int) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Return the terms of the product of a blade with a vector: coordinates of both, and the sign."""
    place = {subset: k for k, subset in enumerate(_subsets(p, degree))}
    larger = _subsets(p, degree + 1)
    return [
        (
            np.array([place[(*subset[:j], *subset[j + 1 :])] for subset in larger]),
            np.array([subset[j] for subset in larger]),
            (-1) ** (degree - j),
        )
        for j in range(degree + 1)
    ]


def _complement(blades: np.ndarray, p: int, degree: int) -> np.ndarray:
    """Arrange coordinates so that an inner product with a blade of the other degree is the determinant."""
    order, signs = _duals(p, degree)
    return np.asarray(blades[:, :, order] * signs)


@cache
def _duals(p: int, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Return, for the coordinates of the other degree, those that complete them, with signs."""
    place = {subset: k for k, subset in enumerate(_subsets(p, degree))}
    others = _subsets(p, p - degree)
    order = [place[tuple(k for k in range(p) if k not in other)] for other in others]
    signs = [(-1) ** (sum(other) - len(other) * (len(other) - 1) // 2) for other in others]
    return np.array(order), np.array(signs)


@cache
def _subsets(p: int, size: int) -> list[tuple[int, ...]]:
    return list(combinations(range(p), size))
