"""The cone ``{d : E d = 0, G d <= 0}`` for few rows, in rational arithmetic."""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np

from unrelu.preimage.cones._balance import Partition
from unrelu.preimage.cones._cone import Cone
from unrelu.preimage.cones._exact_partition import ExactPartition, exact_partition
from unrelu.preimage.cones._partition import partition

EXACT_ENTRIES = 2500  # elimination with rationals takes a tenth of a second
_SIMPLEX_ENTRIES = 250  # the simplex method with rationals takes seconds


def exact_cone(equalities: np.ndarray, inequalities: np.ndarray) -> Cone | None:
    """Decide the dimension of ``{d : E d = 0, G d <= 0}``.

    A partition of ``G`` found in floating point is checked first; where it is wrong, the partition itself is
    found in rational arithmetic.

    Args:
        equalities: ``E``, shape ``(p, n)``.
        inequalities: ``G``, shape ``(q, n)``.

    Returns:
        The dimension with exact proofs; ``None`` where that is too long a way.
    """
    e, g = rational(equalities), rational(inequalities)
    complement, _ = kernel(e)
    if complement.ncols() == 0:
        return Cone(0, 0, np.zeros(0, dtype=int))
    reduced = g * complement
    guess = partition(_unit_rows(reduced), 0.0)
    found = _checked(reduced, guess) if guess else None
    if found is None:
        if reduced.nrows() * reduced.ncols() > _SIMPLEX_ENTRIES:
            return None
        found = exact_partition(reduced)
    implied = np.array(found.implied, dtype=int)
    flat, _ = kernel(_rows(reduced, implied))
    dimension = flat.ncols()
    # Without a row to be negative on, any direction will do but 0.
    inner = flat * _ones(dimension) if len(implied) == len(inequalities) else _column(found.c)
    multipliers = _combination(e, _rows(g, implied), _column(found.weights))
    direction = fractions(complement * inner) if dimension else None
    used_lp = guess is None or guess.used_lp
    return Cone(dimension, dimension, implied, multipliers, direction, used_lp)


def _checked(reduced: flint.fmpq_mat, guess: Partition) -> ExactPartition | None:
    """Return the partition with vectors made exact, ``None`` where they then have wrong signs."""
    implied, strict = np.flatnonzero(guess.implied), np.flatnonzero(~guess.implied)
    zero_rows = _rows(reduced, implied)
    flat, free = kernel(zero_rows)
    c = flat * rational(guess.c[free, None])
    relations, free = kernel(zero_rows.transpose())
    weights = relations * rational(guess.weights[implied][free, None])
    right = all(w > 0 for w in weights.entries()) and all(
        v < 0 for v in (_rows(reduced, strict) * c).entries()
    )
    return ExactPartition(implied.tolist(), weights.entries(), c.entries()) if right else None


def rational(matrix: np.ndarray) -> flint.fmpq_mat:
    """Return the stored numbers."""
    p, n = matrix.shape
    return flint.fmpq_mat(p, n, [flint.fmpq(*v.as_integer_ratio()) for v in matrix.ravel().tolist()])


def fractions(column: flint.fmpq_mat) -> np.ndarray:
    """Return a column as an array of Fractions."""
    out = np.empty(column.nrows(), dtype=object)
    out[:] = [Fraction(int(v.p), int(v.q)) for v in column.entries()]
    return out


def kernel(matrix: flint.fmpq_mat) -> tuple[flint.fmpq_mat, list[int]]:
    """Return a basis of the null space as columns, and the coordinates in which it is the identity."""
    p, n = matrix.nrows(), matrix.ncols()
    reduced, rank = matrix.rref() if p else (matrix, 0)
    table = reduced.tolist()[:rank]
    pivot = [next(j for j in range(n) if row[j] != 0) for row in table]
    free = [j for j in range(n) if j not in set(pivot)]
    basis = flint.fmpq_mat(n, len(free))
    for column, j in enumerate(free):
        basis[j, column] = 1
        for row, i in zip(table, pivot, strict=True):
            basis[i, column] = -row[j]
    return basis, free


def _combination(e: flint.fmpq_mat, implied: flint.fmpq_mat, weights: flint.fmpq_mat) -> np.ndarray:
    """Complete the weights by multipliers of the equalities, which exist."""
    right = implied.transpose() * weights if weights.nrows() else flint.fmpq_mat(e.ncols(), 1)
    p = e.nrows()
    augmented = flint.fmpq_mat(e.ncols(), p + 1)
    for i in range(e.ncols()):
        for j in range(p):
            augmented[i, j] = e[j, i]
        augmented[i, p] = -right[i, 0]
    reduced, rank = augmented.rref()
    mu = flint.fmpq_mat(p, 1)
    for row in reduced.tolist()[:rank]:
        mu[next(j for j in range(p) if row[j] != 0), 0] = row[p]
    return np.concatenate([fractions(mu), fractions(weights)])


def _unit_rows(matrix: flint.fmpq_mat) -> np.ndarray:
    """Return the rows in float64, each divided by its largest entry."""
    rows = np.zeros((matrix.nrows(), matrix.ncols()))
    for i, row in enumerate(matrix.tolist()):
        largest = max(map(abs, row), default=flint.fmpq(0))
        if largest:
            rows[i] = [float(Fraction(int((v / largest).p), int((v / largest).q))) for v in row]
    return rows


def _rows(matrix: flint.fmpq_mat, index: np.ndarray) -> flint.fmpq_mat:
    table = matrix.tolist()
    return flint.fmpq_mat(len(index), matrix.ncols(), [v for i in index for v in table[i]])


def _column(values: list[flint.fmpq]) -> flint.fmpq_mat:
    return flint.fmpq_mat(len(values), 1, values)


def _ones(count: int) -> flint.fmpq_mat:
    return _column([flint.fmpq(1)] * count)
