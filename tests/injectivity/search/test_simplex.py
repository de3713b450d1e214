"""The simplex method with signs against HiGHS; degenerate columns, and inverses computed afresh."""

import numpy as np
import pytest

from unrelu.injectivity.search._simplex import Program, minimise, new_program, renew, trade, unwanted
from unrelu.solvers import minimize


def solved(vectors: np.ndarray, use: np.ndarray, cost: np.ndarray) -> Program:
    program = new_program(vectors)
    program.use[:], program.cost[:] = use, cost
    minimise(program)
    return program


def weights(program: Program) -> np.ndarray:
    out = np.zeros(len(program.cost))
    for b, weight in zip(program.basis, program.inverse[:, -1], strict=True):
        if b >= 0:
            out[b] = weight
    return out


def columns(vectors: np.ndarray, use: np.ndarray) -> np.ndarray:
    """With signs, over the row that says that weights of columns with their own signs add up to 1."""
    return np.vstack([vectors.T * use, use > 0])


def vectors(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal((20, 3)) if seed % 2 else rng.integers(-1, 2, (20, 3)).astype(float)


def signs(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).choice([1, 1, 1, 1, -1, 0], 20)


@pytest.mark.parametrize("seed", range(60))
def test_minimum(seed):
    table, use = vectors(seed), signs(seed)
    cost = np.random.default_rng(seed).integers(0, 3, 20).astype(float)
    right = np.array([0.0, 0.0, 0.0, 1.0])
    bounds = np.zeros(20), np.where(use != 0, np.inf, 0.0)
    expected = minimize(cost, columns(table, use), right, bounds, lower=right)
    program = solved(table, use, cost)
    assert unwanted(program) != expected.optimal
    if expected.optimal:
        found = weights(program)
        np.testing.assert_allclose(columns(table, use) @ found, right, atol=1e-9)
        assert found.min() >= -1e-12 and found[use == 0].max(initial=0) <= 1e-9
        assert cost @ found == pytest.approx(cost @ expected.v, abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_trades(seed):
    table, use, cost = vectors(seed), signs(seed), np.array([0.0, 1.0, 1.0, 1.0] * 5)
    program = solved(table, use, cost)
    if unwanted(program):
        return
    before = int((cost[program.basis[program.basis >= 0]] == 1).sum())
    trade(program)
    found = weights(program)
    np.testing.assert_allclose(columns(table, use) @ found, [0, 0, 0, 1], atol=1e-9)
    assert found.min() >= -1e-9 and found[use == 0].max(initial=0) <= 1e-9
    assert int((cost[program.basis[program.basis >= 0]] == 1).sum()) <= before


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(20))
def test_renewed(seed, rank):
    """Artificial columns that are still basic stay where they are."""
    table = vectors(seed)
    table[:, rank:] = table[:, :1]
    program = solved(table, signs(seed), np.ones(20))
    before = weights(program)
    renew(program)
    np.testing.assert_allclose(weights(program), before, atol=1e-9)
    basis = np.eye(4)
    for i, b in enumerate(program.basis):
        if b >= 0:
            basis[:, i] = np.append(program.signs[i] * table[b], program.signs[i] > 0)
    np.testing.assert_allclose(program.inverse @ basis, np.eye(4), atol=1e-9)
