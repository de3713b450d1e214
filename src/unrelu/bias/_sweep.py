"""All samples of an estimate, in one process."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unrelu.bias._minimum import RunningMinimum
from unrelu.bias._select import Records, joined, no_records

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from unrelu.bias._pass import Searcher

    Tell = Callable[[int], None]


@dataclass(frozen=True)
class Outcome:
    """What the samples came to.

    Attributes:
        alpha: The minimum, shape ``(m,)``.
        support: Number of the first sample that attains it, shape ``(m,)``, -1 where there is none.
        seen: Number of samples.
        changes: Number of samples that lowered the minimum.
        converged: Whether patience ended it.
        partial: Whether an interrupt ended it.
    """

    alpha: np.ndarray
    support: np.ndarray
    seen: int
    changes: int
    converged: bool = False
    partial: bool = False

    @classmethod
    def of(cls, minimum: RunningMinimum, *, partial: bool = False) -> Outcome:
        """Return where a running minimum stands."""
        return cls(minimum.alpha, minimum.support, minimum.seen, minimum.changes, minimum.converged, partial)


def sweep(searcher: Searcher, minimum: RunningMinimum, limit: int | None, tell: Tell) -> Outcome:
    """Take samples until the limit, the end of patience or an interrupt, whichever comes first.

    Args:
        searcher: Finds what lowers the minimum.
        minimum: A new minimum.
        limit: Number of samples, ``None`` if patience decides.
        tell: Is called with the number of samples after every chunk.
    """
    with closing(searcher.search(minimum.alpha, 0, limit)) as chunks:
        try:
            for found in chunks:
                minimum.absorb(found.records, found.stop)
                tell(minimum.seen)
                if minimum.converged:
                    break
        except KeyboardInterrupt:
            if not minimum.seen:
                raise
            return Outcome.of(minimum, partial=True)
    return Outcome.of(minimum)


def lowering(searcher: Searcher, alpha: np.ndarray, start: int, stop: int) -> tuple[np.ndarray, Records]:
    """Return what is left of a bias after some samples, and the records that lowered it one by one."""
    minimum = RunningMinimum(alpha)
    with closing(searcher.search(minimum.alpha, start, stop)) as chunks:
        parts = [minimum.absorb(found.records, found.stop) for found in chunks]
    return minimum.alpha, joined([no_records(alpha.dtype), *parts])
