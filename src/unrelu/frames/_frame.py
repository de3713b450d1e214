"""A layer's rows as a frame: which subsets span, which are independent, and solving with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING, final

import numba
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import maximum_bipartite_matching, reverse_cuthill_mckee

from unrelu.errors import ArgumentError
from unrelu.frames._directions import Directions, directions
from unrelu.frames._exact import exact_rank, rank_modulo_prime
from unrelu.frames._factor import Factor, banded_factor, dense_factor, power_of_two_below
from unrelu.frames._lapack import columns_product, rows_product

if TYPE_CHECKING:
    from unrelu.layers import ReLULayer

_DENSE_COLUMNS = 400  # up to here a dense frame operator is cheaper than a banded one
_EXACT_ENTRIES = 20_000  # elimination over the integers takes a tenth of a second
_MODULAR_ENTRIES = 2_000_000  # elimination modulo a prime takes a second
_MEMORY = 4 << 30  # bytes allowed for one copy of W


class Frame(ABC):
    """The rows ``w_i`` of a layer, float64, on the CPU.

    Attributes:
        m: Number of rows.
        n: Their dimension.
        max_rank: Upper bound of the rank that follows from the layer's structure.
        is_exact: Whether the rows are the stored numbers, so that exact arithmetic on them proves something.
    """

    m: int
    n: int
    max_rank: int
    is_exact: bool

    @abstractmethod
    def rows(self, index: np.ndarray) -> np.ndarray | sp.csr_array:
        """Return the rows ``index``."""

    @abstractmethod
    def frame_operator(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``S = sum of w_i w_iᵀ over index``, of shape ``(n, n)``.

        Args:
            index: Row numbers.
            equilibrated: Scale the rows to similar norms first, which changes no span but the factor.

        Returns:
            A factor that proves that the rows span R^n, or ``None`` where nothing is proved.
        """

    @abstractmethod
    def gram(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor the Gram matrix ``<w_i, w_j>`` over ``index``; a factor proves independent rows."""

    def spans(self, index: np.ndarray) -> bool:
        """Return whether the rows are *proved* to span R^n in floating point."""
        return len(index) >= self.n and self.frame_operator(index, equilibrated=True) is not None

    def independent(self, index: np.ndarray) -> bool:
        """Return whether the rows are *proved* linearly independent in floating point."""
        if not len(index):
            return True
        return len(index) <= self.n and self.gram(index, equilibrated=True) is not None

    @cached_property
    def directions(self) -> Directions:
        """The lines spanned by the rows."""
        return directions(self)

    def rank_bounds(self, index: np.ndarray) -> tuple[int, int]:
        """Return proved lower and upper bounds of the rank of the rows ``index``.

        Floating-point certificates first; then structure (lines, places of non-zero entries); then elimination
        modulo a prime, whose rank never exceeds the true one, and for small sets exact elimination.
        """
        upper = min(len(index), self.max_rank, self.n)
        if len(index) >= self.n and upper == self.n and self.spans(index):
            return self.n, self.n
        if len(index) == upper and self.independent(index):
            return upper, upper
        rows = self.rows(index)
        if not self.is_exact:
            return 0, upper
        size = len(index) * self.n
        if size <= _EXACT_ENTRIES:
            rank = exact_rank(to_dense(rows))
            return rank, rank
        upper = min(upper, self.directions.count(index), structural_rank(rows))
        lower = rank_modulo_prime(to_dense(rows)) if size <= _MODULAR_ENTRIES else 0
        return lower, upper

    def numerical_rank(self, index: np.ndarray) -> int:
        """Return the rank of the rows ``index`` by their singular values, -1 if there are too many to ask."""
        if len(index) * self.n > _MODULAR_ENTRIES:
            return -1
        return int(np.linalg.matrix_rank(to_dense(self.rows(index)))) if len(index) else 0


def to_dense(rows: np.ndarray | sp.csr_array) -> np.ndarray:
    """Return rows as a numpy array."""
    return rows.toarray() if sp.issparse(rows) else rows


@final
class DenseFrame(Frame):
    """Rows kept entry by entry."""

    def __init__(self, weight: np.ndarray, max_rank: int | None = None, *, is_exact: bool = True) -> None:
        """Store ``weight`` of shape ``(m, n)``."""
        self.weight = np.ascontiguousarray(weight, dtype=np.float64)
        self.m, self.n = weight.shape
        self.max_rank = min(weight.shape) if max_rank is None else max_rank
        self.is_exact = is_exact
        self._scale = power_of_two_below(np.linalg.norm(self.weight, axis=1))[:, None]

    def rows(self, index: np.ndarray) -> np.ndarray:
        """Return a copy of the rows."""
        return self.weight[index]

    def _scaled(self, index: np.ndarray, equilibrated: bool) -> np.ndarray:
        rows = self.weight[index]
        return rows * self._scale[index] if equilibrated else rows

    def frame_operator(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``W_Iᵀ W_I``."""
        rows = self._scaled(index, equilibrated)
        return dense_factor(columns_product(rows), len(index))

    def gram(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``W_I W_Iᵀ``."""
        rows = self._scaled(index, equilibrated)
        return dense_factor(rows_product(rows), self.n)


@final
class SparseFrame(Frame):
    """Rows with few non-zero entries; frame operator and Gram matrix are banded after reordering."""

    def __init__(self, matrix: sp.csr_array, max_rank: int | None = None, *, is_exact: bool = True) -> None:
        """Store a sparse ``(m, n)`` matrix."""
        self.matrix = matrix.tocsr()
        self.matrix.sort_indices()
        self.m, self.n = matrix.shape
        self.max_rank = min(matrix.shape) if max_rank is None else max_rank
        self.is_exact = is_exact
        norms = np.sqrt(np.asarray(self.matrix.power(2).sum(axis=1)).reshape(-1))
        scaled = self.matrix.copy()
        scaled.data *= np.repeat(power_of_two_below(norms), np.diff(self.matrix.indptr))
        self._scaled_data = scaled.data
        self._column_terms = int(np.bincount(self.matrix.indices, minlength=self.n).max(initial=1))
        self._row_terms = int(np.diff(self.matrix.indptr).max(initial=1))
        self._columns: _Ordering | None = None
        self._rows: _Ordering | None = None

    def rows(self, index: np.ndarray) -> sp.csr_array:
        """Return the rows as a sparse matrix."""
        return self.matrix[index]

    def _matrix(self, equilibrated: bool) -> sp.csr_array:
        if not equilibrated:
            return self.matrix
        return sp.csr_array((self._scaled_data, self.matrix.indices, self.matrix.indptr), self.matrix.shape)

    def frame_operator(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``W_Iᵀ W_I`` in band form."""
        if self._columns is None:
            self._columns = _ordering(self.matrix.T.tocsr())
        order = self._columns
        band = np.zeros((self.n, order.bandwidth + 1))
        a = self._matrix(equilibrated)
        _accumulate(a.indptr, order.position[a.indices], a.data, np.asarray(index), band)
        return banded_factor(band, self._column_terms, order.order)

    def gram(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``W_I W_Iᵀ`` in band form."""
        if self._rows is None:
            self._rows = _ordering(self.matrix)
        sequence = np.argsort(self._rows.position[index], kind="stable")
        a = self._matrix(equilibrated)[np.asarray(index)[sequence]]
        product = sp.tril(a @ a.T).tocoo()
        width = int((product.row - product.col).max(initial=0))
        _check_memory(width + 1, len(index))
        band = np.zeros((len(index), width + 1))
        band[product.col, product.row - product.col] = product.data
        return banded_factor(band, self._row_terms, sequence)


class _Ordering:
    """An order of the columns in which few lie between neighbours (reverse Cuthill-McKee)."""

    def __init__(self, order: np.ndarray, bandwidth: int) -> None:
        self.order = order
        self.position = np.empty_like(order)
        self.position[order] = np.arange(len(order))
        self.bandwidth = bandwidth


def _ordering(a: sp.csr_array) -> _Ordering:
    pattern = sp.csr_array((np.ones(a.nnz, dtype=np.int8), a.indices, a.indptr), a.shape).astype(np.float32)
    neighbours = (pattern @ pattern.T).tocsr()
    order = reverse_cuthill_mckee(neighbours, symmetric_mode=True)
    ordering = _Ordering(order.astype(np.int64), 0)
    coo = neighbours.tocoo()
    distance = np.abs(ordering.position[coo.row] - ordering.position[coo.col])
    ordering.bandwidth = int(distance.max(initial=0))
    _check_memory(ordering.bandwidth + 1, len(order))
    return ordering


def _check_memory(height: int, width: int) -> None:
    if 8 * height * width > _MEMORY:
        raise ArgumentError(f"layer: its banded matrix needs {8 * height * width / 2**30:.0f} GiB")


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


def structural_rank(rows: np.ndarray | sp.csr_array) -> int:
    """Return the largest rank that any numbers in the same places could have."""
    pattern = sp.csr_array(rows) if not sp.issparse(rows) else rows
    if pattern.nnz == pattern.shape[0] * pattern.shape[1]:
        return min(pattern.shape)
    return int((maximum_bipartite_matching(sp.csr_matrix(pattern), perm_type="column") >= 0).sum())


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
