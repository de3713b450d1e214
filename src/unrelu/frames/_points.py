"""Point-wise truth: is an input the only one with its output?

A point is the only preimage of its output if its strictly active rows span R^n, and never if its weakly
active rows do not (Behrmann et al. 2018, Theorem 4; Eckert et al. 2024, Section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from unrelu.frames._of_layer import frame_of
from unrelu.frames._scaling import UNIT
from unrelu.frames._signs import Activity, activity, in_double

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.arrays import Array
    from unrelu.frames._frame import Frame
    from unrelu.layers import ReLULayer

_CHUNK_BYTES = 256 << 20
_JOB = 8  # points a thread takes at a time: handing out a job costs as much as an easy point


class Evidence(StrEnum):
    """What settled a point."""

    STRUCTURE = "structure"  # the layer as a whole has rank below n
    COUNT = "count"  # fewer than n weakly active rows; or n, where general position is known
    RANK = "rank"  # the rank of the active rows, proved
    BOUNDARY = "boundary"  # undecided: rows exactly at 0 make the difference
    PRECISION = "precision"  # undecided: the rank cannot be told within the effort allowed


@dataclass(frozen=True)
class PointAnalysis:
    """What holds at each of a batch of points, for the preimage on all of R^n.

    Attributes:
        n: Dimension of the points.
        n_active: Number of strictly active rows, shape ``(batch,)``.
        rank: Rank of the strictly active rows, -1 where unknown, shape ``(batch,)``.
        rank_certified: Whether ``rank`` is proved for the stored numbers; otherwise it is numerical.
        singleton: 1 singleton preimage, 0 not, -1 undecided; int8, shape ``(batch,)``.
        radius: Certified radius: every point of the open ball of this Euclidean radius has a singleton
            preimage; 0 where the point is not known to have one. Shape ``(batch,)``.
        evidence: What settled each point, an array of `Evidence`.
    """

    n: int
    n_active: np.ndarray
    rank: np.ndarray
    rank_certified: np.ndarray
    singleton: np.ndarray
    radius: np.ndarray
    evidence: np.ndarray


def analyse_points(
    layer: ReLULayer,
    x: Array,
    *,
    frame: Frame | None = None,
    assume_general_position: bool = False,
    n_jobs: int = -1,
) -> PointAnalysis:
    """Decide for every input whether its preimage under the layer is the input alone.

    Args:
        layer: The layer.
        x: Inputs of shape ``(..., n)`` or ``(..., *in_shape)``.
        frame: The layer's rows, to be shared between calls; made from the layer when ``None``.
        assume_general_position: Take every ``n`` rows to be independent (full spark) and only count them. The
            answer is then exact in general position, no more.
        n_jobs: Threads, as in joblib.

    Returns:
        The analysis, batch axes flattened.

    Raises:
        ArgumentError: If the inputs do not fit the layer or are not finite.
    """
    layer = in_double(layer)
    samples, _, _ = layer.samples(x)
    frame = frame or frame_of(layer)
    frame.hold(len(samples))
    settle = _Settler(frame, assume_general_position)
    with threadpool_limits(1, user_api="blas"), Parallel(n_jobs, backend="threading") as parallel:
        rows = [
            row
            for chunk in _chunks(len(samples), layer.m)
            for part in parallel(settle.jobs(activity(layer, samples[chunk], frame)))
            for row in part
        ]
    kinds = (np.int64, np.int64, bool, np.int8, float, np.str_)
    columns = zip(*rows, strict=True) if rows else [()] * len(kinds)
    return PointAnalysis(
        frame.n, *(np.array(column, dtype=kind) for column, kind in zip(columns, kinds, strict=True))
    )


def _chunks(samples: int, m: int) -> Iterator[slice]:
    size = max(1, _CHUNK_BYTES // (32 * max(m, 1)))
    return (slice(start, start + size) for start in range(0, samples, size))


Row = tuple[int, int, bool, int, float, Evidence]


class _Settler:
    """Settles single points of one layer.

    Attributes:
        frame: The layer's rows.
        counting: Whether rows are only counted, because any ``n`` of them are independent.
        certified: Whether that, and so every rank that was counted, is proved rather than assumed.
    """

    def __init__(self, frame: Frame, assume_general_position: bool) -> None:
        self.frame = frame
        self.certified = frame.has_independent_rows
        self.counting = assume_general_position or self.certified

    def jobs(self, batch: Activity) -> Iterator[object]:
        count = len(batch.signs)
        return (
            delayed(self.points)(batch, range(start, min(start + _JOB, count)))
            for start in range(0, count, _JOB)
        )

    def points(self, batch: Activity, numbers: range) -> list[Row]:
        return [self.point(batch.signs[k], batch.z[k], batch.error[k]) for k in numbers]

    def point(self, signs: np.ndarray, z: np.ndarray, error: np.ndarray) -> Row:
        frame = self.frame
        active = np.flatnonzero(signs > 0)
        weak = np.flatnonzero(signs >= 0)
        if frame.max_rank < frame.n or len(weak) < frame.n:
            evidence = Evidence.COUNT if frame.max_rank == frame.n else Evidence.STRUCTURE
            return len(active), *self._rank(active), 0, 0.0, evidence
        rows = active[frame.norms[active] > 0]
        margins = self._margins(rows, z, error)
        order = np.argsort(-margins, kind="stable")
        prefix = self._spanning_prefix(rows[order])
        if prefix:
            radius = float(margins[order[prefix - 1]])
            evidence = Evidence.COUNT if self.counting else Evidence.RANK
            return len(active), frame.n, self.certified or not self.counting, 1, radius, evidence
        return self._not_spanning_in_float(active, weak, float(margins.min(initial=np.inf)))

    def _margins(self, rows: np.ndarray, z: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Return distances to the rows' hyperplanes, rounded down."""
        z, error = z[rows], error[rows]
        known = np.isfinite(z) & np.isfinite(error)
        lower = np.subtract(z, error, out=np.zeros(len(rows)), where=known).clip(min=0)
        with np.errstate(over="ignore"):
            return np.minimum(lower * (1 - 4 * UNIT) / self.frame.norms[rows], np.finfo(float).max)

    def _rank(self, active: np.ndarray) -> tuple[int, bool]:
        if self.counting:
            return min(len(active), self.frame.max_rank), self.certified
        low, high = self.frame.rank_bounds(active, eliminate=False)
        return (low, True) if low == high else (self._numerical_rank(active, low, high), False)

    def _numerical_rank(self, active: np.ndarray, low: int, high: int) -> int:
        rank = self.frame.numerical_rank(active)
        return rank if rank < 0 else min(max(rank, low), high)

    def _spanning_prefix(self, ordered: np.ndarray) -> int:
        """Return the length of a short prefix that is proved to span, 0 if there is none.

        With n rows of the largest margins the radius is the largest possible; a few more cost little of it.
        """
        n = self.frame.n
        if len(ordered) < n:
            return 0
        if self.counting or self.frame.spans(ordered[:n]):
            return n
        if not self.frame.spans(ordered):
            return 0
        low, high = n, len(ordered)
        for _ in range(6):
            middle = (low + high) // 2
            if middle == low:
                break
            low, high = (low, middle) if self.frame.spans(ordered[:middle]) else (middle, high)
        return high

    def _not_spanning_in_float(self, active: np.ndarray, weak: np.ndarray, radius: float) -> Row:
        """Settle a point with enough rows whose span floating point does not prove.

        Args:
            active: Strictly active rows.
            weak: Weakly active rows.
            radius: Of the ball in which all of ``active`` stay active.
        """
        n, frame = self.frame.n, self.frame
        if frame.rank_limit < n:
            return len(active), *self._rank(active), 0, 0.0, Evidence.STRUCTURE
        low, high = frame.rank_bounds(active)
        if low == n:
            return len(active), n, True, 1, radius, Evidence.RANK
        certified = low == high
        rank = low if certified else self._numerical_rank(active, low, high)
        weak_high = high if len(weak) == len(active) else frame.rank_bounds(weak)[1]
        if weak_high < n:
            return len(active), rank, certified, 0, 0.0, Evidence.RANK
        evidence = Evidence.BOUNDARY if high < n else Evidence.PRECISION
        return len(active), rank, certified, -1, 0.0, evidence
