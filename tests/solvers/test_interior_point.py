"""Quadratic programs by the interior point method, against scipy and by duality."""

import numpy as np
import pytest
import scipy.optimize
import scipy.sparse as sp

from unrelu.solvers import DiagonalProgram, interior_point


def make(rng, n, p, q, bounded=True):
    """A program whose feasible set holds 0."""
    low = -rng.random(n) if bounded else np.full(n, -np.inf)
    high = rng.random(n) if bounded else np.full(n, np.inf)
    low[::4] = 0.0  # 0 on the border
    equal, below = rng.standard_normal((p, n)), rng.standard_normal((q, n))
    slack = np.maximum(rng.random(q) - 0.3, 0)
    return DiagonalProgram(np.ones(n), rng.standard_normal(n), equal, below, slack, low, high)


def dual_bound(program, found) -> float:
    """The Lagrangian's minimum over the box, for multipliers as they are."""
    slope = program.equal.T @ found.equal_dual + program.below.T @ found.below_dual - program.cost
    v = np.clip(-slope / program.weight, program.lower, program.upper)
    return float(0.5 * program.weight @ v**2 + slope @ v - found.below_dual @ program.slack)


def value(program, v) -> float:
    return float(0.5 * program.weight @ v**2 - program.cost @ v)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("p", "q"), [(0, 0), (2, 0), (0, 30), (2, 5), (3, 40)])
def test_optimum_by_duality(seed, p, q):
    program = make(np.random.default_rng(seed), 12, p, q, bounded=seed % 3 > 0)
    found = interior_point(program)
    assert found.converged and (found.below_dual >= 0).all()
    assert np.abs(program.equal @ found.v).max(initial=0) < 1e-6
    assert (program.below @ found.v - program.slack).max(initial=0) < 1e-6
    assert ((found.v >= program.lower) & (found.v <= program.upper)).all()
    assert value(program, found.v) == pytest.approx(dual_bound(program, found), abs=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_scipy_agrees(seed):
    program = make(np.random.default_rng(seed), 6, 1, 4)
    found = interior_point(program)
    other = scipy.optimize.minimize(
        lambda v: value(program, v),
        np.zeros(6),
        jac=lambda v: v - program.cost,
        bounds=list(zip(program.lower, program.upper, strict=True)),
        constraints=[
            {"type": "eq", "fun": lambda v: program.equal @ v, "jac": lambda _: program.equal},
            {
                "type": "ineq",
                "fun": lambda v: program.slack - program.below @ v,
                "jac": lambda _: -program.below,
            },
        ],
        method="SLSQP",
        options={"ftol": 1e-12},
    )
    assert found.v == pytest.approx(other.x, abs=1e-4)


def test_repeated_rows_and_sparse_rows():
    program = make(np.random.default_rng(3), 10, 2, 30)
    twice = DiagonalProgram(
        program.weight,
        program.cost,
        np.repeat(program.equal, 2, axis=0),
        sp.csr_array(np.repeat(program.below, 2, axis=0)),
        np.repeat(program.slack, 2),
        program.lower,
        program.upper,
    )
    one, other = interior_point(program), interior_point(twice)
    assert one.converged and other.converged
    assert one.v == pytest.approx(other.v, abs=1e-4)


def test_no_time_is_no_answer():
    found = interior_point(make(np.random.default_rng(0), 8, 1, 6), time_limit=0.0)
    assert not found.converged and found.v.shape == (8,)
