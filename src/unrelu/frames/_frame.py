"""A layer's rows as a frame: which subsets span, which are independent, and solving with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import maximum_bipartite_matching

from unrelu.frames._directions import Directions, directions
from unrelu.frames._exact import exact_bits, exact_rank, rank_modulo_prime
from unrelu.frames._scaling import Rows, power_of_two_below, row_norms, scaled_rows

if TYPE_CHECKING:
    from unrelu.frames._factor import Factor

_EXACT_ENTRIES = 20_000  # elimination over the integers takes a tenth of a second ...
_EXACT_BITS = 2_000_000  # ... if they are not too long
_MODULAR_ENTRIES = 2_000_000  # elimination modulo a prime takes a second
_STEPS = 6  # of the Lanczos iteration


class Frame(ABC):
    """The rows ``w_i`` of a layer, float64, on the CPU.

    Attributes:
        matrix: All of them, shape ``(m, n)``.
        m: Number of rows.
        n: Their dimension.
        max_rank: Upper bound of the rank that follows from the layer's structure, its zero rows and columns.
        is_exact: Whether the rows are the stored numbers, so that exact arithmetic on them proves something.
        norms: Upper bounds of the rows' Euclidean norms, tight to rounding, shape ``(m,)``.
        zero_columns: The columns that no row uses.
    """

    def __init__(self, rows: Rows, max_rank: int | None, is_exact: bool) -> None:
        """Store what all kinds of frames know."""
        self.matrix = rows
        self.m, self.n = rows.shape
        self.is_exact = is_exact
        self.norms = row_norms(rows)
        self.zero_columns = np.flatnonzero(~_used_columns(rows))
        self._scale = power_of_two_below(np.minimum(self.norms, np.finfo(float).max))
        rank = min(np.count_nonzero(self.norms), self.n - len(self.zero_columns))
        self.max_rank = int(rank if max_rank is None else min(rank, max_rank))

    def rows(self, index: np.ndarray) -> Rows:
        """Return a copy of the rows ``index``."""
        return self.matrix[index]

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Return ``W x`` for each row of ``x``, shape ``(batch, n)`` to ``(batch, m)``."""
        return np.asarray((self.matrix @ x.T).T)

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """Return ``Wᵀ y`` for each row of ``y``, shape ``(batch, m)`` to ``(batch, n)``."""
        if isinstance(self.matrix, np.ndarray):
            return y @ self.matrix
        return np.asarray((self.matrix.T @ y.T).T)

    @property
    @abstractmethod
    def factor_bytes(self) -> int:
        """Memory of one factor of the frame operator."""

    @abstractmethod
    def frame_operator(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``S = sum of w_i w_iᵀ over index``, shape ``(n, n)``.

        Where ``W`` has zero columns their part of ``S``, 0, is replaced by a positive diagonal.

        Args:
            index: Different row numbers.
            equilibrated: Scale the rows to similar norms first, which changes no span but the factor.

        Returns:
            A factor that proves that the rows span all coordinates but the zero columns, or ``None`` where
            nothing is proved.
        """

    def frame_operators(self, masks: np.ndarray) -> list[Factor | None]:
        """Factor the frame operators of some subsets of rows, faster where they have many rows in common.

        Args:
            masks: One subset a row, boolean, shape ``(subsets, m)``.
        """
        return [self.frame_operator(np.flatnonzero(mask)) for mask in masks]

    def hold(self, subsets: int) -> None:
        """Do once what `gram` and `spans` of so many subsets share; nothing where that would not pay."""
        del subsets

    @abstractmethod
    def gram(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor the Gram matrix ``<w_i, w_j>`` over ``index``; a factor proves independent rows."""

    @property
    def used(self) -> int:
        """Number of columns that are not zero."""
        return self.n - len(self.zero_columns)

    def spans(self, index: np.ndarray) -> bool:
        """Return whether the rows are *proved* to span R^n in floating point."""
        return self.used == self.n and self._spans_used(index)

    def _spans_used(self, index: np.ndarray) -> bool:
        return len(index) >= self.used and self.frame_operator(index, equilibrated=True) is not None

    def independent(self, index: np.ndarray) -> bool:
        """Return whether the rows are *proved* linearly independent in floating point."""
        if not len(index):
            return True
        return len(index) <= self.max_rank and self.gram(index, equilibrated=True) is not None

    @cached_property
    def has_independent_rows(self) -> bool:
        """Whether all rows together are *proved* linearly independent: counting them tells the rank."""
        return self.m <= self.n and self.independent(np.arange(self.m))

    @cached_property
    def directions(self) -> Directions:
        """The lines spanned by the rows."""
        return directions(self)

    @cached_property
    def rank_limit(self) -> int:
        """Upper bound of the rank of all rows, proved with some effort."""
        return self.rank_bounds(np.arange(self.m))[1]

    @cached_property
    def _modular_rank(self) -> int:
        """Upper bound of what elimination modulo the prime finds for any rows."""
        if self.m * self.n > _MODULAR_ENTRIES:
            return self.max_rank
        return rank_modulo_prime(to_dense(self.rows(np.arange(self.m))))

    def rank_bounds(self, index: np.ndarray, *, eliminate: bool = True) -> tuple[int, int]:
        """Return proved lower and upper bounds of the rank of the rows ``index``.

        Floating-point certificates first; then structure (lines, places of non-zero entries); then
        elimination modulo a prime, whose rank never exceeds the true one, and for small sets exact
        elimination.

        Args:
            index: Different row numbers.
            eliminate: Whether to go as far as elimination.
        """
        lower, upper = 0, min(len(index), self.max_rank)
        if (upper == self.used and self._spans_used(index)) or self.independent(index):
            return upper, upper
        given, index = index, self.directions.one_per_line(index)
        upper = min(upper, len(index))
        if len(index) < len(given) and self.independent(index):
            return upper, upper
        rows = self.rows(index)
        upper = min(upper, structural_rank(rows))
        if not (eliminate and self.is_exact):
            return lower, upper
        size = len(index) * self.n
        if size <= _MODULAR_ENTRIES and self._modular_rank >= upper:
            lower = rank_modulo_prime(to_dense(rows))
        if lower < upper and size <= _EXACT_ENTRIES and exact_bits(to_dense(rows)) <= _EXACT_BITS:
            lower = upper = exact_rank(to_dense(rows))
        return lower, upper

    @cached_property
    def _single(self) -> tuple[Rows, float]:
        """The matrix divided by the norm of its largest row, in single precision, and that norm."""
        unit = float(np.clip(self.norms.max(initial=0), np.finfo(float).tiny, np.finfo(float).max))
        return (self.matrix / unit).astype(np.float32), unit

    def largest_singular_values(self, masks: np.ndarray) -> np.ndarray:
        """Estimate the largest singular values of subsets of rows, from below, to a few per cent (Lanczos).

        Args:
            masks: One subset a row, boolean, shape ``(subsets, m)``.
        """
        matrix, unit = self._single
        start = np.random.default_rng(0).standard_normal(self.n, dtype=np.float32)
        v = np.tile(start / np.linalg.norm(start), (len(masks), 1))
        before, size = np.zeros_like(v), np.zeros((len(masks), 1), dtype=np.float32)
        steps = min(_STEPS, self.n)
        small = np.zeros((len(masks), steps, steps))
        for k in range(steps):
            w = (matrix.T @ np.where(masks.T, matrix @ v.T, 0)).T - size * before
            small[:, k, k] = along = np.einsum("ij,ij->i", w, v)
            w -= along[:, None] * v
            size = np.linalg.norm(w, axis=1, keepdims=True)
            if k + 1 < steps:
                small[:, k, k + 1] = small[:, k + 1, k] = size[:, 0]
            before, v = v, w / np.maximum(size, np.finfo(np.float32).tiny)
        return np.asarray(unit * np.sqrt(np.linalg.eigvalsh(small)[:, -1].clip(min=0)))

    def numerical_rank(self, index: np.ndarray) -> int:
        """Return the rank of the rows ``index`` by their singular values, -1 if there are too many to ask."""
        if len(index) * self.n > _MODULAR_ENTRIES:
            return -1
        rows = scaled_rows(to_dense(self.rows(index)), self._scale[index])
        return int(np.linalg.matrix_rank(rows)) if rows.size else 0


def _used_columns(rows: Rows) -> np.ndarray:
    if isinstance(rows, np.ndarray):
        return np.asarray(rows.any(axis=0))
    return np.bincount(rows.indices, minlength=rows.shape[1]) > 0


def to_dense(rows: Rows) -> np.ndarray:
    """Return rows as a numpy array."""
    return rows if isinstance(rows, np.ndarray) else rows.toarray()


def structural_rank(rows: Rows) -> int:
    """Return the largest rank that any numbers in the same places could have."""
    pattern = sp.csr_array(rows)
    if pattern.nnz == pattern.shape[0] * pattern.shape[1]:
        return min(pattern.shape)
    return int((maximum_bipartite_matching(pattern, perm_type="column") >= 0).sum())
