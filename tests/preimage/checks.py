"""Certificates of preimages checked in rational arithmetic, with no code of the library."""

from fractions import Fraction

import flint
import numpy as np


def exact(values) -> flint.fmpq_mat:
    """A matrix of floats or Fractions, or a vector as a column, of rational numbers."""
    table = [list(row) if np.ndim(row) else [row] for row in values]
    columns = len(table[0]) if table else 0
    entries = [Fraction(v) for row in table for v in row]
    return flint.fmpq_mat(len(table), columns, [flint.fmpq(v.numerator, v.denominator) for v in entries])


def nearest_in_kernel(rows: flint.fmpq_mat, v: flint.fmpq_mat) -> flint.fmpq_mat:
    """The orthogonal projection of ``v`` to the null space of the rows, exactly."""
    basis = null_space(rows)
    if not basis.ncols():
        return 0 * v
    transposed = basis.transpose()
    return basis * (transposed * basis).solve(transposed * v)


def null_space(rows: flint.fmpq_mat) -> flint.fmpq_mat:
    """A basis as columns."""
    n = rows.ncols()
    reduced, rank = rows.rref() if rows.nrows() else (rows, 0)
    table = reduced.tolist()[:rank]
    pivots = [next(j for j in range(n) if row[j]) for row in table]
    free = [j for j in range(n) if j not in pivots]
    basis = flint.fmpq_mat(n, len(free))
    for k, j in enumerate(free):
        basis[j, k] = 1
        for row, pivot in zip(table, pivots, strict=True):
            basis[pivot, k] = -row[j]
    return basis


def check_direction(matrix: np.ndarray, zero: list[int], negative: list[int], direction) -> None:
    """The direction, made exactly 0 on some rows, is negative on others, or at least not 0."""
    n = matrix.shape[1]
    rows = exact(matrix[zero]) if len(zero) else flint.fmpq_mat(0, n)
    d = nearest_in_kernel(rows, exact(direction))
    assert any(v != 0 for v in d.entries())
    if len(negative):
        assert all(v < 0 for v in (exact(matrix[negative]) * d).entries())


def check_multipliers(matrix: np.ndarray, free: list[int], positive: list[int], multipliers) -> None:
    """The multipliers, made to combine the rows to exactly 0, are positive where they must be."""
    rows = [*free, *positive]
    assert len(multipliers) == len(rows)
    if rows:
        made = nearest_in_kernel(exact(matrix[rows].T), exact(multipliers))
        assert all(v > 0 for v in made.entries()[len(free) :])


def check_cone(matrix: np.ndarray, proof) -> None:
    """What a proof says of its cone, each side by its own vector."""
    equalities, inequalities, implied = (
        [int(k) for k in part] for part in (proof.equalities, proof.inequalities, proof.implied)
    )
    assert set(implied) <= set(inequalities)
    rest = [k for k in inequalities if k not in implied]
    dimension = matrix.shape[1] - rank(matrix, [*equalities, *implied])
    if proof.direction is not None:
        check_direction(matrix, [*equalities, *implied], rest, proof.direction)
    if proof.multipliers is not None:
        check_multipliers(matrix, equalities, implied, proof.multipliers)
    if proof.dimension >= 0:
        assert proof.dimension == dimension
        assert proof.multipliers is not None or not implied
        assert proof.direction is not None or not rest or not dimension


def rank(matrix: np.ndarray, rows: list[int]) -> int:
    """Rank of some rows."""
    return exact(matrix[rows]).rank() if len(rows) else 0


def check_preimage(weight, bias, result, G=None) -> None:
    """The certificate proves the kind and the dimension that the result states."""
    matrix = weight if G is None else np.concatenate([weight, G])
    n, certificate = weight.shape[1], result.proof
    if certificate.spanning is not None:
        assert result.kind == "singleton"
        assert rank(matrix, certificate.spanning.tolist()) == n
        return
    if result.kind == "undecided":
        return
    check_cone(matrix, certificate.tangent)
    assert certificate.tangent.dimension == result.dimension or result.dimension == -1
    if result.kind == "singleton":
        assert certificate.tangent.dimension == result.dimension == 0
        return
    check_cone(matrix, certificate.recession)
    if result.kind == "bounded":
        assert certificate.recession.dimension == 0
        assert result.dimension > 0
    else:
        assert certificate.recession.direction is not None
