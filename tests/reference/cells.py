"""Injectivity by brute force: every cell of the rows' hyperplanes inside the domain, in whole numbers.

A cell is an open polyhedral cone of homogenised points ``(x, s)``. Weakly active rows are fewest inside of
cells, so that a layer is injective on an open domain iff in every cell the positive rows span R^n.
"""

from fractions import Fraction
from math import gcd

import flint
import numpy as np

Point = tuple[int, ...]


def whole(row) -> Point:
    """A positive multiple of a row of rational numbers, in whole numbers."""
    exact = [Fraction(v) for v in row]
    common = 1
    for v in exact:
        common = common * v.denominator // gcd(common, v.denominator)
    return shortened([int(v * common) for v in exact])


def shortened(row) -> Point:
    divisor = gcd(*row)
    return tuple(v // divisor for v in row) if divisor > 1 else tuple(row)


def dot(a: Point, b: Point) -> int:
    return sum(p * q for p, q in zip(a, b, strict=True))


def signs(rows: list[Point], x: Point) -> tuple[int, ...]:
    return tuple((v > 0) - (v < 0) for v in (dot(row, x) for row in rows))


def parallel(a: Point, b: Point) -> bool:
    return shortened(a) in {shortened(b), tuple(-v for v in shortened(b))}


def restricted(row: Point, h: Point, k: int) -> Point:
    """The row as a function on the hyperplane ``h·x = 0``, whose coordinates are all but the k-th."""
    side = 1 if h[k] > 0 else -1
    return shortened([side * (row[j] * h[k] - row[k] * h[j]) for j in range(len(h)) if j != k])


def lifted(y: Point, h: Point, k: int) -> Point:
    """The point of the hyperplane with coordinates ``y``, up to a positive factor."""
    side = 1 if h[k] > 0 else -1
    rest = [j for j in range(len(h)) if j != k]
    x = [0] * len(h)
    for j, v in zip(rest, y, strict=True):
        x[j] = v * abs(h[k])
    x[k] = -side * sum(h[j] * v for j, v in zip(rest, y, strict=True))
    return shortened(x)


def beside(q: Point, h: Point, rows: list[Point], side: int) -> Point:
    """A point near ``q`` on one side of ``h``, with the signs of ``q`` on the other rows."""
    factor = 1 + max((abs(dot(row, h)) // abs(dot(row, q)) + 1 for row in rows), default=0)
    return shortened([factor * a + side * b for a, b in zip(q, h, strict=True)])


def divided(p: Point, cut: dict[tuple[int, ...], Point], h: Point, rows: list[Point]) -> list[Point]:
    """A point on each side of ``h`` where it cuts the cell of ``p``, otherwise ``p`` itself."""
    q = cut.get(signs(rows, p))
    return [p] if q is None else [beside(q, h, rows, 1), beside(q, h, rows, -1)]


def cells(negative: list[Point], rows: list[Point], dimension: int) -> list[Point]:
    """At least one point inside of every cell in the open cone on which some rows are negative.

    Cells that a further hyperplane cuts are those that share a cell of the restriction with it.
    """
    if any(not any(row) for row in negative):
        return []
    if dimension == 1:
        return [x for x in ((1,), (-1,)) if all(row[0] * x[0] < 0 for row in negative)]
    points: list[Point] = [(0,) * dimension]
    done: list[Point] = []
    for number, h in enumerate([*negative, *rows]):
        if not any(h):
            continue
        if not any(parallel(h, row) for row in done):
            k = next(j for j in range(dimension) if h[j])
            inside = [restricted(row, h, k) for row in done]
            count = min(number, len(negative))
            on_h = [lifted(y, h, k) for y in cells(inside[:count], inside[count:], dimension - 1)]
            cut = {signs(done, q): q for q in on_h}
            points = [x for p in points for x in divided(p, cut, h, done)]
        if number < len(negative):
            points = [x for x in points if dot(h, x) < 0]
        done.append(h)
    return points


def unspanned_point(weight: np.ndarray, bias: np.ndarray, G=None, h=None) -> list[Fraction] | None:
    """A point of ``{x : G x < h}`` whose weakly active rows do not span R^n, if there is one."""
    n = weight.shape[1]
    rows = [whole(row) for row in np.column_stack([weight, bias]).tolist()]
    negative = [(0,) * n + (-1,)]
    if G is not None:
        negative += [whole(row) for row in np.column_stack([G, -np.asarray(h)]).tolist()]
    known: dict[tuple[bool, ...], bool] = {}
    for x in cells(negative, rows, n + 1):
        active = tuple(dot(row, x) >= 0 for row in rows)
        if active not in known:
            chosen = [row[:-1] for row, is_active in zip(rows, active, strict=True) if is_active]
            known[active] = bool(chosen) and flint.fmpz_mat([list(row) for row in chosen]).rank() == n
        if not known[active]:
            return [Fraction(v, x[-1]) for v in x[:-1]]
    return None


def box_rows(n: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    """The inequalities of a cube, upper bounds first."""
    return np.vstack([np.eye(n), -np.eye(n)]), np.repeat([high, -low], n)


def small_layer(rng: np.random.Generator, most: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """A layer of few rows: small whole numbers or Gaussian, often with parallel, equal or zero rows."""
    n = int(rng.integers(1, most + 1))
    m = int(rng.integers(0, 4 * n + 1))
    kind = rng.integers(4)
    if kind == 0:
        weight = rng.standard_normal((m, n))
    elif kind == 1:
        base = rng.integers(-2, 3, (n, n))
        weight = np.vstack([base, -base * rng.integers(1, 3, (n, 1)), rng.integers(-2, 3, (m // 2, n))])
    elif kind == 2:
        weight = rng.integers(-1, 2, (m, n)) * (rng.random((m, n)) < 0.5)
    else:
        weight = rng.integers(-2, 3, (m, n))
    weight = rng.permutation(weight.astype(float))
    bias = rng.integers(-2, 3, len(weight)) if rng.random() < 0.6 else np.zeros(len(weight))
    return weight, bias.astype(float)
