"""Checking the supports of an injectivity certificate, each once."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._verification import NotProvedError
from unrelu.certificates.injective._dependencies import positive_dependencies
from unrelu.certificates.injective._rows import homogeneous_rows


def check_supports(
    layer: LayerRecord,
    domain: DomainRecord,
    starts: np.ndarray,
    rows: np.ndarray,
    weights: Sequence[np.ndarray | None] | None,
    *,
    has_inner_point: bool = False,
) -> None:
    """Check that every support has a positive dependency, and is sorted.

    A support needs a row of the layer or the last row among those that count as they are: domain rows alone
    may only say that the domain has no interior. With one of them the statement holds on the closed domain
    as well.

    Args:
        layer: The layer.
        domain: The domain.
        starts: Where each support starts.
        rows: Their rows, ``-1 - i`` for a row ``i`` that counts with its sign changed.
        weights: Given dependencies, see `InjectivityCertificate`.
        has_inner_point: Whether the domain is known to have an inner point.

    Raises:
        NotProvedError: Naming the first support that does not.
    """
    _check_form(starts, rows, layer.m, layer.m + len(domain.inequalities()[1]), has_inner_point)
    lengths = np.diff(starts)
    if weights is not None and len(weights) != len(lengths):
        raise NotProvedError(f"{len(lengths)} supports have {len(weights)} entries of weights")
    signed, position = np.unique(rows, return_inverse=True)
    matrix = homogeneous_rows(layer, domain, numbers_of(signed))
    matrix[signed < 0] *= -1.0
    given = [k for k, vector in enumerate(weights or ()) if vector is not None]
    for k in given:
        support = position[starts[k] : starts[k + 1]]
        if not _is_positive_dependency(matrix[support], weights[k] if weights is not None else None):
            raise NotProvedError(f"support {k}: its weights are no positive dependency of its rows")
    asked = np.ones(len(lengths), dtype=bool)
    asked[given] = False
    for size in np.unique(lengths[asked]):
        chosen = np.flatnonzero(asked & (lengths == size))
        supports = position[starts[chosen][:, None] + np.arange(size)]
        wrong = chosen[~positive_dependencies(matrix, supports)]
        if len(wrong):
            raise NotProvedError(f"support {wrong[0]}: its rows have no unique positive dependency")


def numbers_of(rows: np.ndarray) -> np.ndarray:
    """Return the numbers of rows, whatever their signs."""
    return np.where(rows < 0, -1 - rows, rows)


def _check_form(starts: np.ndarray, rows: np.ndarray, m: int, last: int, has_inner_point: bool) -> None:
    """Refuse row numbers that are not as they should be."""
    if starts.ndim != 1 or rows.ndim != 1 or not len(starts) or starts[0] != 0 or starts[-1] != len(rows):
        raise NotProvedError("the supports do not start and end where their rows do")
    empty = np.flatnonzero(np.diff(starts) < 1)
    if len(empty):
        raise NotProvedError(f"support {empty[0]} is empty")
    support = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    outside = np.flatnonzero((rows < -m) | (rows > last))
    if len(outside):
        raise NotProvedError(f"support {support[outside[0]]}: row {rows[outside[0]]} does not exist")
    unsorted = np.flatnonzero((np.diff(numbers_of(rows)) <= 0) & (np.diff(support) == 0))
    if len(unsorted):
        raise NotProvedError(f"support {support[unsorted[0]]}: its rows do not ascend")
    told = rows >= 0 if has_inner_point else (rows >= 0) & ((rows < m) | (rows == last))
    telling = np.bincount(support[told], minlength=len(starts) - 1)
    if (telling == 0).any():
        raise NotProvedError(f"support {np.argmin(telling)} has no row of the layer")


def _is_positive_dependency(rows: np.ndarray, weights: np.ndarray | None) -> bool:
    """Say whether the combination of rows with these weights is 0 and all weights are positive, exactly."""
    if weights is None or weights.shape != (len(rows),):
        return False
    exact = [Fraction(v) for v in weights]
    return all(v > 0 for v in exact) and all(
        sum(v * Fraction(r) for v, r in zip(exact, column, strict=True)) == 0 for column in rows.T.tolist()
    )
