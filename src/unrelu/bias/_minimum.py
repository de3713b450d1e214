"""The minimum that runs through the samples, one after another (Eckert et al. 2024, Algorithm 1)."""

from __future__ import annotations

from typing import final

import numba
import numpy as np

from unrelu.bias._select import Records

_SEEN, _CHANGES, _LAST = range(3)


@final
class RunningMinimum:
    """``alpha`` after the samples seen so far, and when it moved.

    It starts at +infinity (the paper's listing says -infinity, a slip).

    Attributes:
        alpha: The minimum, shape ``(m,)``.
        support: Number of the first sample that attains it, shape ``(m,)``, -1 where there is none.
        patience: Samples without change after which to stop, or ``None``.
    """

    def __init__(self, alpha: np.ndarray, patience: int | None = None) -> None:
        """Start from a copy of ``alpha``, +infinity before the first sample."""
        self.alpha = alpha.copy()
        self.support = np.full(len(alpha), -1, dtype=np.int64)
        self.patience = patience
        self._state = np.zeros(3, dtype=np.int64)

    @property
    def seen(self) -> int:
        """Samples seen."""
        return int(self._state[_SEEN])

    @property
    def changes(self) -> int:
        """Number of samples that lowered the minimum."""
        return int(self._state[_CHANGES])

    @property
    def converged(self) -> bool:
        """Whether the last ``patience`` samples lowered nothing."""
        return self.patience is not None and self.seen - int(self._state[_LAST]) == self.patience

    def absorb(self, records: Records, stop: int) -> Records:
        """Take in the samples up to number ``stop``, or up to the one with which patience ends.

        Args:
            records: Whatever lowers the minimum, and possibly more; not the samples seen before.
            stop: Number of the last sample plus one.

        Returns:
            The records that did lower it.
        """
        lowered = np.zeros(len(records.number), dtype=np.bool_)
        # One compiled call: an interrupt comes before or after it.
        _absorb(self.alpha, self.support, self._state, *records, self.patience or stop, stop, lowered)
        return Records(*(column[lowered] for column in records))


@numba.njit(cache=True)
def _absorb(
    alpha: np.ndarray,
    support: np.ndarray,
    state: np.ndarray,
    number: np.ndarray,
    row: np.ndarray,
    value: np.ndarray,
    patience: int,
    stop: int,
    lowered: np.ndarray,
) -> None:
    for k in range(len(number)):
        if number[k] >= state[_LAST] + patience:
            break
        j = row[k]
        if value[k] < alpha[j]:
            alpha[j], support[j], lowered[k] = value[k], number[k], True
            state[_CHANGES] += state[_LAST] != number[k] + 1
            state[_LAST] = number[k] + 1
    state[_SEEN] = min(stop, state[_LAST] + patience)
