"""Naive twins of `unrelu.frames`, in exact rational arithmetic, for small layers."""

from fractions import Fraction

import flint
import numpy as np


def _rational(value: float) -> flint.fmpq:
    return flint.fmpq(*float(value).as_integer_ratio())


def rank(rows: np.ndarray) -> int:
    """Rank of the numbers as stored."""
    if not rows.size:
        return 0
    return flint.fmpq_mat([[_rational(v) for v in row] for row in rows.tolist()]).rank()


def signs(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Signs of ``W x + b`` at one point."""
    point = [Fraction(v) for v in x.tolist()]
    out = []
    for row, offset in zip(weight.tolist(), bias.tolist(), strict=True):
        total = sum((Fraction(a) * v for a, v in zip(row, point, strict=True)), Fraction(offset))
        out.append((total > 0) - (total < 0))
    return np.array(out, dtype=int)


def singleton(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> tuple[int, int]:
    """1 if the strictly active rows span, 0 if the weakly active ones do not, else -1; rank of the first."""
    s, n = signs(weight, bias, x), weight.shape[1]
    strict = rank(weight[s > 0])
    if strict == n:
        return 1, strict
    return (0 if rank(weight[s >= 0]) < n else -1), strict


def margins(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> list[float]:
    """Distances of a point to the hyperplanes, 0 for zero rows; right to a few units in the last place."""
    out = []
    for row, offset in zip(weight.tolist(), bias.tolist(), strict=True):
        square = sum(Fraction(a) ** 2 for a in row)
        z = sum((Fraction(a) * Fraction(v) for a, v in zip(row, x.tolist(), strict=True)), Fraction(offset))
        out.append(_root(z * z / square) * (1 if z > 0 else -1) if square else 0.0)
    return out


def _root(value: Fraction) -> float:
    """Square root to 60 digits, rounded; infinite beyond the range of floats."""
    root = flint.fmpz(int(value * 10**120 * value.denominator**2)).isqrt()
    try:
        return float(Fraction(int(root), 10**60 * value.denominator))
    except OverflowError:
        return float("inf")


def radius(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> float:
    """Largest r such that the rows with margins of at least r span: greedy, rank by rank."""
    distance = margins(weight, bias, x)
    chosen: list[int] = []
    for row in sorted(np.flatnonzero(signs(weight, bias, x) > 0), key=lambda k: -distance[k]):
        if rank(weight[[*chosen, row]]) > len(chosen):
            chosen.append(int(row))
            if len(chosen) == weight.shape[1]:
                return distance[row]
    return 0.0


def lines(weight: np.ndarray) -> tuple[list[int], list[int]]:
    """First row on every row's line and the sign of the multiple; -1 and 0 for zero rows."""
    exact = [[Fraction(v) for v in row] for row in weight.tolist()]
    line, sign = [], []
    for row in exact:
        multiples = ((k, _multiple(row, head)) for k, head in enumerate(exact))
        first, multiple = next(((k, c) for k, c in multiples if c), (-1, Fraction(0)))
        line.append(first)
        sign.append((multiple > 0) - (multiple < 0))
    return line, sign


def _multiple(row: list[Fraction], head: list[Fraction]) -> Fraction:
    """The number by which ``head`` is multiplied to give ``row``, 0 if there is none."""
    place = next((k for k, v in enumerate(head) if v), None)
    factor = row[place] / head[place] if place is not None else Fraction(0)
    return factor if all(a == factor * b for a, b in zip(row, head, strict=True)) else Fraction(0)
