"""Point-wise truth: is an input the only one with its output?

A point is the only preimage of its output if its strictly active rows span R^n, and never if its weakly active
rows do not (Behrmann et al. 2018, Theorem 4; Eckert et al. 2024, Section 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from unrelu.frames._frame import Frame, frame_of
from unrelu.frames._signs import Activity, activity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.arrays import Array
    from unrelu.layers import ReLULayer

_CHUNK_BYTES = 256 << 20


class Test(StrEnum):
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
        test: What settled each point, an array of `Test`.
    """

    n: int
    n_active: np.ndarray
    rank: np.ndarray
    rank_certified: np.ndarray
    singleton: np.ndarray
    radius: np.ndarray
    test: np.ndarray


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
    samples, _, _ = layer.samples(x)
    frame = frame or frame_of(layer)
    if not assume_general_position:
        assume_general_position = frame.m <= frame.n and frame.independent(np.arange(frame.m))
    settle = _Settler(layer, frame, assume_general_position)
    with threadpool_limits(1), Parallel(n_jobs, backend="threading") as parallel:
        rows = [
            row
            for chunk in _chunks(len(samples), layer.m)
            for row in parallel(settle.jobs(activity(layer, samples[chunk])))
        ]
    columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.zeros(0)] * 6
    return PointAnalysis(
        frame.n,
        columns[0].astype(np.int64),
        columns[1].astype(np.int64),
        columns[2].astype(bool),
        columns[3].astype(np.int8),
        columns[4].astype(float),
        columns[5],
    )


def _chunks(samples: int, m: int) -> Iterator[slice]:
    size = max(1, _CHUNK_BYTES // (32 * max(m, 1)))
    return (slice(start, start + size) for start in range(0, samples, size))


Row = tuple[int, int, bool, int, float, Test]


class _Settler:
    """Settles single points of one layer."""

    def __init__(self, layer: ReLULayer, frame: Frame, counting: bool) -> None:
        self.frame = frame
        self.counting = counting
        self.norms = layer.row_norms().double().cpu().numpy()

    def jobs(self, batch: Activity) -> Iterator[object]:
        return (
            delayed(self.point)(batch.signs[k], batch.z[k] - batch.error[k]) for k in range(len(batch.signs))
        )

    def point(self, signs: np.ndarray, lower: np.ndarray) -> Row:
        frame = self.frame
        active = np.flatnonzero(signs > 0)
        weak = int((signs >= 0).sum())
        if frame.max_rank < frame.n or weak < frame.n:
            rank, certified = self._rank(active)
            test = Test.COUNT if frame.max_rank == frame.n else Test.STRUCTURE
            return len(active), rank, certified, 0, 0.0, test
        ordered = active[np.argsort(-self._margins(active, lower), kind="stable")]
        prefix = self._spanning_prefix(ordered)
        if prefix:
            radius = float(self._margins(ordered[prefix - 1 : prefix], lower)[0])
            test = Test.COUNT if self.counting else Test.RANK
            return len(active), frame.n, not self.counting, 1, max(radius, 0.0), test
        return self._not_spanning_in_float(active, np.flatnonzero(signs >= 0))

    def _margins(self, rows: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Return distances to the rows' hyperplanes, rounded down; zero rows stay active everywhere."""
        norms = self.norms[rows] * (1 + 1e-12)
        return np.divide(lower[rows], norms, out=np.full(len(rows), np.inf), where=norms > 0)

    def _rank(self, active: np.ndarray) -> tuple[int, bool]:
        if self.counting:
            return min(len(active), self.frame.max_rank), self.frame.m <= self.frame.n
        if len(active) <= self.frame.max_rank and self.frame.independent(active):
            return len(active), True
        return self.frame.numerical_rank(active), False

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

    def _not_spanning_in_float(self, active: np.ndarray, weak: np.ndarray) -> Row:
        """Settle a point with enough rows whose span floating point does not prove."""
        low, high = self.frame.rank_bounds(active)
        certified = low == high
        rank = low if certified else self.frame.numerical_rank(active)
        if low == self.frame.n:
            return len(active), low, True, 1, 0.0, Test.RANK
        weak_high = high if len(weak) == len(active) else self.frame.rank_bounds(weak)[1]
        if weak_high < self.frame.n:
            return len(active), rank, certified, 0, 0.0, Test.RANK
        test = Test.BOUNDARY if high < self.frame.n else Test.PRECISION
        return len(active), rank, certified, -1, 0.0, test
