"""Naive twin of `unrelu.preimage`: elimination of variables (Fourier and Motzkin) in rational arithmetic."""

from fractions import Fraction
from math import gcd

import numpy as np

Row = tuple[tuple[int, ...], bool]  # a · x <= 0 with the last entry for the constant, or < 0


def _row(values, offset, strict: bool) -> Row:
    """Scale ``values · x + offset <= 0`` to whole numbers without a common factor."""
    exact = [Fraction(v) for v in (*values, offset)]
    scale = 1
    for v in exact:
        scale = scale * v.denominator // gcd(scale, v.denominator)
    return _reduced([int(v * scale) for v in exact], strict)


def _reduced(whole: list[int], strict: bool) -> Row:
    common = gcd(*whole)
    return (tuple(v // common for v in whole) if common else tuple(whole)), strict


def feasible(rows: list[Row], n: int) -> bool:
    """Whether some x fulfils all rows: variables are eliminated one after another."""
    current = set(rows)
    for _ in range(n):
        # The variable that leaves the fewest rows.
        j = min(range(n), key=lambda j: _growth(current, j))
        up = [r for r in current if r[0][j] > 0]
        down = [r for r in current if r[0][j] < 0]
        current = {r for r in current if r[0][j] == 0}
        for a, strict_a in up:
            for b, strict_b in down:
                combined = [-b[j] * p + a[j] * q for p, q in zip(a, b, strict=True)]
                current.add(_reduced(combined, strict_a or strict_b))
        current = {r for r in current if not (not r[1] and (r[0], True) in current)}
        if any(_false(r) for r in current):
            return False
    return not any(_false(r) for r in current)


def _growth(rows: set[Row], j: int) -> int:
    up, down = sum(r[0][j] > 0 for r in rows), sum(r[0][j] < 0 for r in rows)
    return up * down - up - down if up + down else 10**9


def _false(row: Row) -> bool:
    (*values, offset), strict = row
    return not any(values) and (offset > 0 or (strict and offset == 0))


class Polyhedron:
    """``{x : E x + e = 0, G x + g <= 0}``, as a substitution of the equalities and rows in what is left."""

    def __init__(self, equalities, inequalities) -> None:
        """Take rows ``(values, offset)`` of rational numbers."""
        self.n = len((*equalities, *inequalities)[0][0])
        self.empty = False
        self.substitution: list[tuple[int, list[Fraction]]] = []
        for values, offset in equalities:
            row = self._substituted([Fraction(v) for v in (*values, offset)])
            pivot = next((j for j in range(self.n) if row[j]), None)
            if pivot is None:
                self.empty = self.empty or row[-1] != 0
            else:
                self.substitution.append((pivot, [-v / row[pivot] for v in row]))
        self.free = self.n - len(self.substitution)
        self.rows = [self._substituted([Fraction(v) for v in (*values, o)]) for values, o in inequalities]

    def _substituted(self, row: list[Fraction]) -> list[Fraction]:
        for pivot, by in self.substitution:
            factor, row[pivot] = row[pivot], Fraction(0)
            row = [v + factor * w if k != pivot else v for k, (v, w) in enumerate(zip(row, by, strict=True))]
        return row

    def has_point(self, *extra: tuple[list[Fraction], bool]) -> bool:
        """Whether some point fulfils these rows, ``<= 0`` or strictly, as well."""
        rows = [_row(r[:-1], r[-1], False) for r in self.rows]
        rows += [_row((r := self._substituted(list(v)))[:-1], r[-1], strict) for v, strict in extra]
        return not self.empty and feasible(rows, self.n)

    def implied(self) -> list[int]:
        """Inequalities that hold with equality everywhere."""
        return [k for k, row in enumerate(self.rows) if not self.has_point((row, True))]

    def dimension(self) -> int:
        """Affine dimension."""
        implied = self.implied()
        return self.free - rank([self.rows[k][:-1] for k in implied])

    def unbounded(self) -> bool:
        """Whether the cone of directions holds more than 0: some coordinate is 1 or -1 in it."""
        for j in range(self.n):
            for sign in (1, -1):
                unit = [Fraction(0)] * (self.n + 1)
                unit[j], unit[-1] = Fraction(-sign), Fraction(1)
                cone = Polyhedron([], [([0] * self.n, 0)])
                cone.substitution = [(p, [*by[:-1], Fraction(0)]) for p, by in self.substitution]
                cone.rows = [[*row[:-1], Fraction(0)] for row in self.rows]
                if cone.has_point((unit, False)):
                    return True
        return False


def rank(rows: list[list[Fraction]]) -> int:
    """Rank by elimination."""
    rows, found = [list(r) for r in rows], 0
    while rows:
        row = rows.pop()
        pivot = next((j for j, v in enumerate(row) if v), None)
        if pivot is not None:
            found += 1
            rows = [[a - r[pivot] / row[pivot] * b for a, b in zip(r, row, strict=True)] for r in rows]
    return found


def polyhedron(weight, bias, y, G=None, h=None) -> Polyhedron:
    """The preimage of ``y``, entries rational, in ``{x : G x <= h}``."""
    n = weight.shape[1]
    equalities, inequalities = [], [([0] * n, 0)]
    for w, b, value in zip(weight.tolist(), bias.tolist(), y, strict=True):
        if value > 0:
            equalities.append((w, Fraction(b) - Fraction(value)))
        else:
            inequalities.append((w, b))
    for g, limit in zip([] if G is None else G.tolist(), [] if h is None else h.tolist(), strict=True):
        inequalities.append((g, -Fraction(limit)))
    return Polyhedron(equalities, inequalities)


def output(weight: np.ndarray, bias: np.ndarray, x: np.ndarray) -> list[Fraction]:
    """``relu(W x + b)``, exactly."""
    point = [Fraction(v) for v in x.tolist()]
    return [
        max(Fraction(0), sum((Fraction(a) * v for a, v in zip(w, point, strict=True)), Fraction(b)))
        for w, b in zip(weight.tolist(), bias.tolist(), strict=True)
    ]


def preimage(weight, bias, y, G=None, h=None) -> tuple[str, int]:
    """Kind and dimension of the preimage of ``y``; ``("empty", -1)`` where there is none."""
    found = polyhedron(weight, bias, y, G, h)
    if not found.has_point():
        return "empty", -1
    dimension = found.dimension()
    if dimension == 0:
        return "singleton", 0
    return ("unbounded" if found.unbounded() else "bounded"), dimension


def omnidirectional(matrix: np.ndarray) -> bool:
    """Whether ``A d <= 0`` has no solution but 0."""
    n = matrix.shape[1]
    return not Polyhedron([], [([0] * n, 0), *((row, 0) for row in matrix.tolist())]).unbounded()
