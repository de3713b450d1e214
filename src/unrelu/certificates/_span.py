"""The span of rows: independent rows modulo a prime, the rank over the rationals, and corrections.

Rows with a single entry are taken out first, with their columns. Of the others a basis ``B`` is found by
elimination modulo a prime, which proves it independent. For an approximate right inverse ``X``, a hint from
floating point, ``Delta = B X - 2^q I`` is computed exactly; where its norm is below ``2^q``, it bounds how
far a vector has to be moved to meet equations exactly (Rump 2010, Section 10, with integers in place of
intervals).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import gcd

import flint
import numpy as np

from unrelu.certificates._rows import IntegerRows, Rows, residues

PRIME = 2**31 - 1
_ELIMINATION = 3e9  # estimated bit operations of an elimination over the integers: some seconds
_BITS = 52  # of the right inverse
_LARGEST = 2.0**100  # entry of an inverse that may be of use


@dataclass(frozen=True)
class RightInverse:
    """``B X = 2^q I + Delta`` for integers, with ``Delta`` small.

    Attributes:
        positions: Which rows, times powers of two, make ``B``.
        shifts: These powers.
        b: ``B``, shape ``(r, n)``.
        x: ``X``, shape ``(n, r)``.
        one: ``2^q``.
        sizes: For every row of ``X`` the sum of the sizes of its entries.
        rows: ``2^q`` minus the largest sum of sizes in a row of ``Delta``, positive.
        columns: ``2^q`` minus the largest sum of sizes in a column, positive.
    """

    positions: list[int]
    shifts: list[int]
    b: flint.fmpz_mat
    x: flint.fmpz_mat
    one: int
    sizes: list[int]
    rows: int
    columns: int


@dataclass(frozen=True)
class Moved:
    """An integer vector, and by how much it is moved to meet equations exactly.

    Attributes:
        vector: Where it starts.
        steps: Entry ``j`` is moved by at most ``steps[j] * residual / scale``.
        residual: How far the equations are missed.
        scale: Positive.
        factor: What the vector given was multiplied by, positive.
    """

    vector: list[int]
    steps: list[int]
    residual: int = 0
    scale: int = 1
    factor: int = 1

    def negative(self, rows: IntegerRows) -> list[bool]:
        """Say for each row whether its product with the moved vector is proved negative."""
        products = rows.times(self.vector)
        if not self.residual:
            return [v < 0 for v in products]
        moves = rows.absolute().times(self.steps)
        return [v * self.scale + self.residual * m < 0 for v, m in zip(products, moves, strict=True)]


class Span:
    """Rows that vanish together.

    Attributes:
        rows: The rows as floats.
        whole: The same rows as integers.
        single: For a column that a row with one entry has: the first such row.
        others: Numbers of the other rows.
        free: The columns that no row with one entry has.
    """

    def __init__(self, rows: Rows, whole: IntegerRows, columns: np.ndarray | None = None) -> None:
        """Take rows.

        Args:
            rows: As floats.
            whole: The same rows as integers, rows and columns scaled by powers of two.
            columns: The columns in which vectors may be moved, all others held; with ``None`` all are free,
                and rows with one entry are taken out.
        """
        self.rows, self.whole = rows, whole
        self.single: dict[int, int] = {}
        if columns is None:
            lengths = np.diff(rows.starts)
            for i in np.flatnonzero(lengths == 1).tolist():
                self.single.setdefault(int(rows.columns[rows.starts[i]]), i)
            fixed = np.zeros(rows.n, dtype=bool)
            fixed[list(self.single)] = True
            self.free, self.others = np.flatnonzero(~fixed), np.flatnonzero(lengths > 1)
        else:
            self.free, self.others = columns, np.arange(rows.m)
        self._inner = rows.take(self.others).within(self.free)

    @cached_property
    def basis(self) -> np.ndarray:
        """Positions in ``others`` of rows that are independent on the free columns."""
        return _independent(self._inner, np.arange(self._inner.m))

    @property
    def rank(self) -> int:
        """A proved lower bound of the rank."""
        return len(self.single) + len(self.basis)

    @cached_property
    def rank_is_exact(self) -> bool:
        """Whether the rank is proved to be no larger."""
        inner, r = self._inner, len(self.basis)
        if r in {inner.m, len(np.unique(inner.columns))}:
            return True
        distinct = list({primitive(row): row for row in self._integers}.values())
        distinct = [row for row in distinct if any(row)]
        if len(distinct) == r:
            return True
        bits = max(v.bit_length() for row in distinct for v in row)
        if float(r) ** 3 * len(distinct) * bits > _ELIMINATION:
            return False
        return int(flint.fmpz_mat(distinct).rank()) == r

    @cached_property
    def _integers(self) -> list[list[int]]:
        place = np.full(self.rows.n, -1)
        place[self.free] = np.arange(len(self.free))
        out = []
        for i in self.others.tolist():
            columns, entries = self.whole.row(i)
            row = [0] * len(self.free)
            for k, v in zip(place[columns].tolist(), entries, strict=True):
                if k >= 0:
                    row[k] = v
            out.append(row)
        return out

    def meet(self, vector: list[int], residuals: list[int]) -> Moved | None:
        """Move a vector in the free columns until its products with the rows are less by the residuals.

        Args:
            vector: The vector.
            residuals: One a row, in the range of the rows: the products of some vector.

        Returns:
            The vector after a step that leaves little to do; ``None`` where nothing is proved.
        """
        if not any(residuals):
            return Moved(vector, [0] * len(vector))
        inverse = self.right_inverse
        if inverse is None:
            return None
        pairs = zip(inverse.positions, inverse.shifts, strict=True)
        missed = [residuals[self.others[k]] << shift for k, shift in pairs]
        step = inverse.x * flint.fmpz_mat(len(missed), 1, missed)
        still = inverse.b * step
        moved, steps = [v * inverse.one for v in vector], [0] * len(vector)
        for k, j in enumerate(self.free.tolist()):
            moved[j] -= int(step[k, 0])
            steps[j] = inverse.sizes[k]
        residual = max(abs(r * inverse.one - int(still[k, 0])) for k, r in enumerate(missed))
        return Moved(moved, steps, residual, inverse.rows, inverse.one)

    @cached_property
    def right_inverse(self) -> RightInverse | None:
        """A right inverse of the basis on the free columns, ``None`` where none is proved to be one."""
        if not len(self.basis) or not self.rank_is_exact:
            return None
        found = _right_inverse(self._integers, self.basis.tolist())
        if found is None and len(self.basis) < self._inner.m:
            # The first rows that are independent are nearly dependent: others may serve.
            others = _independent(self._inner, _best_first(_unit(self._integers)))
            return _right_inverse(self._integers, others.tolist())
        return found


def _independent(rows: Rows, order: np.ndarray) -> np.ndarray:
    """Return rows that are independent modulo a prime, and span the others, the first in an order."""
    if not rows.m or not rows.n:
        return np.zeros(0, dtype=np.int64)
    return order[first_independent(residue_matrix(rows.take(order)))]


def first_independent(matrix: flint.nmod_mat) -> list[int]:
    """Return the numbers of rows that are independent modulo a prime, the first ones, ascending."""
    reduced, rank = matrix.transpose().rref()
    pivots, j = [], 0
    for i in range(rank):
        while int(reduced[i, j]) == 0:
            j += 1
        pivots.append(j)
    return pivots


def _best_first(table: np.ndarray) -> np.ndarray:
    """Return an order of rows in which each is far from the span of those before it (Gram and Schmidt)."""
    left = table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), np.finfo(float).tiny)
    order: list[int] = []
    for _ in range(min(table.shape)):
        norms = np.linalg.norm(left, axis=1)
        norms[order] = -1.0
        k = int(norms.argmax())
        unit = left[k] / max(norms[k], np.finfo(float).tiny)
        left = left - np.outer(left @ unit, unit)
        order.append(k)
    return np.array([*order, *np.setdiff1d(np.arange(len(table)), order)], dtype=np.int64)


def rank_modulo_prime(rows: Rows) -> int:
    """Return the rank modulo a prime, a lower bound of the rank; fewer rows are tried first."""
    for count in (rows.n + 16, rows.m):
        part = rows.take(np.arange(min(count, rows.m)))
        rank = residue_matrix(part).rank() if part.m else 0
        if rank == rows.n or part.m == rows.m:
            break
    return int(rank)


def residue_matrix(rows: Rows) -> flint.nmod_mat:
    """Return rows, each times a power of two, modulo the prime."""
    return flint.nmod_mat(rows.m, rows.n, residues(rows, PRIME), PRIME)


def _right_inverse(rows: list[list[int]], positions: list[int]) -> RightInverse | None:
    """Return a right inverse of some rows, brought to one size so that its columns are of one size too."""
    lengths = [max(v.bit_length() for v in rows[k]) for k in positions]
    length = max(lengths)
    shifts = [length - own for own in lengths]
    table = [[v << shift for v in rows[k]] for k, shift in zip(positions, shifts, strict=True)]
    hint = _hint(_unit(table))
    largest = float(np.abs(hint).max(initial=0.0))
    if not 0 < largest < _LARGEST:
        return None
    exponent = _BITS - int(np.frexp(largest)[1])
    if length + exponent < 1:
        return None
    b = flint.fmpz_mat(table)
    x = flint.fmpz_mat(np.rint(np.ldexp(hint, exponent)).astype(np.int64).tolist())
    one = 1 << length + exponent
    sizes = [list(map(abs, map(int, row))) for row in (b * x - one * _identity(len(table))).tolist()]
    by_row, by_column = one - max(map(sum, sizes)), one - max(map(sum, zip(*sizes, strict=True)))
    if by_row <= 0 or by_column <= 0:
        return None
    totals = [sum(map(abs, map(int, row))) for row in x.tolist()]
    return RightInverse(positions, shifts, b, x, one, totals, by_row, by_column)


def _unit(rows: list[list[int]]) -> np.ndarray:
    """Return rows in floating point, each divided by a power of two above its entries."""
    lengths = [max((v.bit_length() for v in row), default=0) for row in rows]
    return np.array([[v / (1 << length) for v in row] for row, length in zip(rows, lengths, strict=True)])


def _hint(unit: np.ndarray) -> np.ndarray:
    """Return a right inverse in floating point, or something that is none."""
    q, r = np.linalg.qr(unit.T)
    try:
        return np.asarray(q @ np.linalg.inv(r).T)
    except np.linalg.LinAlgError:
        return np.zeros((0, 0))


def _identity(size: int) -> flint.fmpz_mat:
    return flint.fmpz_mat(size, size, [int(i == j) for i in range(size) for j in range(size)])


def primitive(row: list[int]) -> tuple[int, ...]:
    """Return the shortest multiple of a row whose first entry is positive."""
    common = gcd(*row)
    first = next((v for v in row if v), 1)
    common = -common if first < 0 else common
    return tuple(v // common for v in row) if common else tuple(row)
