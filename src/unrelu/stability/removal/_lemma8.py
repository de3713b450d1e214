"""Singular values after rows are removed, bounded by those before (Behrmann et al. 2018, Lemma 8)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unrelu.stability._singular_values import rank_of, singular_values
from unrelu.stability.removal._inputs import matrix_and_rows, zero_share

if TYPE_CHECKING:
    from unrelu.arrays import Array


@dataclass(frozen=True)
class RemovalBounds:
    """What the singular values ``s_1 >= ... >= s_N > 0`` of ``A`` say of those of ``D A``, and these.

    Attributes:
        smallest: Lemma 8: the smallest value of ``D A`` that is not 0 is at most ``s_k`` for
            ``k = N - removed``; ``s_1`` where ``k < 1``.
        sharper: The same for ``k = rank(D A)``, which is at least ``N - removed``.
        largest: The largest value of ``D A`` is at most ``s_1``.
        actual_smallest: The smallest value of ``D A`` that is not 0; 0 where all are.
        actual_largest: The largest one.
        rank: Rank ``N`` of ``A``.
        rank_left: Rank of ``D A``.
        removed: Number of removed rows.
    """

    smallest: float
    sharper: float
    largest: float
    actual_smallest: float
    actual_largest: float
    rank: int
    rank_left: int
    removed: int


def removal_bounds(matrix: Array, kept: Array, *, tolerance: float | None = None) -> RemovalBounds:
    r"""Bound the singular values of ``D A`` by those of ``A``.

    ``D`` sets rows to 0, as a ReLU does with the derivative. Since ``|D A v| <= |A v|``, the j-th singular
    value of ``D A`` is at most the j-th one of ``A``. Lemma 8 states this for ``j = N - |I|`` and ``j = 1``;
    it is attained where ``A`` is diagonal and its smallest rows are removed.

    Args:
        matrix: ``A``, shape ``(m, n)``.
        kept: Which rows are kept, booleans of shape ``(m,)``.
        tolerance: Share of the largest value up to which one counts as 0; ``max(m, n)`` roundings when
            ``None``.

    Raises:
        ArgumentError: If shapes do not fit or an entry is not finite.

    Example:
        >>> import numpy as np
        >>> from unrelu.stability import removal_bounds
        >>> bounds = removal_bounds(np.diag([3.0, 2.0, 1.0]), np.array([True, True, False]))
        >>> bounds.smallest, bounds.actual_smallest
        (2.0, 2.0)
    """
    rows, chosen = matrix_and_rows(matrix, kept)
    zero = zero_share(rows, tolerance)
    before, after = singular_values(rows), singular_values(rows[chosen])
    rank, left = int(rank_of(before, zero)), int(rank_of(after, zero))
    removed = int((~chosen).sum())
    return RemovalBounds(
        smallest=_value(before, max(1, rank - removed)),
        sharper=_value(before, max(1, left)),
        largest=_value(before, 1),
        actual_smallest=_value(after, left) if left else 0.0,
        actual_largest=_value(after, 1),
        rank=rank,
        rank_left=left,
        removed=removed,
    )


def _value(values: Array, number: int) -> float:
    """Return the value of that number, counted from 1; 0 behind the last one."""
    return float(values[number - 1]) if number <= len(values) else 0.0
