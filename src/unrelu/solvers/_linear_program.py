"""Linear programs, solved by HiGHS."""

from __future__ import annotations

from dataclasses import dataclass

import highspy
import numpy as np
import scipy.sparse as sp

from unrelu.errors import ArgumentError


@dataclass(frozen=True)
class LinearSolution:
    """What HiGHS says of a linear program; a claim in floating point, to be checked by the caller.

    Attributes:
        status: The solver's word for how it ended, such as ``"Optimal"``.
        optimal: Whether it claims an optimum.
        v: Primal vector, shape ``(n,)``.
        dual: One multiplier a row, shape ``(m,)``; at an optimum ``>= 0`` and
            ``cost + rowsᵀ dual`` is 0 wherever ``v`` is off its bounds.
    """

    status: str
    optimal: bool
    v: np.ndarray
    dual: np.ndarray


def minimize(
    cost: np.ndarray,
    rows: np.ndarray | sp.sparray,
    upper: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    *,
    time_limit: float = 60.0,
) -> LinearSolution:
    """Minimise ``cost · v`` subject to ``rows v <= upper`` and ``bounds[0] <= v <= bounds[1]``.

    Args:
        cost: Shape ``(n,)``.
        rows: Shape ``(m, n)``, dense or sparse.
        upper: Shape ``(m,)``.
        bounds: Lower and upper bounds of ``v``, shape ``(n,)`` each, infinite where there is none.
        time_limit: Seconds after which HiGHS gives up.

    Returns:
        Status, primal and dual vectors; zeros where the solver has none.

    Raises:
        ArgumentError: If shapes do not fit, or costs, rows or right-hand sides are not finite.
    """
    matrix = sp.csc_array(rows)
    n, m = len(cost), len(upper)
    if matrix.shape != (m, n) or any(np.shape(bound) != (n,) for bound in bounds):
        raise ArgumentError(f"rows: expected shape ({m}, {n}) and {n} bounds, got {matrix.shape}")
    if not all(np.isfinite(part).all() for part in (cost, matrix.data, upper)):
        raise ArgumentError("rows: expected finite numbers in cost, rows and upper")
    # highspy itself: scipy.optimize.linprog spends ten times as long on the way to a small program.
    program = highspy.HighsLp()
    program.num_col_, program.num_row_ = n, m
    program.col_cost_ = np.asarray(cost, dtype=np.float64)
    program.col_lower_, program.col_upper_ = (np.asarray(bound, dtype=np.float64) for bound in bounds)
    program.row_lower_, program.row_upper_ = np.full(m, -np.inf), np.asarray(upper, dtype=np.float64)
    program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    program.a_matrix_.start_, program.a_matrix_.index_ = matrix.indptr, matrix.indices
    program.a_matrix_.value_ = matrix.data.astype(np.float64)
    return _run(program, time_limit)


def _run(program: highspy.HighsLp, time_limit: float) -> LinearSolution:
    solver = highspy.Highs()
    solver.silent()
    solver.setOptionValue("time_limit", time_limit)
    if solver.passModel(program) == highspy.HighsStatus.kError:
        zeros = np.zeros(program.num_col_), np.zeros(program.num_row_)
        return LinearSolution("Model error", False, *zeros)
    solver.run()
    status, solution = solver.getModelStatus(), solver.getSolution()
    v = np.array(solution.col_value) if solution.value_valid else np.zeros(program.num_col_)
    dual = -np.array(solution.row_dual) if solution.dual_valid else np.zeros(program.num_row_)
    return LinearSolution(
        solver.modelStatusToString(status), status == highspy.HighsModelStatus.kOptimal, v, dual
    )
