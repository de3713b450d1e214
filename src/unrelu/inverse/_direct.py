"""Solving for many outputs by factors, similar ones together, groups side by side in threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from threadpoolctl import threadpool_limits

from unrelu.frames import DenseFrame
from unrelu.frames._sharing import similar
from unrelu.inverse._nearby import Cluster, solve_nearby, worthwhile_clusters
from unrelu.inverse._solutions import Solutions
from unrelu.inverse._solve import solve

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.frames import Frame

_FACTOR_BYTES = 512 << 20  # factors kept at a time
_GROUP = 16  # outputs solved together
_BLOCK = 1024  # outputs among which similar ones are looked for
_MASK_BYTES = 256 << 20  # of outputs sorted into clusters at a time

if TYPE_CHECKING:
    Advance = Callable[[int], None]


def solve_directly(
    frame: Frame,
    masks: np.ndarray,
    targets: np.ndarray,
    std: np.ndarray | None,
    n_jobs: int,
    advance: Advance,
) -> Solutions:
    """Solve ``W_I x = target_I`` for all outputs.

    Args:
        frame: The rows of ``W``.
        masks: Which rows are in ``I``, one output a row, boolean, shape ``(batch, m)``.
        targets: Right-hand sides, 0 outside ``I``, shape ``(batch, m)``.
        std: Standard deviations of their errors, likewise, or ``None``.
        n_jobs: Threads, as in joblib.
        advance: Told how many outputs have been solved since it was last called.
    """
    task = _Task(masks, targets, std, n_jobs, advance, Solutions.blank(len(masks), frame.n))
    left = np.ones(len(masks), dtype=bool)
    if isinstance(frame, DenseFrame):
        left &= ~_by_clusters(frame, task)
    with threadpool_limits(1, user_api="blas"):
        _by_groups(frame, task, np.flatnonzero(left))
    return task.out


@dataclass(frozen=True, eq=False)
class _Task:
    """The arguments of `solve_directly`, and what is solved so far."""

    masks: np.ndarray
    targets: np.ndarray
    std: np.ndarray | None
    n_jobs: int
    advance: Advance
    out: Solutions

    def equations(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        """Return masks, right-hand sides and deviations of some outputs."""
        return self.masks[index], self.targets[index], None if self.std is None else self.std[index]

    def put(self, index: np.ndarray, part: Solutions) -> None:
        """Take over the solutions of some outputs."""
        self.out.put(index, part)
        self.advance(len(index))


def _by_clusters(frame: DenseFrame, task: _Task) -> np.ndarray:
    """Solve what factors with corrections are good for; return which outputs that were."""
    done = np.zeros(len(task.masks), dtype=bool)

    def work(start: int, cluster: Cluster) -> None:
        index = start + cluster.members
        solved, part = solve_nearby(frame, cluster, *task.equations(index))
        task.put(index[solved], part)
        done[index[solved]] = True

    block = max(1, _MASK_BYTES // (4 * max(frame.m, 1)))
    for start in range(0, len(task.masks), block):
        found = list(worthwhile_clusters(frame, task.masks[start : start + block]))
        with threadpool_limits(1, user_api="blas"), Parallel(task.n_jobs, backend="threading") as parallel:
            parallel(delayed(work)(start, cluster) for cluster in found)
    return done


def _by_groups(frame: Frame, task: _Task, rest: np.ndarray) -> None:
    """Solve outputs by a factor each."""
    kept = max(1, _FACTOR_BYTES // max(1, frame.factor_bytes))
    threads = min(effective_n_jobs(task.n_jobs), kept)
    most = max(1, min(_GROUP, kept // threads, -(-len(rest) // threads)))

    def work(index: np.ndarray) -> None:
        task.put(index, solve(frame, *task.equations(index)))

    with Parallel(threads, backend="threading") as parallel:
        for start in range(0, len(rest), _BLOCK):
            block = rest[start : start + _BLOCK]
            parallel(delayed(work)(block[group]) for group in similar(task.masks[block], most))
