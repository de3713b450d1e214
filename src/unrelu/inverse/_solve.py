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

if TYPE_CHECKING:
    from unrelu.frames import Frame
    from unrelu.frames._factor import Factor

_DIRECT_ENTRIES = 4_000_000  # singular values of so many entries take a second
_REFINEMENTS = 8
_SETTLED = 1e-9  # relative size of a last step that rounding explains; a rough factor leaves more
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


def solve(frame: Frame, masks: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Solve ``W_I x = target_I``: least squares where the rows span, minimum norm elsewhere.

    Args:
        frame: The rows of ``W``.
        masks: Which rows are in ``I``, one system a row, boolean, shape ``(systems, m)``.
        targets: Right-hand sides, 0 outside ``I``, shape ``(systems, m)``.

    Returns:
        Solutions of shape ``(systems, n)``, whether each is proved the only one, and condition numbers.
    """
    systems = _systems(frame, masks)
    with np.errstate(over="ignore", invalid="ignore"):
        x, settled = _refined(frame, systems, masks, targets)
    smallest = np.array([system.smallest_singular_value for system in systems])
    condition = frame.largest_singular_values(masks) / smallest
    unique = settled & np.array([system.spanning and frame.used == frame.n for system in systems])
    for k, system in enumerate(systems):
        if len(system.index) and not settled[k]:
            x[k], unique[k], condition[k] = _directly(frame, system.index, targets[k])
    return x, unique, condition


def _systems(frame: Frame, masks: np.ndarray) -> list[_System]:
    indices = [np.flatnonzero(mask) for mask in masks]
    spanning = [0 < frame.used <= len(index) for index in indices]
    operators = iter(frame.frame_operators(masks[spanning]) if frame.max_rank == frame.used else ())
    return [
        _System(index, spans, next(operators, None) if spans else frame.gram(index) if len(index) else None)
        for index, spans in zip(indices, spanning, strict=True)
    ]


def _refined(
    frame: Frame, systems: list[_System], masks: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Solve all factored systems, each as accurately as its factor allows; say which ones converged."""
    x, rest = np.zeros((len(masks), frame.n)), targets
    before, left = np.full(len(masks), np.inf), np.full(len(masks), np.inf)
    going = np.array([system.factor is not None for system in systems], dtype=bool)
    for _ in range(_REFINEMENTS):
        step = _step(frame, systems, rest, going)
        length = np.linalg.norm(step, axis=1)
        # A step that is hardly shorter than the one before only stirs rounding errors.
        left[going] = length[going]
        going &= length < 0.5 * before
        x += step * going[:, None]
        # Steps shrink geometrically: stop when the next one would be below the last digit.
        following = np.where(np.isinf(before), length, length**2 / np.where(before > 0, before, 1.0))
        left[going] = following[going]
        size = np.linalg.norm(x, axis=1)
        going &= following > 1e-16 * size
        before = length
        if not going.any():
            break
        rest = targets - np.where(masks, frame.apply(x), 0.0)
    return x, left <= _SETTLED * size


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


def _directly(frame: Frame, index: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, bool, float]:
    """Solve one system that no certified factor covers, for its minimum-norm solution."""
    rows, target = frame.rows(index), target[index]
    if len(index) * frame.n > _DIRECT_ENTRIES:
        x, stop, *_, condition, _ = lsmr(rows, target, atol=1e-15, btol=1e-15, maxiter=10 * frame.n)
        return x, stop in _LSMR_CONVERGED and _spanning(frame, index), float(condition)
    dense = to_dense(rows)
    x, _, rank, sigma = np.linalg.lstsq(dense, target, rcond=None)
    condition = float(sigma[0] / sigma[rank - 1]) if rank else np.nan
    if rank == frame.n:
        return x, _spanning(frame, index), condition
    # Singular to working precision: rows or columns of very different sizes may be all there is to it.
    by_row = near_one(dense)
    by_column = near_one(scaled_rows(dense, by_row).T)
    if max(np.ptp(np.log2(by_row)), np.ptp(np.log2(by_column))) > _UNEVEN and _spanning(frame, index):
        dense = scaled_rows(dense, by_row) * by_column
        scaled, _, rank, _ = np.linalg.lstsq(dense, target * by_row, rcond=None)
        if rank == frame.n:
            return scaled * by_column, True, float(sigma[0] / sigma[-1]) if sigma[-1] > 0 else np.inf
    return x, False, condition


def _spanning(frame: Frame, index: np.ndarray) -> bool:
    """Return whether the rows are proved to span R^n, exact elimination included."""
    return min(len(index), frame.rank_limit) >= frame.n and frame.rank_bounds(index)[0] == frame.n
