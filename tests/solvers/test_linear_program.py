"""The border to HiGHS: optimal vectors are checked by duality, everything else is said."""

import numpy as np
import pytest

from unrelu.errors import ArgumentError
from unrelu.solvers import LinearProgram, minimize

FREE = (np.full(2, -np.inf), np.full(2, np.inf))


@pytest.mark.parametrize("seed", range(20))
def test_optimum_by_duality(seed):
    rng = np.random.default_rng(seed)
    rows, upper = rng.standard_normal((12, 4)), rng.random(12)
    cost = -(rng.random(12) @ rows)
    bounds = np.full(4, -5.0), np.full(4, 5.0)
    solution = minimize(cost, rows, upper, bounds)
    assert solution.optimal and solution.status == "Optimal"
    assert (rows @ solution.v <= upper + 1e-7).all()
    assert (solution.dual >= -1e-9).all()
    reduced = cost + rows.T @ solution.dual
    # The Lagrangian's minimum over the box equals the optimum.
    assert cost @ solution.v == pytest.approx(-(upper @ solution.dual) - 5 * np.abs(reduced).sum())


def test_infeasible_and_unbounded_are_no_optimum():
    row = np.array([[1.0, 0.0], [-1.0, 0.0]])
    infeasible = minimize(np.ones(2), row, np.array([-1.0, -1.0]), (np.zeros(2), np.ones(2)))
    assert not infeasible.optimal and "nfeasible" in infeasible.status
    unbounded = minimize(np.array([0.0, 1.0]), row, np.ones(2), FREE)
    assert not unbounded.optimal and unbounded.status != "Optimal"
    assert unbounded.v.shape == unbounded.dual.shape == (2,)


def test_numbers_that_are_none():
    with pytest.raises(ArgumentError, match="finite"):
        minimize(np.array([np.nan, 0.0]), np.zeros((0, 2)), np.zeros(0), FREE)


@pytest.mark.parametrize("rows", [np.zeros((1, 3)), np.zeros((2, 2))])
def test_wrong_shapes(rows):
    with pytest.raises(ArgumentError, match="expected shape"):
        minimize(np.zeros(2), rows, np.zeros(1), FREE)


def test_one_polyhedron_for_several_objectives(rng):
    rows, upper = rng.standard_normal((8, 3)), rng.random(8)
    bounds, lower = (np.full(3, -4.0), np.full(3, 4.0)), np.where(np.arange(8) < 2, upper, -np.inf)
    program = LinearProgram(rows, upper, bounds, lower=lower)
    for cost in rng.standard_normal((5, 3)):
        again, alone = program.minimize(cost), minimize(cost, rows, upper, bounds, lower=lower)
        assert again.optimal == alone.optimal
        assert cost @ again.v == pytest.approx(cost @ alone.v, abs=1e-9)
        if again.optimal:
            assert rows[:2] @ again.v == pytest.approx(upper[:2])
    with pytest.raises(ArgumentError, match="cost: expected 3"):
        program.minimize(np.zeros(2))
    with pytest.raises(ArgumentError, match="none above upper"):
        LinearProgram(rows, upper, bounds, lower=upper + 1)
