"""Convex programs with a diagonal Hessian, by an interior point method (Mehrotra 1992).

HiGHS solves them too, by active sets from a vertex: minutes for a thousand dense rows and a box, which take
this method a second. What it answers is a claim in floating point, to be checked by the caller.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import scipy.linalg
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Callable

Matrix: TypeAlias = "np.ndarray | sp.csr_array"
Solve: TypeAlias = "Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]"
Factor: TypeAlias = tuple[np.ndarray, bool]

_STEPS = 80
_CLOSE = 1e-9  # relative residuals and complementarity at which the iteration ends
_ENOUGH = 1e-6  # at which it has converged
_GOOD = 1e-2  # at which progress is steady ...
_LOSSES = 4  # ... until rounding ends it: steps that may follow the best iterate
_SHIFT = 1e-13  # of the diagonal, relative, where a matrix may be singular
_BACK = 0.995  # share of the way to the border that a step may go


@dataclass(frozen=True)
class DiagonalProgram:
    """Minimise ``sum_j weight_j v_j² / 2 - cost · v``.

    Subject to ``equal v = 0``, ``below v <= slack`` and ``lower <= v <= upper``.

    Attributes:
        weight: Shape ``(n,)``, none negative; positive where ``v`` has not both bounds.
        cost: Shape ``(n,)``.
        equal: Shape ``(p, n)``.
        below: Shape ``(q, n)``, dense or sparse.
        slack: Shape ``(q,)``.
        lower: Shape ``(n,)``, infinite where there is no bound.
        upper: Likewise, larger than ``lower``.
    """

    weight: np.ndarray
    cost: np.ndarray
    equal: Matrix
    below: Matrix
    slack: np.ndarray
    lower: np.ndarray
    upper: np.ndarray


@dataclass(frozen=True)
class InteriorSolution:
    """Where the iteration ended.

    Attributes:
        error: Largest residual or sum of complementarity products, relative to the cost.
        v: Shape ``(n,)``, inside the bounds.
        equal_dual: Multipliers of the equalities, shape ``(p,)``.
        below_dual: Of the inequalities, positive, shape ``(q,)``: ``weight v - cost + equalᵀ equal_dual +
            belowᵀ below_dual`` is nearly 0 where ``v`` is off its bounds.
    """

    error: float
    v: np.ndarray
    equal_dual: np.ndarray
    below_dual: np.ndarray

    @property
    def converged(self) -> bool:
        """Whether the error is small."""
        return self.error < _ENOUGH


def interior_point(program: DiagonalProgram, *, time_limit: float = 60.0) -> InteriorSolution:
    """Solve a program whose feasible set is not empty.

    Args:
        program: With rows and numbers near 1.
        time_limit: Seconds after which the iteration stops where it is.

    Returns:
        The last iterate, whether it converged or not.
    """
    deadline = time.monotonic() + time_limit
    state = _State(program)
    best, since, steps = state.iterate(), 0, 0
    with np.errstate(all="ignore"):
        while best.error > _CLOSE and steps < _STEPS and since < _LOSSES and time.monotonic() < deadline:
            if not state.advance():
                break
            steps += 1
            since += best.error < _GOOD
            if state.error < best.error:
                best, since = state.iterate(), 0
    return best


class _State:
    """An iterate: the point, the distances ``w`` to all borders, and their multipliers ``z``.

    Borders are the inequalities, then the finite lower bounds, then the finite upper bounds.
    """

    def __init__(self, program: DiagonalProgram) -> None:
        self.program = program
        self.low, self.high = (np.flatnonzero(np.isfinite(b)) for b in (program.lower, program.upper))
        q = len(program.slack)
        self.parts = np.cumsum([q, len(self.low)])
        inside = np.where(np.isfinite(program.lower), program.lower, np.minimum(program.upper, 0) - 1)
        above = np.where(np.isfinite(program.upper), program.upper, np.maximum(program.lower, 0) + 1)
        self.v = 0.5 * (inside + above)
        self.y = np.zeros(program.equal.shape[0])
        self.w = np.maximum(self.borders(self.v), 0.1)
        self.z = np.ones(len(self.w))
        self.residuals()

    def slopes(self, v: np.ndarray) -> np.ndarray:
        """How fast the borders are approached along ``v``."""
        return np.concatenate([self.program.below @ v, -v[self.low], v[self.high]])

    def pulled(self, z: np.ndarray) -> np.ndarray:
        """The adjoint of `slopes`."""
        below, low, high = np.split(z, self.parts)
        out = np.asarray(self.program.below.T @ below)
        out[self.low] -= low
        out[self.high] += high
        return out

    def borders(self, v: np.ndarray) -> np.ndarray:
        """Distances to the borders, negative outside."""
        p = self.program
        limits = np.concatenate([p.slack, -p.lower[self.low], p.upper[self.high]])
        return limits - self.slopes(v)

    def residuals(self) -> None:
        """Compute by how much the conditions of an optimum are violated."""
        p = self.program
        self.dual = p.weight * self.v - p.cost + p.equal.T @ self.y + self.pulled(self.z)
        self.level = -(p.equal @ self.v)
        self.primal = self.borders(self.v) - self.w
        self.mu = float(self.w @ self.z) / max(len(self.w), 1)
        size = 1 + float(np.abs(p.cost).max(initial=0))
        worst = max(float(np.abs(r).max(initial=0)) for r in (self.dual / size, self.level, self.primal))
        self.error = max(worst, self.mu * len(self.w) / size)

    def iterate(self) -> InteriorSolution:
        """Return where the iteration stands."""
        return InteriorSolution(self.error, self.v, self.y, self.z[: len(self.program.slack)])

    def advance(self) -> bool:
        """Make one step; return whether numbers stayed finite."""
        try:
            solve = _reduced(self.program, self.diagonal(), (self.z / self.w)[: len(self.program.slack)])
        except (np.linalg.LinAlgError, ValueError):
            return False
        predicted = self.direction(solve, self.w * self.z)
        into, dual = (_reach(a, d) for a, d in ((self.w, predicted[2]), (self.z, predicted[3])))
        ahead = float((self.w + into * predicted[2]) @ (self.z + dual * predicted[3])) / max(len(self.w), 1)
        centre = self.mu * (ahead / self.mu) ** 3 if self.mu > 0 else 0.0
        v, y, w, z = self.direction(solve, self.w * self.z + predicted[2] * predicted[3] - centre)
        step = _BACK * min(_reach(self.w, w), _reach(self.z, z))
        step = min(1.0, step) if len(self.w) else 1.0
        if not all(np.isfinite(part).all() for part in (v, y, w, z)):
            return False
        self.v, self.y = self.v + step * v, self.y + step * y
        self.w, self.z = self.w + step * w, self.z + step * z
        self.residuals()
        return True

    def diagonal(self) -> np.ndarray:
        """The Hessian with the bounds' part."""
        _, low, high = np.split(self.z / self.w, self.parts)
        out = self.program.weight.copy()
        out[self.low] += low
        out[self.high] += high
        return out

    def direction(
        self, solve: Solve, product: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Newton's direction that takes ``w z`` to ``w z - product`` and the residuals to 0."""
        right = -self.dual + self.pulled((product + self.z * self.primal) / self.w)
        v, y = solve(right, self.level)
        w = self.primal - self.slopes(v)
        z = -(product + self.z * w) / self.w
        return v, y, w, z


def _reach(at: np.ndarray, along: np.ndarray) -> float:
    """How far one can go until an entry becomes 0, at most 1."""
    falling = along < 0
    return float(np.min(-at[falling] / along[falling], initial=1.0))


def _reduced(program: DiagonalProgram, diagonal: np.ndarray, stiffness: np.ndarray) -> Solve:
    """Factor ``K = diag + belowᵀ stiffness below`` with the equalities, by the smaller of two matrices."""
    p, n = program.equal.shape
    q = len(stiffness)
    if q + p <= n or (q <= n and p == 0):
        return _by_rows(program, diagonal, stiffness)
    return _by_columns(program, diagonal, stiffness)


def _by_rows(program: DiagonalProgram, diagonal: np.ndarray, stiffness: np.ndarray) -> Solve:
    """Eliminate ``v`` first: a matrix with a row for each row of the program."""
    p = program.equal.shape[0]
    rows = np.concatenate([_dense(program.equal), _dense(program.below)])
    scaled = rows / diagonal
    matrix = scaled @ rows.T
    soft = np.concatenate([np.zeros(p), 1 / stiffness])
    factor = _factor(matrix, soft)

    def solve(right: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        target = scaled @ right - np.concatenate([level, np.zeros(len(stiffness))])
        dual = _refined(matrix, soft, factor, target)
        return (right - rows.T @ dual) / diagonal, dual[:p]

    return solve


def _by_columns(program: DiagonalProgram, diagonal: np.ndarray, stiffness: np.ndarray) -> Solve:
    """Eliminate the inequalities first: a matrix with a row for each column of the program."""
    below = program.below
    if isinstance(below, np.ndarray):
        half = below * np.sqrt(stiffness)[:, None]
        matrix = half.T @ half
    else:
        matrix = (below.T @ below.multiply(stiffness[:, None]).tocsr()).toarray()
    factor = _factor(matrix, diagonal)
    equal = _dense(program.equal)
    back = scipy.linalg.cho_solve(factor, equal.T, check_finite=False)
    inner = equal @ back
    none = np.zeros(len(inner))
    small = _factor(inner, none) if len(inner) else None

    def solve(right: np.ndarray, level: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        free = _refined(matrix, diagonal, factor, right)
        dual = none if small is None else _refined(inner, none, small, equal @ free - level)
        return free - back @ dual, dual

    return solve


def _factor(matrix: np.ndarray, diagonal: np.ndarray) -> Factor:
    shifted = matrix.copy()
    shifted.flat[:: len(matrix) + 1] += diagonal
    shifted.flat[:: len(matrix) + 1] *= 1 + _SHIFT
    shifted.flat[:: len(matrix) + 1] += _SHIFT**2 * float(np.diagonal(shifted).max(initial=0))
    return scipy.linalg.cho_factor(shifted, lower=True, overwrite_a=True, check_finite=False)


def _refined(matrix: np.ndarray, diagonal: np.ndarray, factor: Factor, right: np.ndarray) -> np.ndarray:
    out = scipy.linalg.cho_solve(factor, right, check_finite=False)
    rest = right - matrix @ out - diagonal * out
    return np.asarray(out + scipy.linalg.cho_solve(factor, rest, check_finite=False))


def _dense(rows: Matrix) -> np.ndarray:
    return rows if isinstance(rows, np.ndarray) else rows.toarray()
