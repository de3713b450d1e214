"""A frame whose rows have few non-zero entries, such as a convolution's."""

from __future__ import annotations

from functools import cached_property
from typing import final

import numba
import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import reverse_cuthill_mckee

from unrelu.errors import ArgumentError
from unrelu.frames._factor import Factor, banded_factor
from unrelu.frames._frame import Frame

_MEMORY = 4 << 30  # bytes allowed for one banded matrix


@final
class SparseFrame(Frame):
    """Rows with few non-zero entries; frame operator and Gram matrix are banded after reordering."""

    matrix: sp.csr_array

    def __init__(self, matrix: sp.csr_array, max_rank: int | None = None, *, is_exact: bool = True) -> None:
        """Store a sparse ``(m, n)`` matrix."""
        own = sp.csr_array(matrix, dtype=np.float64, copy=True)
        own.sum_duplicates()
        own.eliminate_zeros()
        super().__init__(own, max_rank, is_exact)
        data = self.matrix.data * np.repeat(self._scale, np.diff(self.matrix.indptr))
        self._equilibrated = sp.csr_array((data, self.matrix.indices, self.matrix.indptr), matrix.shape)
        self._column_terms = int(np.bincount(self.matrix.indices, minlength=self.n).max(initial=1))
        self._row_terms = int(np.diff(self.matrix.indptr).max(initial=1))

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
) -> None:
    for row in index:
        for a in range(indptr[row], indptr[row + 1]):
            pa, va = position[a], data[a]
            for b in range(indptr[row], indptr[row + 1]):
                pb = position[b]
                if pb >= pa:
                    band[pa, pb - pa] += va * data[b]
