"""Leaves of an injectivity proof of grade exact: any choice of one row from each support completes R^n."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import flint
import numpy as np

from unrelu.certificates._verification import NotProvedError
from unrelu.certificates.injective._choices import MOST_SETS, singular_choices
from unrelu.certificates.injective._residues import eliminate, residues_of
from unrelu.certificates.injective._rows import whole_rows
from unrelu.certificates.injective._tree import Leaf, largest_load, members_of

_LEAVES_AT_ONCE = 1024
_LEAVES_WAITING = 30_000
_MOST_CHOICES = 1 << 28  # at one leaf; seconds
_ENTRIES_AT_ONCE = 1 << 19


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

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of ``Z`` and of the sets."""
        return len(self.chosen), *map(len, self.sets)


class LeafChecker:
    """Checks leaves, those of one shape together: modulo a prime, exactly where that proves nothing.

    The rows ``Z`` count as sets of one row each.
    """

    def __init__(self, rows: np.ndarray) -> None:
        """Take the rows that leaves speak of, float64, shape ``(r, n)``."""
        self._rows = rows
        self._residues = residues_of(rows)
        self._waiting: defaultdict[tuple[int, ...], list[_Choices]] = defaultdict(list)
        self._count = 0

    def add(self, leaf: Leaf) -> None:
        """Take a leaf, and check what waits when that is much.

        Raises:
            NotProvedError: If a leaf does not hold.
        """
        if not all(leaf.choices):
            return  # a set without a row to choose closes the node
        if largest_load(leaf.choices) > 1:
            raise NotProvedError(f"tree position {leaf.position}: two supports have a row in common")
        found = _Choices(leaf, members_of(leaf.chosen), sorted(map(members_of, leaf.choices), key=len))
        if math.prod(found.shape[1:]) > _MOST_CHOICES:
            raise NotProvedError(f"tree position {leaf.position}: more than {_MOST_CHOICES} choices to check")
        alike = self._waiting[found.shape]
        alike.append(found)
        self._count += 1
        if len(alike) >= _LEAVES_AT_ONCE:
            self._count -= len(alike)
            self._check(self._waiting.pop(found.shape))
        elif self._count >= _LEAVES_WAITING:
            self.finish()

    def finish(self) -> None:
        """Check all that wait.

        Raises:
            NotProvedError: If a leaf does not hold.
        """
        for leaves in self._waiting.values():
            self._check(leaves)
        self._waiting.clear()
        self._count = 0

    def _check(self, leaves: list[_Choices]) -> None:
        for number, picks in self._deficient(leaves):
            position, rows = leaves[number].leaf.position, [*leaves[number].chosen, *picks]
            if not self._span(rows):
                raise NotProvedError(
                    f"tree position {position}: {len(rows)} rows that may be chosen do not span R^n"
                )

    def _deficient(self, leaves: list[_Choices]) -> Iterator[tuple[int, list[int]]]:
        """Yield the leaf and the choice wherever the rank modulo the prime is too small."""
        count, *widths = leaves[0].shape
        table = [[*one.chosen, *(row for rows in one.sets for row in rows)] for one in leaves]
        names = np.array(table, dtype=np.int64).reshape(len(leaves), count + sum(widths))
        stack = _Stack(
            self._residues[names],
            np.full(len(leaves), self._rows.shape[1]),
            np.arange(len(leaves)),
            np.zeros((len(leaves), 0), dtype=np.int64),
        )
        for k, chosen in _too_small(stack, [1] * count + widths, 0):
            yield k, names[k, chosen[count:]].tolist()

    def _span(self, rows: list[int]) -> bool:
        """Say whether rows span R^n, exactly."""
        n = self._rows.shape[1]
        return len(rows) >= n and flint.fmpz_mat(whole_rows(self._rows[rows])).rank() == n


class _Stack(NamedTuple):
    """Partial choices, and what is left of the other rows after the chosen ones have been eliminated.

    Attributes:
        rows: Residues of the rows of the sets still to choose from, shape ``(k, r, n)``; columns that the
            elimination has used up are 0 and come last.
        missing: What the rank still lacks, shape ``(k,)``.
        leaf: To which leaf each belongs, shape ``(k,)``.
        picks: Positions of the rows chosen so far, shape ``(k, steps)``.
    """

    rows: np.ndarray
    missing: np.ndarray
    leaf: np.ndarray
    picks: np.ndarray

    def only(self, index: np.ndarray) -> _Stack:
        """Return some of the choices."""
        return _Stack(*(part[index] for part in self))


def _too_small(stack: _Stack, widths: list[int], offset: int) -> Iterator[tuple[int, list[int]]]:
    """Yield leaf and positions of the choices whose rank modulo the prime is less than n.

    Args:
        stack: Partial choices.
        widths: Sizes of the sets still to choose from.
        offset: Position of their first row.
    """
    stack = stack.only(stack.missing > 0)
    tight = (stack.missing == len(widths)) & (len(widths) <= MOST_SETS)
    if len(widths) and tight.any():
        found = stack.only(tight)
        for k, chosen in singular_choices(found.rows[:, :, : len(widths)], widths):
            yield int(found.leaf[k]), [*found.picks[k].tolist(), *(offset + j for j in chosen)]
        stack = stack.only(~tight)
    if not widths:
        yield from zip(stack.leaf.tolist(), stack.picks.tolist(), strict=True)
        return
    size = max(1, stack.rows[0].size if len(stack.rows) else 1)
    entry, choice = (part.ravel() for part in np.indices((len(stack.rows), widths[0])))
    step = max(1, _ENTRIES_AT_ONCE // size)
    for start in range(0, len(entry), step):
        part = slice(start, start + step)
        larger = _chosen(stack, entry[part], choice[part], widths[0], offset)
        yield from _too_small(larger, widths[1:], offset + widths[0])


def _chosen(stack: _Stack, entry: np.ndarray, choice: np.ndarray, width: int, offset: int) -> _Stack:
    """Choose from the first set."""
    rows, column = eliminate(stack.rows[entry, choice], stack.rows[entry, width:])
    used = np.arange(rows.shape[2]) == column[:, None]
    order = np.argsort(used, axis=1, kind="stable")
    return _Stack(
        np.take_along_axis(rows, order[:, None, :], axis=2),
        stack.missing[entry] - (column >= 0),
        stack.leaf[entry],
        np.column_stack([stack.picks[entry], offset + choice]),
    )
