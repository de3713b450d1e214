"""The tableau method against HiGHS; degenerate columns, and tableaus computed afresh."""

import numpy as np
import pytest

from unrelu.injectivity.search._simplex import BIG, minimise, renew, start, trade, unwanted
from unrelu.solvers import minimize


def solved(columns: np.ndarray, cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    equations, count = columns.shape
    tableau, basis = np.zeros((equations + 1, count + 1)), np.zeros(equations, dtype=np.int64)
    start(tableau, basis, columns)
    minimise(tableau, basis, cost)
    return tableau, basis


def weights(tableau: np.ndarray, basis: np.ndarray) -> np.ndarray:
    out = np.zeros(tableau.shape[1] - 1)
    for i, b in enumerate(basis):
        if b < len(out):
            out[b] = tableau[i, -1]
    return out


def problem(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((20, 3)) if seed % 2 else rng.integers(-1, 2, (20, 3)).astype(float)
    return np.vstack([rows.T, np.ones(20)])


@pytest.mark.parametrize("seed", range(30))
def test_minimum(seed):
    columns, cost = problem(seed), np.random.default_rng(seed).integers(0, 3, 20).astype(float)
    right = np.array([0.0, 0.0, 0.0, 1.0])
    bounds = np.zeros(20), np.full(20, np.inf)
    expected = minimize(cost, columns, right, bounds, lower=right)
    tableau, basis = solved(columns, cost)
    assert unwanted(tableau, basis, cost) != expected.optimal
    if expected.optimal:
        found = weights(tableau, basis)
        np.testing.assert_allclose(columns @ found, right, atol=1e-9)
        assert found.min() >= -1e-12
        assert cost @ found == pytest.approx(cost @ expected.v, abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_forbidden_columns_and_trades(seed):
    columns = problem(seed)
    cost = np.array([0.0, 1.0, BIG, 1.0] * 5)
    tableau, basis = solved(columns, cost)
    if unwanted(tableau, basis, cost):
        return
    before = int((cost[basis[basis < 20]] == 1).sum())
    trade(tableau, basis, cost)
    found = weights(tableau, basis)
    np.testing.assert_allclose(columns @ found, [0, 0, 0, 1], atol=1e-9)
    assert found.min() >= -1e-9 and found[2::4].max() <= 1e-9
    assert int((cost[basis[basis < 20]] == 1).sum()) <= before


@pytest.mark.parametrize("seed", range(30))
def test_renewed(seed):
    """Artificial columns that are still basic stay where they are."""
    tableau, basis = solved(problem(seed), np.ones(20))
    before = weights(tableau, basis)
    renew(tableau, basis, problem(seed))
    np.testing.assert_allclose(weights(tableau, basis), before, atol=1e-9)
