"""Which rows of ``{c : A c <= 0}`` are 0 on all of it, by the simplex method in rational arithmetic.

For few rows where floating point cannot tell. Bland's rule (1977) keeps it from cycling.
"""

from __future__ import annotations

from dataclasses import dataclass

import flint

Row = list[flint.fmpq]  # a constant, and the coefficients of the non-basic variables after it


@dataclass(frozen=True)
class ExactPartition:
    """The two parts, with what proves them.

    Attributes:
        implied: Numbers of the rows that are 0 on the whole cone.
        weights: One number for each of them, at least 1, whose combination of rows is 0.
        c: 0 on these rows, at most -1 on the others.
    """

    implied: list[int]
    weights: list[flint.fmpq]
    c: list[flint.fmpq]


def exact_partition(a: flint.fmpq_mat) -> ExactPartition:
    """Maximise ``sum t`` over ``s = -A c - t >= 0`` and ``v = 1 - t >= 0`` with ``t >= 0``.

    Every ``t_i`` is 0 or 1 at the optimum, and the multipliers of ``s >= 0`` are the weights.

    Args:
        a: Rows of shape ``(p, k)``.
    """
    p, k = a.nrows(), a.ncols()
    zero, one = flint.fmpq(0), flint.fmpq(1)
    start = 2 * k + p  # c = c⁺ - c⁻ and t come first, then s, then v
    program = _Dictionary(list(range(start)), list(range(start, start + 2 * p)), [], [zero] * (1 + 2 * k))
    program.objective += [one] * p
    for i, row in enumerate(a.tolist()):
        chosen = [-one if j == i else zero for j in range(p)]
        program.rows.append([zero, *(-v for v in row), *row, *chosen])
    for i in range(p):
        program.rows.append([one, *[zero] * (2 * k), *(-one if j == i else zero for j in range(p))])
    program.maximise()
    value = {variable: row[0] for variable, row in zip(program.basic, program.rows, strict=True)}
    cost = dict(zip(program.free, program.objective[1:], strict=True))
    implied = [i for i in range(p) if value.get(2 * k + i, zero) == 0]
    return ExactPartition(
        implied,
        [-cost.get(start + i, zero) for i in implied],
        [value.get(j, zero) - value.get(k + j, zero) for j in range(k)],
    )


@dataclass
class _Dictionary:
    """Basic variables as affine functions of the free ones, all variables ``>= 0``.

    Attributes:
        free: Non-basic variables, 0 at the present vertex.
        basic: The others, one a row.
        rows: Their functions.
        objective: The function to maximise.
    """

    free: list[int]
    basic: list[int]
    rows: list[Row]
    objective: Row

    def maximise(self) -> None:
        """Go from vertex to vertex until no step raises the objective, which must be bounded."""
        while True:
            rising = [(v, j) for j, v in enumerate(self.free) if self.objective[j + 1] > 0]
            if not rising:
                return
            _, enter = min(rising)
            falling = [i for i, row in enumerate(self.rows) if row[enter + 1] < 0]
            leave = min(falling, key=lambda i: (-self.rows[i][0] / self.rows[i][enter + 1], self.basic[i]))
            self._exchange(leave, enter)

    def _exchange(self, leave: int, enter: int) -> None:
        """Let a free variable become basic and a basic one free."""
        column = enter + 1
        row = self.rows[leave]
        pivot = row[column]
        solved = [-v / pivot for v in row]
        solved[column] = 1 / pivot
        self.rows[leave] = solved
        for i, other in enumerate(self.rows):
            if i != leave and other[column] != 0:
                self.rows[i] = _substituted(other, solved, column)
        self.objective = _substituted(self.objective, solved, column)
        self.free[enter], self.basic[leave] = self.basic[leave], self.free[enter]


def _substituted(row: Row, solved: Row, column: int) -> Row:
    factor = row[column]
    return [
        factor * s if j == column else v + factor * s
        for j, (v, s) in enumerate(zip(row, solved, strict=True))
    ]
