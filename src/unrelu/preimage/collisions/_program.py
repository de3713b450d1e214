"""The steps ``d`` from an input ``x`` that keep an output: a polyhedron around 0."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from unrelu.domains import Box, Orthant, Space
from unrelu.frames._scaling import near_one, scaled_rows

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.frames._scaling import Rows

_FAR = 1e18  # slack, in rows and steps of size 1, that is as good as infinite
_MARGIN = 1e-9  # kept from every border that x itself is off, relative to rows and steps of size 1


@dataclass(frozen=True)
class Program:
    """All ``d`` with ``equal d = 0, below d <= slack, lower <= d <= upper``, of which 0 is one.

    Rows are multiplied by powers of two that bring their largest entries near 1.

    Attributes:
        origin: The input ``x`` that steps start from, shape ``(n,)``.
        unit: What steps are measured in, a power of two: ``d`` leads to ``x + unit d``.
        equal: Shape ``(p, n)``.
        below: Shape ``(q, n)``.
        slack: Not negative, shape ``(q,)``.
        lower: Not positive, maybe infinite, shape ``(n,)``.
        upper: Not negative, likewise.
        numbers: Which of the rows given each row of ``below`` is: rows of zeros are left out.
    """

    origin: np.ndarray
    unit: float
    equal: Rows
    below: Rows
    slack: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    numbers: np.ndarray

    def narrowed(self, share: float) -> Program:
        """Keep off borders by this share of the margin, or of half the distance of 0 where that is less."""
        slack, low, high = (
            v - share * np.minimum(0.5 * v, _MARGIN) for v in (self.slack, -self.lower, self.upper)
        )
        return replace(self, slack=slack, lower=-low, upper=high)

    def limited(self, size: float) -> Program:
        """Let no entry of a step exceed a size."""
        return replace(self, lower=np.maximum(self.lower, -size), upper=np.minimum(self.upper, size))


def make_program(
    x: np.ndarray,
    equal: Rows,
    below: tuple[Rows, np.ndarray],
    domain: Domain,
    size: float,
) -> Program:
    """Scale rows and steps.

    Args:
        x: The input, inside the domain.
        equal: Rows that must not change.
        below: Rows that may rise, and by how much, none negative.
        domain: A polyhedral domain.
        size: Of typical inputs; where it is 0, the distances to the borders tell what is typical.
    """
    lower, upper = limits(domain, len(x))
    G, room = _faces(domain, x)
    rows, slack = _stacked(below[0], G), np.concatenate([below[1], room])
    by_row, numbers = near_one(rows), np.flatnonzero(largest_entries(rows) > 0)
    equal = equal[largest_entries(equal) > 0]
    with np.errstate(over="ignore"):
        slack = slack * by_row
        off = slack[slack > 0]
        unit = _power_of_two(size or (float(np.median(off)) if len(off) else 1.0))
        return Program(
            x,
            unit,
            scaled_rows(equal, near_one(equal)),
            scaled_rows(rows, by_row)[numbers],
            np.minimum(slack[numbers] / unit, _FAR),
            (lower - x) / unit,
            (upper - x) / unit,
            numbers,
        )


def limits(domain: Domain, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of single entries in a domain, infinite where it has none."""
    if isinstance(domain, Box):
        return domain.bounds(n)
    return np.full(n, 0.0 if isinstance(domain, Orthant) else -np.inf), np.full(n, np.inf)


def _faces(domain: Domain, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the domain's other rows, and how far they may rise from ``x``."""
    if isinstance(domain, Box | Orthant | Space):
        return np.zeros((0, len(x))), np.zeros(0)
    G, h = domain.inequalities(len(x))
    return G, np.maximum(h - G @ x, 0)


def _power_of_two(size: float) -> float:
    return float(np.ldexp(1.0, int(np.clip(np.frexp(size)[1] - 1, -1000, 1000))))


def largest_entries(rows: Rows) -> np.ndarray:
    """Return the largest size of an entry of each row."""
    if isinstance(rows, np.ndarray):
        return np.asarray(np.abs(rows).max(axis=1, initial=0))
    return np.asarray(abs(rows).max(axis=1).toarray().reshape(-1))


def _stacked(a: Rows, b: np.ndarray) -> Rows:
    if not len(b):
        return a
    if isinstance(a, np.ndarray):
        return np.concatenate([a, b])
    return sp.csr_array(sp.vstack([a, sp.csr_array(b)]))
