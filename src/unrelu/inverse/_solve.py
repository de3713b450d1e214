"""Solving for a few outputs whose active rows are alike, in one thread.

Normal equations with certified Cholesky factors and iterative refinement; singular values or LSMR where no
factor is certified or refinement stalls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse.linalg import lsmr

from unrelu.frames._frame import to_dense
from unrelu.frames._scaling import near_one, scaled_rows
from unrelu.inverse._refinement import expected_errors, refined
from unrelu.inverse._solutions import Method, Solutions

if TYPE_CHECKING:
    from unrelu.frames import Frame
    from unrelu.frames._factor import Factor

_DIRECT_ENTRIES = 4_000_000  # singular values of so many entries take a second
_UNEVEN = 16  # powers of two between sizes of rows or columns that make a system look singular
_LSMR_CONVERGED = (0, 1, 2, 4, 5)  # the reasons to stop other than effort and condition


@dataclass(frozen=True)
class _System:
    """One output's equations ``W_I x = target``, factored where that is certified."""

    index: np.ndarray
    spanning: bool
    factor: Factor | None

    @property
    def smallest_singular_value(self) -> float:
        """Estimate of the smallest singular value of ``W_I`` that is not zero, NaN without a factor."""
        return float(np.sqrt(max(self.factor.smallest_eigenvalue(), 0.0))) if self.factor else np.nan


def solve(frame: Frame, masks: np.ndarray, targets: np.ndarray, std: np.ndarray | None = None) -> Solutions:
    """Solve ``W_I x = target_I``: least squares where the rows span, minimum norm elsewhere.

    Args:
        frame: The rows of ``W``.
        masks: Which rows are in ``I``, one system a row, boolean, shape ``(systems, m)``.
        targets: Right-hand sides, 0 outside ``I``, shape ``(systems, m)``.
        std: Standard deviations of their errors, likewise.
    """
    systems = _systems(frame, masks)
    factored = np.array([system.factor is not None for system in systems], dtype=bool)
    out = Solutions.blank(len(masks), frame.n)

    def step(rest: np.ndarray, going: np.ndarray) -> np.ndarray:
        return _step(frame, systems, rest, going)

    if factored.any():
        with np.errstate(over="ignore", invalid="ignore"):
            out.x, settled = refined(step, frame.apply, masks, targets, factored.copy(), frame.n)
            if std is not None:
                out.expected = expected_errors(step, std, factored)
    else:
        settled = factored
    out.smallest = np.array([system.smallest_singular_value for system in systems])
    out.condition = frame.largest_singular_values(masks) / out.smallest
    out.unique = settled & np.array([system.spanning and frame.used == frame.n for system in systems])
    out.method[settled] = Method.CHOLESKY
    for k, system in enumerate(systems):
        if len(system.index) and not settled[k]:
            _directly(frame, system.index, targets[k], None if std is None else std[k], k, out)
    return out


def _systems(frame: Frame, masks: np.ndarray) -> list[_System]:
    indices = [np.flatnonzero(mask) for mask in masks]
    spanning = [0 < frame.used <= len(index) for index in indices]
    operators = iter(frame.frame_operators(masks[spanning]) if frame.max_rank == frame.used else ())
    return [
        _System(index, spans, next(operators, None) if spans else frame.gram(index) if len(index) else None)
        for index, spans in zip(indices, spanning, strict=True)
    ]


def _step(frame: Frame, systems: list[_System], rest: np.ndarray, going: np.ndarray) -> np.ndarray:
    """Solve the systems still going for what is left of their right-hand sides."""
    step = frame.adjoint(rest)
    weights = np.zeros_like(rest)
    for k, system in enumerate(systems):
        if not going[k] or system.factor is None:
            step[k] = 0.0
        elif system.spanning:
            step[k] = system.factor.solve(step[k])
        else:
            weights[k, system.index] = system.factor.solve(rest[k, system.index])
            step[k] = 0.0
    return step + frame.adjoint(weights) if weights.any() else step


def _directly(
    frame: Frame, index: np.ndarray, target: np.ndarray, std: np.ndarray | None, k: int, out: Solutions
) -> None:
    """Solve one system that no certified factor covers, for its minimum-norm solution, into place ``k``."""
    rows, target = frame.rows(index), target[index]
    if len(index) * frame.n > _DIRECT_ENTRIES:
        x, stop, *_, condition, _ = lsmr(rows, target, atol=1e-15, btol=1e-15, maxiter=10 * frame.n)
        out.x[k], out.condition[k], out.method[k] = x, float(condition), Method.LSMR
        out.unique[k] = stop in _LSMR_CONVERGED and spanning(frame, index)
        return
    dense = to_dense(rows)
    x, _, rank, sigma = np.linalg.lstsq(dense, target, rcond=None)
    out.x[k], out.method[k] = x, Method.SVD
    out.smallest[k], out.condition[k] = (
        (sigma[rank - 1], sigma[0] / sigma[rank - 1]) if rank else (np.nan, np.nan)
    )
    if std is not None and rank:
        out.expected[k] = np.linalg.norm(np.linalg.pinv(dense) * std[index])
    out.unique[k] = rank == frame.n and spanning(frame, index)
    if rank == frame.n:
        return
    # Singular to working precision: rows or columns of very different sizes may be all there is to it.
    by_row = near_one(dense)
    by_column = near_one(scaled_rows(dense, by_row).T)
    if max(np.ptp(np.log2(by_row)), np.ptp(np.log2(by_column))) > _UNEVEN and spanning(frame, index):
        dense = scaled_rows(dense, by_row) * by_column
        scaled, _, rank, _ = np.linalg.lstsq(dense, target * by_row, rcond=None)
        if rank == frame.n:
            out.x[k], out.unique[k], out.smallest[k] = scaled * by_column, True, sigma[-1]
            out.condition[k] = float(sigma[0] / sigma[-1]) if sigma[-1] > 0 else np.inf


def spanning(frame: Frame, index: np.ndarray) -> bool:
    """Return whether the rows are proved to span R^n, exact elimination included."""
    return min(len(index), frame.rank_limit) >= frame.n and frame.rank_bounds(index)[0] == frame.n
