"""The border to HiGHS: optimal vectors are checked by duality, everything else is said."""

import numpy as np
import pytest

from unrelu.errors import ArgumentError
from unrelu.solvers import minimize

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
