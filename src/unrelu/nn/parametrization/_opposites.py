"""Rows that are opposite in rational arithmetic, and the whole numbers that tell their ratio."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from unrelu.frames import DenseFrame

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHOICE = 1000  # rows of one sign on a line: of more there is a good pair among so many

Sides: TypeAlias = tuple[list[int], list[int]]
Pair: TypeAlias = tuple[tuple[int, int], tuple[float, float]]  # rows, and p and q


@dataclass(frozen=True, eq=False)
class Opposites:
    """Disjoint pairs of rows ``p u`` and ``-q u`` with whole numbers ``0 < p <= q`` without common factor.

    Attributes:
        rows: Their numbers, the shorter row first. Shape ``(pairs, 2)``, int64.
        multiples: ``p`` and ``q``. Shape ``(pairs, 2)``, float64.
    """

    rows: np.ndarray
    multiples: np.ndarray

    @property
    def are_plain(self) -> np.ndarray:
        """Whether ``q / p`` is a power of two, for each pair."""
        return np.asarray((odd_part(self.multiples)[0] == 1).all(axis=1))

    def at(self, index: np.ndarray) -> Opposites:
        """Return some of the pairs."""
        return Opposites(self.rows[index], self.multiples[index])


def opposite_rows(weight: np.ndarray, largest: float = float(np.finfo(np.float64).max)) -> Opposites:
    """Return pairs of rows that are opposite, exactly.

    On each line through 0 these are all those whose ratio is a power of two; where there is none, the one
    pair whose ``p`` and ``q`` have the fewest digits.

    Args:
        weight: Shape ``(m, k)``.
        largest: Of the numbers that ``q`` may be.
    """
    lines = DenseFrame(weight).directions
    first = np.take_along_axis(weight, (weight != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    parts = odd_part(np.abs(first))
    sides: dict[int, Sides] = {}
    for row in np.flatnonzero(lines.line >= 0).tolist():
        sides.setdefault(int(lines.line[row]), ([], []))[int(lines.sign[row] < 0)].append(row)
    found = sorted(pair for line in sides.values() for pair in _pairs_on_line(line, *parts, largest))
    return Opposites(
        np.array([rows for rows, _ in found], dtype=np.int64).reshape(-1, 2),
        np.array([multiples for _, multiples in found], dtype=np.float64).reshape(-1, 2),
    )


def odd_part(numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return whole numbers without a factor of 2, and the powers of two that go with them.

    Args:
        numbers: Finite and not negative, float64.

    Returns:
        Two arrays of int64; 0 has the odd part 0.
    """
    fraction, power = np.frexp(numbers)
    whole = (fraction * 2.0**53).astype(np.int64)
    lowest = np.where(whole > 0, whole & -whole, 1)
    return whole // lowest, power.astype(np.int64) - 53 + np.log2(lowest).astype(np.int64)


def _pairs_on_line(sides: Sides, odd: np.ndarray, exponent: np.ndarray, largest: float) -> list[Pair]:
    """Return the pairs on a line: those whose ratio is a power of two, or the shortest other one."""
    plain = [_measured(pair, odd, exponent) for pair in _plain_pairs(sides, odd)]
    plain = [pair for pair in plain if pair[1][1] <= largest]
    if plain:
        return plain
    others = (_measured(pair, odd, exponent) for pair in _from_short_to_long(sides, odd))
    return list(islice((pair for pair in others if pair[1][1] <= largest), 1))


def _plain_pairs(sides: Sides, odd: np.ndarray) -> list[tuple[int, int]]:
    """Return disjoint pairs whose ratio is a power of two."""
    alike: dict[int, Sides] = {}
    for side, rows in enumerate(sides):
        for row in rows:
            alike.setdefault(int(odd[row]), ([], []))[side].append(row)
    return [pair for equal in alike.values() for pair in zip(*equal, strict=False)]


def _from_short_to_long(sides: Sides, odd: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield all pairs, those first whose ratio has few digits."""
    one, other = (np.array(rows[:_CHOICE], dtype=np.int64) for rows in sides)
    common = np.gcd.outer(odd[one], odd[other])
    digits = np.maximum(odd[one][:, None], odd[other]) // common
    for at in digits.argsort(axis=None, kind="stable"):
        i, j = divmod(int(at), len(other))
        yield int(one[i]), int(other[j])


def _measured(pair: tuple[int, int], odd: np.ndarray, exponent: np.ndarray) -> Pair:
    """Return a pair with the shorter row first, the first one of equals, and ``p`` and ``q``."""
    rows = list(pair)
    common, least = math.gcd(*odd[rows].tolist()), int(exponent[rows].min())
    multiples = [int(odd[row]) // common << int(exponent[row]) - least for row in rows]
    (p, i), (q, j) = sorted(zip(multiples, rows, strict=True))
    return (i, j), (float(p), float(q) if q.bit_length() <= 1024 else math.inf)
