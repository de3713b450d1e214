"""The best step of a program: a quadratic or a linear program, polished on its active constraints."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from unrelu.frames._scaling import row_norms
from unrelu.preimage.collisions._flat import nearest_on_flat
from unrelu.solvers import DiagonalProgram, LinearProgram, interior_point

if TYPE_CHECKING:
    from unrelu.frames._scaling import Rows
    from unrelu.preimage.collisions._program import Program

_FEASIBLE = 1e-11  # violation that polishing may leave, in rows and steps of size 1
_EXACT = 1e-10  # violation that the simplex method may leave, less than half the margin
_NEAR = 1e-7  # distance of a row from its border at which it may be meant to lie there
_ROUNDS = 8  # of guessing which constraints are active
_ZERO_COST = 1e-9  # reduced cost, relative to the largest, that counts as 0 where nothing bounds the step


@dataclass(frozen=True)
class Step:
    """An answer of a solver, in the units of its program.

    Attributes:
        v: The step, shape ``(n,)``.
        equal_dual: Multipliers of ``equal``.
        below_dual: Multipliers of ``below``, none negative.
        finished: Whether the solver claims an optimum.
        status: How it ended, in the solver's words.
    """

    v: np.ndarray
    equal_dual: np.ndarray
    below_dual: np.ndarray
    finished: bool
    status: str = ""


def nearest(program: Program, goal: np.ndarray, time_limit: float) -> Step:
    """Minimise ``|d - goal|² / 2``.

    Args:
        program: The steps allowed.
        goal: In the program's units, shape ``(n,)``.
        time_limit: Seconds.
    """
    moving = program.lower < program.upper
    # No step need be farther from the goal than 0 is: rows that no such step violates are left out.
    reach = program.below @ goal + row_norms(program.below) * float(np.linalg.norm(goal))
    near = reach >= program.slack
    reduced = DiagonalProgram(
        np.ones(int(moving.sum())),
        goal[moving],
        program.equal[:, moving],
        program.below[near][:, moving],
        program.slack[near],
        program.lower[moving],
        program.upper[moving],
    )
    found = interior_point(reduced, time_limit=time_limit)
    v, below_dual = np.zeros(len(goal)), np.zeros(len(program.slack))
    v[moving], below_dual[near] = found.v, found.below_dual
    step = Step(v, found.equal_dual, below_dual, found.converged)
    return _polished_nearest(program, goal, step)


class LinearSteps:
    """Linear programs over the same steps, each solved from where the one before it ended."""

    def __init__(self, program: Program) -> None:
        """Take the steps allowed."""
        self.program = program
        p = program.equal.shape[0]
        upper = np.concatenate([np.zeros(p), program.slack])
        lower = np.concatenate([np.zeros(p), np.full(len(program.slack), -np.inf)])
        rows = stacked(program.equal, program.below)
        self._solver = LinearProgram(
            rows, upper, (program.lower, program.upper), lower=lower, tolerance=_EXACT
        )

    def farthest(self, cost: np.ndarray, time_limit: float) -> Step:
        """Maximise ``cost · d``.

        Args:
            cost: Shape ``(n,)``, of any size.
            time_limit: Seconds.
        """
        program, p = self.program, self.program.equal.shape[0]
        size = float(np.abs(cost).max(initial=0)) or 1.0
        found = self._solver.minimize(-cost / size, time_limit=time_limit)
        return Step(
            np.clip(found.v, program.lower, program.upper),
            found.dual[:p] * size,
            np.maximum(found.dual[p:], 0) * size,
            found.optimal,
            found.status,
        )


def bound_nearest(program: Program, goal: np.ndarray, step: Step) -> float:
    """Return a lower bound of ``|d - goal|`` over all steps, from the multipliers."""
    slope = _slope(program, step)
    v = np.clip(goal - slope, program.lower, program.upper)
    value = 0.5 * float((v - goal) @ (v - goal)) + float(slope @ v) - float(step.below_dual @ program.slack)
    return float(np.sqrt(2 * max(value, 0.0)))


def bound_linear(program: Program, cost: np.ndarray, step: Step) -> float:
    """Return an upper bound of ``cost · d`` over all steps, from the multipliers; maybe infinite."""
    rest = cost - _slope(program, step)
    limit = np.where(rest > 0, program.upper, program.lower)
    small = np.abs(rest) <= _ZERO_COST * float(np.abs(cost).max(initial=0))
    counts = (rest != 0) & ~(small & np.isinf(limit))
    return float(rest[counts] @ limit[counts]) + float(step.below_dual @ program.slack)


def _slope(program: Program, step: Step) -> np.ndarray:
    return np.asarray(program.equal.T @ step.equal_dual + program.below.T @ step.below_dual)


def _polished_nearest(program: Program, goal: np.ndarray, step: Step) -> Step:
    """Solve the equations of the active constraints, guessing these anew until the guess is right."""
    best, best_gap = step, _violation(program, step.v) + _gap(program, goal, step)
    current = step
    for _ in range(_ROUNDS):
        rest = program.slack - program.below @ current.v
        tight = current.below_dual > np.maximum(rest, 0)
        pull = goal - _slope(program, current) - current.v
        low = (pull < 0) & (program.lower - current.v > pull)
        high = (pull > 0) & (program.upper - current.v < pull)
        free = ~(low | high) & (program.lower < program.upper)
        fixed = np.where(high, program.upper, np.where(low, program.lower, 0.0))
        flat = nearest_on_flat(
            stacked(program.equal, program.below[tight]),
            np.concatenate([np.zeros(program.equal.shape[0]), program.slack[tight]]),
            np.where(free, goal, np.where(np.isfinite(fixed), fixed, 0.0)),
            free,
        )
        if flat is None:
            break
        v, dual = flat
        p = program.equal.shape[0]
        below_dual = np.zeros(len(program.slack))
        below_dual[tight] = dual[p:]
        current = Step(v, dual[:p], np.maximum(below_dual, 0), step.finished)
        gap = _violation(program, v) + _gap(program, goal, current)
        if gap < best_gap:
            best, best_gap = current, gap
        if best_gap < _FEASIBLE:
            break
    return best


def _gap(program: Program, goal: np.ndarray, step: Step) -> float:
    return abs(float(np.linalg.norm(step.v - goal)) - bound_nearest(program, goal, step))


def polished(program: Program, step: Step) -> Step:
    """Move to where the constraints that are nearly active are so exactly.

    Entries at their bounds stay there, unless the equations cannot be met without them.
    """
    rest = program.slack - program.below @ step.v
    tight = (rest < _NEAR) & ((step.below_dual > 0) | (rest < _FEASIBLE))
    rows = stacked(program.equal, program.below[tight])
    right = np.concatenate([np.zeros(program.equal.shape[0]), program.slack[tight]])
    inside = (step.v > program.lower) & (step.v < program.upper)
    for free in (inside, program.lower < program.upper):
        violation = _violation(program, step.v)
        flat = nearest_on_flat(rows, right, step.v, free)
        if flat is not None and _violation(program, flat[0]) <= violation:
            step = replace(step, v=flat[0])
        if _violation(program, step.v) <= _FEASIBLE:
            break
    return step


def _violation(program: Program, v: np.ndarray) -> float:
    """Return the largest violation of a constraint."""
    parts = (
        np.abs(program.equal @ v),
        program.below @ v - program.slack,
        program.lower - v,
        v - program.upper,
    )
    return max(float(part.max(initial=0.0)) for part in parts)


def stacked(a: Rows, b: Rows) -> Rows:
    """Return all rows, dense if both parts are."""
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return np.concatenate([a, b])
    return sp.csr_array(sp.vstack([sp.csr_array(a), sp.csr_array(b)]))
