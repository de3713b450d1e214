"""Leaves of an injectivity proof of grade exact: any choice of one row from each support completes R^n."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import flint
import numpy as np

from unrelu.certificates._verification import NotProvedError
from unrelu.certificates.injective._residues import eliminate, residues_of
from unrelu.certificates.injective._rows import whole_rows
from unrelu.certificates.injective._tree import Leaf, members_of

_LEAVES_AT_ONCE = 1024
_ENTRIES_AT_ONCE = 1 << 21
_MOST_CHOICES = 1 << 24  # at one leaf; minutes


class _Choices(NamedTuple):
    """A leaf, its sets of rows spelled out.

    Attributes:
        leaf: The leaf.
        chosen: The rows ``Z``.
        sets: One row is to be chosen from each, the smallest first.
    """

    leaf: Leaf
    chosen: tuple[int, ...]
    sets: list[tuple[int, ...]]


@dataclass(frozen=True)
class _Stack:
    """Partial choices, and what is left of the rows after the chosen ones have been eliminated.

    Attributes:
        rows: Residues of the rows to choose from, shape ``(k, r, d)``; 0 where a set is smaller than others.
        names: Numbers of these rows, -1 where there is none, shape ``(k, r)``.
        missing: What the rank still lacks, shape ``(k,)``.
        leaf: To which leaf each belongs, shape ``(k,)``.
        picks: Rows chosen so far, shape ``(k, steps)``.
    """

    rows: np.ndarray
    names: np.ndarray
    missing: np.ndarray
    leaf: np.ndarray
    picks: np.ndarray


class LeafChecker:
    """Checks leaves, many of the same shape together: modulo a prime, exactly where that proves nothing."""

    def __init__(self, rows: np.ndarray) -> None:
        """Take the rows that leaves speak of, float64, shape ``(r, n)``."""
        self._rows = rows
        self._residues = np.concatenate([residues_of(rows), np.zeros((1, rows.shape[1]), np.int64)])
        self._waiting: defaultdict[tuple[int, int], list[_Choices]] = defaultdict(list)

    def add(self, leaf: Leaf) -> None:
        """Take a leaf, and check those of its shape when there are many.

        Raises:
            NotProvedError: If one does not hold.
        """
        if not all(leaf.choices):
            return  # a set without a row to choose closes the node
        sets = sorted(map(members_of, leaf.choices), key=len)
        if math.prod(map(len, sets)) > _MOST_CHOICES:
            raise NotProvedError(f"tree position {leaf.position}: more than {_MOST_CHOICES} choices to check")
        found = _Choices(leaf, members_of(leaf.chosen), sets)
        shape = (len(found.chosen), len(sets))
        self._waiting[shape].append(found)
        if len(self._waiting[shape]) >= _LEAVES_AT_ONCE:
            self._check(self._waiting.pop(shape))

    def finish(self) -> None:
        """Check what is left.

        Raises:
            NotProvedError: If a leaf does not hold.
        """
        for leaves in self._waiting.values():
            self._check(leaves)
        self._waiting.clear()

    def _check(self, leaves: list[_Choices]) -> None:
        stack, widths = self._eliminated(leaves)
        for number, picks in _deficient(stack, widths):
            leaf, rows = leaves[number].leaf, [*leaves[number].chosen, *picks]
            if not self._closes(rows, leaf.excluded):
                raise NotProvedError(
                    f"tree position {leaf.position}: {len(rows)} rows that may be chosen do not span R^n"
                )

    def _eliminated(self, leaves: list[_Choices]) -> tuple[_Stack, list[int]]:
        """Gather the rows of leaves of one shape, and eliminate those of ``Z``."""
        widths = [max(map(len, sets)) for sets in zip(*(leaf.sets for leaf in leaves), strict=True)]
        names = np.array([[*leaf.chosen, *_padded(leaf.sets, widths)] for leaf in leaves], dtype=np.int64)
        rows = self._residues[names]
        is_pivot = np.zeros((len(leaves), self._rows.shape[1]), dtype=bool)
        for _ in leaves[0].chosen:
            rows, column = eliminate(rows[:, 0], rows[:, 1:])
            found = np.flatnonzero(column >= 0)
            is_pivot[found, column[found]] = True
        missing = (~is_pivot).sum(axis=1)
        left = np.argsort(is_pivot, axis=1, kind="stable")[:, : max(1, missing.max())]
        rows = np.take_along_axis(rows, left[:, None, :], axis=2)
        names = names[:, len(leaves[0].chosen) :]
        return _Stack(rows, names, missing, np.arange(len(leaves)), names[:, :0]), widths

    def _closes(self, rows: list[int], excluded: int) -> bool:
        """Say whether rows span R^n, or an excluded row lies in their span; exactly."""
        n = self._rows.shape[1]
        null, nullity = flint.fmpz_mat(whole_rows(self._rows[rows]) or [[0] * n]).nullspace()
        if nullity == 0:
            return True
        out = [row for row in range(len(self._rows)) if excluded >> row & 1]
        if not out:
            return False
        basis = flint.fmpz_mat([[null[i, j] for j in range(nullity)] for i in range(n)])
        products = (flint.fmpz_mat(whole_rows(self._rows[out])) * basis).tolist()
        return any(all(v == 0 for v in product) for product in products)


def _padded(sets: list[tuple[int, ...]], widths: list[int]) -> Iterator[int]:
    """Yield the rows of all sets, each set filled up with -1."""
    for rows, width in zip(sets, widths, strict=True):
        yield from rows
        yield from (-1,) * (width - len(rows))


def _deficient(stack: _Stack, widths: list[int]) -> Iterator[tuple[int, list[int]]]:
    """Yield the leaf and the choice wherever the rank modulo the prime is too small."""
    if not widths:
        for failing in np.flatnonzero(stack.missing > 0).tolist():
            yield int(stack.leaf[failing]), stack.picks[failing].tolist()
        return
    width, behind = widths[0], sum(widths[1:])
    entry, choice = np.nonzero(stack.names[:, :width] >= 0)
    step = max(1, _ENTRIES_AT_ONCE // max(1, behind * stack.rows.shape[2]))
    for start in range(0, len(entry), step):
        k, j = entry[start : start + step], choice[start : start + step]
        rows, column = eliminate(stack.rows[k, j], stack.rows[k, width:])
        picks = np.column_stack([stack.picks[k], stack.names[k, j]])
        missing = stack.missing[k] - (column >= 0)
        yield from _deficient(_Stack(rows, stack.names[k, width:], missing, stack.leaf[k], picks), widths[1:])
