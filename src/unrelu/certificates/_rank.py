"""The rank of sparse rows, proved part by part."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from unrelu.certificates._pieces import numbers_within
from unrelu.certificates._rows import Rows, integer_rows
from unrelu.certificates._span import Span


def proved_rank(rows: Rows) -> int:
    """Return a proved lower bound of the rank: the sum over connected components, equal ones done once."""
    rows = rows.take(np.flatnonzero(np.diff(rows.starts)))
    if not rows.m:
        return 0
    label = components(rows)
    known: dict[tuple[bytes, ...], int] = {}
    total = 0
    for own in split(rows, label, label[rows.columns[rows.starts[:-1]]]):
        key = own.starts.tobytes(), own.columns.tobytes(), own.values.tobytes()
        if key not in known:
            known[key] = Span(own, integer_rows(own)).rank
        total += known[key]
    return total


def components(rows: Rows) -> np.ndarray:
    """Return for each column the first column of its connected component."""
    label, numbers = np.arange(rows.n), rows.numbers
    while True:
        least = np.full(rows.m, rows.n)
        np.minimum.at(least, numbers, label[rows.columns])
        new = label.copy()
        np.minimum.at(new, rows.columns, least[numbers])
        new = new[new]
        if (new == label).all():
            return label
        label = new


def split(rows: Rows, label: np.ndarray, of_row: np.ndarray) -> Iterator[Rows]:
    """Yield the rows of each component, ascending, on its own columns, which are numbered anew.

    Args:
        rows: The rows.
        label: For each column the first column of its component.
        of_row: Likewise for each row.
    """
    firsts, sizes = np.unique(label, return_counts=True)
    order = np.argsort(of_row, kind="stable")
    ordered = rows.take(order)
    columns = numbers_within(label)[ordered.columns]
    limits = np.searchsorted(of_row[order], np.append(firsts, rows.n)).tolist()
    for size, (low, high) in zip(sizes.tolist(), pairwise(limits), strict=True):
        starts = ordered.starts[low : high + 1]
        entries = slice(starts[0], starts[-1])
        yield Rows(size, starts - starts[0], columns[entries], ordered.values[entries])
