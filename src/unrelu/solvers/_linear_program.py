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
        dual: One multiplier a row, shape ``(m,)``; at an optimum ``>= 0`` where the row has an upper limit
            only, and ``cost + rowsᵀ dual`` is 0 wherever ``v`` is off its bounds.
    """

    status: str
    optimal: bool
    v: np.ndarray
    dual: np.ndarray


class LinearProgram:
    """The polyhedron ``lower <= rows v <= upper, bounds[0] <= v <= bounds[1]``, for one objective or several.

    A solution starts from the one before it.

    Raises:
        ArgumentError: If shapes do not fit, or rows or upper limits are not finite.
    """

    def __init__(
        self,
        rows: np.ndarray | sp.sparray,
        upper: np.ndarray,
        bounds: tuple[np.ndarray, np.ndarray],
        *,
        lower: np.ndarray | None = None,
        tolerance: float = 1e-7,
    ) -> None:
        """Take the numbers.

        Args:
            rows: Shape ``(m, n)``, dense or sparse.
            upper: Shape ``(m,)``, finite.
            bounds: Lower and upper bounds of ``v``, shape ``(n,)`` each, infinite where there is none.
            lower: Shape ``(m,)``, maybe ``-inf``; no lower limits when ``None``.
            tolerance: By how much a solution may violate a constraint, or a dual one its sign.
        """
        matrix = sp.csc_array(rows)
        n, m = len(bounds[0]), len(upper)
        if matrix.shape != (m, n) or any(np.shape(bound) != (n,) for bound in bounds):
            raise ArgumentError(f"rows: expected shape ({m}, {n}) and {n} bounds, got {matrix.shape}")
        least = np.full(m, -np.inf) if lower is None else np.asarray(lower, dtype=np.float64)
        if least.shape != (m,) or not (least <= upper).all():
            raise ArgumentError(f"lower: expected {m} numbers, none above upper, got shape {least.shape}")
        if not (np.isfinite(matrix.data).all() and np.isfinite(upper).all()):
            raise ArgumentError("rows: expected finite numbers in cost, rows and upper")
        # highspy itself: scipy.optimize.linprog spends ten times as long on the way to a small program.
        program = highspy.HighsLp()
        program.num_col_, program.num_row_ = n, m
        program.col_cost_ = np.zeros(n)
        program.col_lower_, program.col_upper_ = (np.asarray(bound, dtype=np.float64) for bound in bounds)
        program.row_lower_, program.row_upper_ = least, np.asarray(upper, dtype=np.float64)
        program.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        program.a_matrix_.start_, program.a_matrix_.index_ = matrix.indptr, matrix.indices
        program.a_matrix_.value_ = matrix.data.astype(np.float64)
        self.m, self.n = m, n
        self._solver = highspy.Highs()
        self._solver.silent()
        self._solver.setOptionValue("primal_feasibility_tolerance", tolerance)
        self._solver.setOptionValue("dual_feasibility_tolerance", tolerance)
        self._accepted = self._solver.passModel(program) != highspy.HighsStatus.kError

    def minimize(self, cost: np.ndarray, *, time_limit: float = 60.0) -> LinearSolution:
        """Minimise ``cost · v``.

        Args:
            cost: Shape ``(n,)``.
            time_limit: Seconds after which HiGHS gives up.

        Returns:
            Status, primal and dual vectors; zeros where the solver has none.

        Raises:
            ArgumentError: If the cost has another shape or is not finite.
        """
        if np.shape(cost) != (self.n,) or not np.isfinite(cost).all():
            raise ArgumentError(f"cost: expected {self.n} finite numbers, got shape {np.shape(cost)}")
        zeros = np.zeros(self.n), np.zeros(self.m)
        if not self._accepted:
            return LinearSolution("Model error", False, *zeros)
        solver = self._solver
        solver.changeColsCost(self.n, np.arange(self.n, dtype=np.int32), np.asarray(cost, dtype=np.float64))
        solver.setOptionValue("time_limit", solver.getRunTime() + time_limit)
        solver.run()
        status, solution = solver.getModelStatus(), solver.getSolution()
        v = np.array(solution.col_value) if solution.value_valid else zeros[0]
        dual = -np.array(solution.row_dual) if solution.dual_valid else zeros[1]
        return LinearSolution(
            solver.modelStatusToString(status), status == highspy.HighsModelStatus.kOptimal, v, dual
        )


def minimize(
    cost: np.ndarray,
    rows: np.ndarray | sp.sparray,
    upper: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    *,
    lower: np.ndarray | None = None,
    time_limit: float = 60.0,
) -> LinearSolution:
    """Minimise ``cost · v`` over a polyhedron, once; see `LinearProgram`.

    Args:
        cost: Shape ``(n,)``.
        rows: As in `LinearProgram`.
        upper: Likewise.
        bounds: Likewise.
        lower: Likewise.
        time_limit: Seconds after which HiGHS gives up.

    Returns:
        Status, primal and dual vectors; zeros where the solver has none.

    Raises:
        ArgumentError: If shapes do not fit, or costs, rows or upper limits are not finite.
    """
    return LinearProgram(rows, upper, bounds, lower=lower).minimize(cost, time_limit=time_limit)
