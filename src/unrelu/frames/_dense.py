"""A frame whose rows are kept entry by entry."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, final

import numpy as np

from unrelu.frames._factor import Factor, dense_factor
from unrelu.frames._frame import Frame
from unrelu.frames._lapack import columns_product, rows_product
from unrelu.frames._principal import principal
from unrelu.frames._sharing import Branch, sharing_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER = 64 << 20  # bytes of rows kept ready by each thread
_HELD_BYTES = 256 << 20  # of the Gram matrix of all rows


@final
class DenseFrame(Frame):
    """Rows kept entry by entry."""

    matrix: np.ndarray

    def __init__(self, weight: np.ndarray, max_rank: int | None = None, *, is_exact: bool = True) -> None:
        """Store ``weight`` of shape ``(m, n)``."""
        super().__init__(np.ascontiguousarray(weight, dtype=np.float64), max_rank, is_exact)
        self._local = threading.local()
        self._products: np.ndarray | None = None

    @property
    def factor_bytes(self) -> int:
        """Memory of a full matrix."""
        return 8 * self.n**2

    def _scaled(self, index: np.ndarray, equilibrated: bool) -> np.ndarray:
        """Copy rows into the calling thread's own buffer: touching fresh memory costs more than the copy."""
        if self.matrix.nbytes > _BUFFER:
            rows = self.matrix[index]
        else:
            if not hasattr(self._local, "buffer"):
                self._local.buffer = np.empty_like(self.matrix)
            rows = self._local.buffer[: len(index)]
            np.take(self.matrix, index, axis=0, out=rows, mode="clip")
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

    def hold(self, subsets: int) -> None:
        """Multiply all pairs of rows once, where so many subsets cost more and it fits into memory."""
        worthwhile = subsets * self.n**2 > self.m**2 and 8 * self.m**2 <= _HELD_BYTES
        if worthwhile and self._products is None:
            self._products = rows_product(self._scaled(np.arange(self.m), equilibrated=True))

    def gram(self, index: np.ndarray, *, equilibrated: bool = False) -> Factor | None:
        """Factor ``W_I W_Iᵀ``."""
        if equilibrated and self._products is not None:
            return dense_factor(principal(self._products, np.sort(index)), self.n)
        return dense_factor(rows_product(self._scaled(index, equilibrated)), self.n)

    def _spans_used(self, index: np.ndarray) -> bool:
        if 0 < len(index) == self.used and self._products is not None:
            return self.gram(index, equilibrated=True) is not None
        return super()._spans_used(index)
