"""How weakly correlated a removed row is with the rest (Behrmann et al. 2018, Lemma 9 and Appendix A5)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.errors import ArgumentError
from unrelu.stability._singular_values import rank_of
from unrelu.stability.removal._inputs import matrix_and_rows, zero_share

if TYPE_CHECKING:
    from unrelu.arrays import Array

_IN_SPACE = 1e-9  # part of a row outside of the row space up to which it counts as inside
_BLOCK = 1024  # removed rows at a time


@dataclass(frozen=True)
class CorrelationBound:
    """What Lemma 9 says of the smallest singular value that is not 0.

    Attributes:
        bound: The smallest ``c`` of all removed rows in the row space of the rest; infinite where there is
            none.
        sharper: The smallest ``|D A a_k| / |a_k|`` of these rows: what the lemma's proof bounds by ``c``.
        row: Number of the row with the smallest ``c``; ``None`` where there is none.
        rows: Numbers of the removed rows.
        constants: For each of them the smallest ``c`` with which all kept rows meet condition (3); infinite
            for rows of zeros.
        in_row_space: Which of them lie in the row space of the kept rows.
        kept: Number ``M`` of kept rows.
    """

    bound: float
    sharper: float
    row: int | None
    rows: np.ndarray
    constants: np.ndarray
    in_row_space: np.ndarray
    kept: int


def correlation_bound(matrix: Array, kept: Array) -> CorrelationBound:
    r"""Bound the smallest non-zero singular value of ``D A`` by correlations of removed rows with kept ones.

    Lemma 9: if a removed row ``a_k`` lies in the row space of the ``M`` kept rows, and
    ``|<a_j, a_k>| <= c |a_k| / sqrt(M)`` for all of these, then the smallest singular value of ``D A`` that
    is not 0 is at most ``c``: ``|D A a_k|² = sum_j <a_j, a_k>² <= c² |a_k|²``. It is attained where all
    correlations are equal and ``a_k`` is a right singular vector of that value.

    Args:
        matrix: ``A``, shape ``(m, n)``.
        kept: Which rows are kept, booleans of shape ``(m,)``.

    Raises:
        ArgumentError: If shapes do not fit or an entry is not finite.

    Example:
        >>> import numpy as np
        >>> from unrelu.stability import correlation_bound
        >>> rows = np.array([[1.0, 0.1], [1.0, -0.1], [0.0, 1.0]])
        >>> round(correlation_bound(rows, np.array([True, True, False])).bound, 3)
        0.141
    """
    rows, chosen = matrix_and_rows(matrix, kept)
    rest = rows[chosen]
    count = len(rest)
    space = _row_space(rest)
    parts = [_condition(rest, space, removed) for removed in rows[~chosen].split(_BLOCK)]
    needed, lengths, inside = (torch.cat(part).cpu().numpy() for part in zip(*parts, strict=True))
    numbers = torch.nonzero(~chosen)[:, 0].cpu().numpy()
    best = int(np.argmin(np.where(inside, needed, math.inf))) if inside.any() else None
    return CorrelationBound(
        bound=math.inf if best is None else float(needed[best]),
        sharper=float(lengths[inside].min(initial=math.inf)),
        row=None if best is None else int(numbers[best]),
        rows=numbers,
        constants=needed,
        in_row_space=inside,
        kept=count,
    )


def _condition(
    rest: torch.Tensor, space: torch.Tensor, removed: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return for removed rows the ``c`` they need, ``|D A a_k| / |a_k|``, and whether the rest spans them."""
    correlation, norms = _correlations(rest, removed)
    largest = correlation.amax(dim=1) if len(rest) else torch.zeros_like(norms)
    needed = torch.where(norms > 0, math.sqrt(len(rest)) * largest, math.inf)
    outside = torch.linalg.vector_norm(removed - (removed @ space.T) @ space, dim=1)
    return needed, torch.linalg.vector_norm(correlation, dim=1), (outside <= _IN_SPACE * norms) & (norms > 0)


def correlation_counts(matrix: Array, kept: Array, constants: Array) -> np.ndarray:
    """Count, for each ``c``, the kept rows that meet condition (3) of Lemma 9 for the best removed row.

    Appendix A5, steps 2 to 4 and Figure 9: ``max_k #{j kept : |<a_j, a_k>| <= c |a_k| / sqrt(M)}``. Where the
    count reaches ``M`` for a row in the row space of the rest, ``c`` bounds the smallest singular value.

    Args:
        matrix: ``A``, shape ``(m, n)``.
        kept: Which rows are kept, booleans of shape ``(m,)``.
        constants: Values of ``c``, shape ``(p,)``, none negative.

    Returns:
        Counts, shape ``(p,)``; 0 where no row is removed.

    Raises:
        ArgumentError: If shapes do not fit, an entry is not finite, or a constant is negative.
    """
    rows, chosen = matrix_and_rows(matrix, kept)
    limits = np.asarray(constants, dtype=np.float64)
    if limits.ndim != 1 or not (limits >= 0).all():
        raise ArgumentError(f"constants: expected a list of numbers of at least 0, got {constants!r}")
    rest, most = rows[chosen], np.zeros(len(limits), dtype=np.int64)
    asked = torch.as_tensor(limits, device=rows.device)
    for removed in rows[~chosen].split(_BLOCK):
        correlation, norms = _correlations(rest, removed)
        needed = (math.sqrt(len(rest)) * correlation[norms > 0]).sort(dim=1).values
        if needed.numel():
            counts = torch.searchsorted(needed, asked.expand(len(needed), -1).contiguous(), right=True)
            most = np.maximum(most, counts.amax(dim=0).cpu().numpy())
    return most


def _correlations(rest: torch.Tensor, removed: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``|<a_j, a_k>| / |a_k|`` for removed rows ``k`` and kept ones ``j``, and the former's norms."""
    norms = torch.linalg.vector_norm(removed, dim=1)
    unit = removed / torch.where(norms > 0, norms, 1.0)[:, None]
    return (unit @ rest.T).abs(), norms


def _row_space(rest: torch.Tensor) -> torch.Tensor:
    """Return an orthonormal basis of the space that rows span, as rows."""
    if not len(rest):
        return rest
    _, values, basis = torch.linalg.svd(rest, full_matrices=False)
    return basis[: int(rank_of(values, zero_share(rest, None)))]
