"""A layer's rows as a frame: which subsets span, which are independent, and solving with them."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, final

import numba
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import maximum_bipartite_matching, reverse_cuthill_mckee

from unrelu.errors import ArgumentError
from unrelu.frames._directions import Directions, directions
from unrelu.frames._exact import exact_bits, exact_rank, rank_modulo_prime
from unrelu.frames._factor import Factor, banded_factor, dense_factor
from unrelu.frames._lapack import columns_product, rows_product
from unrelu.frames._scaling import Rows, power_of_two_below, row_norms, scaled_rows
from unrelu.frames._sharing import sharing_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.frames._sharing import Branch
    from unrelu.layers import ReLULayer

_DENSE_COLUMNS = 400  # up to here a dense frame operator is cheaper than a banded one
_EXACT_ENTRIES = 20_000  # elimination over the integers takes a tenth of a second ...
_EXACT_BITS = 2_000_000  # ... if they are not too long
_MODULAR_ENTRIES = 2_000_000  # elimination modulo a prime takes a second
_BUFFER = 64 << 20  # bytes of rows kept ready by each thread
_MEMORY = 4 << 30  # bytes allowed for one copy of W


class Frame(ABC):
    """The rows ``w_i`` of a layer, float64, on the CPU.

    Attributes:
        m: Number of rows.
        n: Their dimension.
        max_rank: Upper bound of the rank that follows from the layer's structure, its zero rows and columns.
        is_exact: Whether the rows are the stored numbers, so that exact arithmetic on them proves something.
        norms: Upper bounds of the rows' Euclidean norms, tight to rounding, shape ``(m,)``.
        zero_columns: The columns that no row uses.
    """

    def __init__(self, rows: Rows, max_rank: int | None, is_exact: bool) -> None:
        """Store what all kinds of frames know."""
        self.m, self.n = rows.shape
        self.is_exact = is_exact
        self.norms = row_norms(rows)
        self.zero_columns = np.flatnonzero(~_used_columns(rows))
        self._scale = power_of_two_below(np.minimum(self.norms, np.finfo(float).max))
        rank = min(np.count_nonzero(self.norms), self.n - len(self.zero_columns))
        self.max_rank = int(rank if max_rank is None else min(rank, max_rank))

    @abstractmethod
    def rows(self, index: np.ndarray) -> Rows:
        """Return the rows ``index``."""

    @abstractmethod
    def apply(self, x: np.ndarray) -> np.ndarray:
        """Return ``W x`` for each row of ``x``, shape ``(batch, n)`` to ``(batch, m)``."""

    @abstractmethod
    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """Return ``Wᵀ y`` for each row of ``y``, shape ``(batch, m)`` to ``(batch, n)``."""

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


@final
class DenseFrame(Frame):
    """Rows kept entry by entry."""

    def __init__(self, weight: np.ndarray, max_rank: int | None = None, *, is_exact: bool = True) -> None:
        """Store ``weight`` of shape ``(m, n)``."""
        self.weight = np.ascontiguousarray(weight, dtype=np.float64)
        super().__init__(self.weight, max_rank, is_exact)
        self._local = threading.local()

    def rows(self, index: np.ndarray) -> np.ndarray:
        """Return a copy of the rows."""
        return self.weight[index]

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Multiply by the matrix."""
        return x @ self.weight.T

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """Multiply by the transposed matrix."""
        return y @ self.weight

    @property
    def factor_bytes(self) -> int:
        """Memory of a full matrix."""
        return 8 * self.n**2

    def _scaled(self, index: np.ndarray, equilibrated: bool) -> np.ndarray:
        """Copy rows into the calling thread's own buffer: touching fresh memory costs more than the copy."""
        if self.weight.nbytes > _BUFFER:
            rows = self.weight[index]
        else:
            if not hasattr(self._local, "buffer"):
                self._local.buffer = np.empty_like(self.weight)
            rows = self._local.buffer[: len(index)]
            np.take(self.weight, index, axis=0, out=rows, mode="clip")
        if equilibrated:
            rows *= self._scale[index][:, None]
        return rows

    def frame_operator(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``W_Iᵀ W_I``."""
        return self._factored(columns_product(self._scaled(index, equilibrated)), len(index))

    def frame_operators(self, masks: np.ndarray) -> list[Factor | None]:
        """Factor ``W_Iᵀ W_I`` for several ``I``; rows that they share are multiplied once."""
        factors = dict(self._along(sharing_tree(masks), None, 0)) if len(masks) else {}
        return [factors[k] for k in range(len(masks))]

    def _along(
        self, branch: Branch, product: np.ndarray | None, terms: int
    ) -> Iterator[tuple[int, Factor | None]]:
        """Yield subset and factor for every end of a branch.

        Args:
            branch: Where to go on.
            product: Of the ``terms`` rows on the way here; overwritten.
            terms: Their number.
        """
        product = columns_product(self._scaled(branch.own, equilibrated=False), product)
        terms += len(branch.own)
        for part in branch.parts[1:]:
            yield from self._along(part, product.copy(), terms)
        if branch.parts:
            yield from self._along(branch.parts[0], product, terms)
        else:
            yield branch.subset, self._factored(product, terms)

    def _factored(self, product: np.ndarray, terms: int) -> Factor | None:
        product[self.zero_columns, self.zero_columns] = product.diagonal().max()
        return dense_factor(product, terms)

    def gram(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``W_I W_Iᵀ``."""
        return dense_factor(rows_product(self._scaled(index, equilibrated)), self.n)


@final
class SparseFrame(Frame):
    """Rows with few non-zero entries; frame operator and Gram matrix are banded after reordering."""

    def __init__(self, matrix: sp.csr_array, max_rank: int | None = None, *, is_exact: bool = True) -> None:
        """Store a sparse ``(m, n)`` matrix."""
        self.matrix = sp.csr_array(matrix, dtype=np.float64, copy=True)
        self.matrix.sum_duplicates()
        self.matrix.eliminate_zeros()
        super().__init__(self.matrix, max_rank, is_exact)
        data = self.matrix.data * np.repeat(self._scale, np.diff(self.matrix.indptr))
        self._equilibrated = sp.csr_array((data, self.matrix.indices, self.matrix.indptr), matrix.shape)
        self._column_terms = int(np.bincount(self.matrix.indices, minlength=self.n).max(initial=1))
        self._row_terms = int(np.diff(self.matrix.indptr).max(initial=1))

    def rows(self, index: np.ndarray) -> sp.csr_array:
        """Return the rows as a sparse matrix."""
        return self.matrix[index]

    def apply(self, x: np.ndarray) -> np.ndarray:
        """Multiply by the sparse matrix."""
        return (self.matrix @ x.T).T

    def adjoint(self, y: np.ndarray) -> np.ndarray:
        """Multiply by the transposed sparse matrix."""
        return (self.matrix.T @ y.T).T

    @property
    def factor_bytes(self) -> int:
        """Memory of a band."""
        return 8 * self.n * (self._columns.bandwidth + 1)

    @cached_property
    def _columns(self) -> _Ordering:
        a = self.matrix
        columns = sp.csr_array((np.ones(a.nnz, dtype=np.float32), a.indices, a.indptr), a.shape).T.tocsr()
        return _Ordering(columns @ columns.T)

    def frame_operator(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``W_Iᵀ W_I`` in band form."""
        order = self._columns
        band = np.zeros((self.n, order.bandwidth + 1))
        a = self._equilibrated if equilibrated else self.matrix
        _accumulate(a.indptr, order.position[a.indices], a.data, np.asarray(index), band)
        band[order.position[self.zero_columns], 0] = band[:, 0].max()
        return banded_factor(band, self._column_terms, order.order)

    def gram(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``W_I W_Iᵀ`` in band form."""
        a = (self._equilibrated if equilibrated else self.matrix)[index]
        product = (a @ a.T).tocsr()
        order = _Ordering(product)
        lower = product.tocoo()
        row, column = order.position[lower.row], order.position[lower.col]
        kept = row >= column
        band = np.zeros((len(index), order.bandwidth + 1))
        band[column[kept], (row - column)[kept]] = lower.data[kept]
        return banded_factor(band, self._row_terms, order.order)


class _Ordering:
    """An order of a symmetric matrix that leaves a narrow band (reverse Cuthill-McKee)."""

    def __init__(self, neighbours: sp.csr_array) -> None:
        size = neighbours.shape[0]
        self.order = reverse_cuthill_mckee(neighbours.tocsr(), symmetric_mode=True).astype(np.int64)
        self.position = np.empty_like(self.order)
        self.position[self.order] = np.arange(size)
        coo = neighbours.tocoo()
        distance = np.abs(self.position[coo.row] - self.position[coo.col])
        self.bandwidth = int(distance.max(initial=0))
        if 8 * size * (self.bandwidth + 1) > _MEMORY:
            gigabytes = 8 * size * (self.bandwidth + 1) / 2**30
            raise ArgumentError(f"layer: its banded matrix needs {gigabytes:.0f} GiB")


@numba.njit(cache=True, nogil=True)
def _accumulate(
    indptr: np.ndarray, position: np.ndarray, data: np.ndarray, index: np.ndarray, band: np.ndarray
) -> None:  # pragma: no cover - compiled
    for row in index:
        for a in range(indptr[row], indptr[row + 1]):
            pa, va = position[a], data[a]
            for b in range(indptr[row], indptr[row + 1]):
                pb = position[b]
                if pb >= pa:
                    band[pa, pb - pa] += va * data[b]


def structural_rank(rows: Rows) -> int:
    """Return the largest rank that any numbers in the same places could have."""
    pattern = sp.csr_array(rows)
    if pattern.nnz == pattern.shape[0] * pattern.shape[1]:
        return min(pattern.shape)
    return int((maximum_bipartite_matching(pattern, perm_type="column") >= 0).sum())


def frame_of(layer: ReLULayer) -> Frame:
    """Return a layer's rows in the form that is cheaper to work with.

    Raises:
        ArgumentError: If the rows need more memory than allowed.
    """
    linear = layer.linear
    if linear.is_sparse and linear.n > _DENSE_COLUMNS:
        if 16 * linear.nnz > _MEMORY:
            raise ArgumentError(f"layer: {layer.name!r} has {linear.nnz} non-zero weights, too many to hold")
        return SparseFrame(linear.csr(), linear.max_rank, is_exact=linear.exact)
    if 8 * linear.m * linear.n > _MEMORY:
        raise ArgumentError(
            f"layer: {layer.name!r} is a dense {linear.m} x {linear.n} matrix, too large to hold"
        )
    return DenseFrame(linear.dense().double().cpu().numpy(), linear.max_rank, is_exact=linear.exact)
