"""The search tree of Froese, Grillo, Skutella (2024) in rational arithmetic, and points it may end at."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING, TypeAlias

import flint
import numpy as np

from unrelu.certificates import RANK_LEAF, InjectivityCertificate
from unrelu.certificates._rows import Rows, column_scales, integer_rows
from unrelu.certificates.injective import certify_witness, exact_vector
from unrelu.injectivity.rational._gordan import gordan

if TYPE_CHECKING:
    from unrelu.certificates import DomainRecord, LayerRecord, WitnessCertificate

Answer: TypeAlias = "InjectivityCertificate | WitnessCertificate"

_LARGEST = 400_000  # rows times the square of the columns: seconds for one point


def point_off_flat(layer: LayerRecord, domain: DomainRecord, flat: np.ndarray) -> np.ndarray | None:
    """Return a point inside of a polyhedron at which all rows outside a flat are negative.

    Args:
        layer: The layer.
        domain: The domain, no ball.
        flat: The numbers of the rows that may be active.

    Returns:
        The point in Fractions; ``None`` where there is none, or the layer is too large for whole numbers.
    """
    rows = _Rows(layer, domain)
    return None if rows.too_large else rows.point_or_support(set(flat.tolist()))[0]


def decide_exactly(layer: LayerRecord, domain: DomainRecord, deadline: float) -> Answer | None:
    """Decide a small layer on a polyhedron.

    Args:
        layer: The layer.
        domain: The domain, no ball.
        deadline: On the clock of `time.monotonic`.

    Returns:
        The proof; ``None`` if the domain has no inner point, the time is up or the layer is too large.

    Example:
        >>> import math
        >>> import numpy as np
        >>> from unrelu.certificates import DomainRecord, LayerRecord, verify
        >>> from unrelu.injectivity.rational import decide_exactly
        >>> layer = LayerRecord.dense(np.array([[1e300], [-1e-300]]), np.array([-1.0, 1e-300]))
        >>> verify(decide_exactly(layer, DomainRecord("space", 1), math.inf)).statement
        'relu(W x + b) is injective on R^1'
    """
    rows = _Rows(layer, domain)
    if rows.too_large:
        return None
    tree = _Tree(rows, deadline)
    try:
        tree.visit([], frozenset())
    except _EndError:
        return None if tree.point is None else certify_witness(layer, domain, tree.point)
    starts = np.cumsum([0, *map(len, tree.supports)], dtype=np.int64)
    members = np.array([r for support in tree.supports for r in support], dtype=np.int32)
    stream = np.array(tree.stream, dtype=np.int32)
    return InjectivityCertificate(layer, domain, "exact", starts, members, stream)


class _Rows:
    """The homogenised rows of a layer and its domain in whole numbers, numbered as in certificates."""

    def __init__(self, layer: LayerRecord, domain: DomainRecord) -> None:
        G, h = domain.inequalities()
        self.m, self.n = layer.m, layer.n
        self.too_large = (layer.m + len(h)) * layer.n**2 > _LARGEST
        last = np.append(np.zeros(layer.n), -1.0)
        borders = Rows.of(np.vstack([np.column_stack([G, -h]), last]))
        all_rows = layer.rows.beside(layer.bias).above(borders)
        self.scales = column_scales(all_rows)
        self.table = [] if self.too_large else integer_rows(all_rows, self.scales).dense()

    def point_or_support(self, flat: set[int]) -> tuple[np.ndarray | None, list[int]]:
        """Return a point off a flat, or a support outside of it."""
        outside = [i for i in range(len(self.table)) if i not in flat]
        point, support = gordan([self.table[i] for i in outside])
        if point is None:
            return None, [outside[k] for k in support]
        *x, common = exact_vector(point) * np.array(
            [Fraction(2) ** int(s) for s in self.scales], dtype=object
        )
        return exact_vector(v / common for v in x), []

    def closure(self, chosen: list[int]) -> tuple[set[int], int]:
        """Return the rows of the layer in the span of some, and its dimension."""
        basis = flint.fmpz_mat([self.table[i][:-1] for i in chosen] or [[0] * self.n])
        null, nullity = basis.nullspace()
        free = (
            flint.fmpz_mat([[null[j, k] for k in range(nullity)] for j in range(self.n)]) if nullity else None
        )
        if free is None:
            return set(range(self.m)), self.n
        products = (
            (flint.fmpz_mat([row[:-1] for row in self.table[: self.m]]) * free).tolist() if self.m else []
        )
        return {i for i, row in enumerate(products) if not any(row)}, self.n - nullity


class _EndError(Exception):
    """The search is over: a witness is found, the time is up, or the domain has no inner point."""


class _Tree:
    """Supports and tree of a proof under way."""

    def __init__(self, rows: _Rows, deadline: float) -> None:
        self.rows, self.deadline = rows, deadline
        self.supports: list[list[int]] = []
        self.stream: list[int] = []
        self.point: np.ndarray | None = None

    def visit(self, chosen: list[int], excluded: frozenset[int]) -> None:
        """Close a node, or branch and visit its children.

        Raises:
            _EndError: If there is no more to do.
        """
        flat, rank = self.rows.closure(chosen)
        if rank == self.rows.n:
            self.stream.append(RANK_LEAF)
            return
        support = self._support(flat, excluded)
        for row in self.supports[support]:
            if row < self.rows.m and row not in excluded:
                self.stream.append(row)
                self.visit([*chosen, row], excluded)
                excluded = excluded | {row}
        self.stream += [-1, support]  # none of its rows is left

    def _support(self, flat: set[int], excluded: frozenset[int]) -> int:
        """Return the support outside of a flat with the fewest rows to branch on, a new one if need be."""
        known = [k for k, support in enumerate(self.supports) if not flat.intersection(support)]
        if known:
            return min(
                known, key=lambda k: sum(r < self.rows.m and r not in excluded for r in self.supports[k])
            )
        if time.monotonic() > self.deadline:
            raise _EndError
        self.point, support = self.rows.point_or_support(flat)
        last = len(self.rows.table) - 1
        if self.point is not None or not any(r < self.rows.m or r == last for r in support):
            raise _EndError
        self.supports.append(support)
        return len(self.supports) - 1
