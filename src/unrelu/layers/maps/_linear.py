"""What every analysis sees of a layer's matrix: products, rows and sizes, never an accidental dense copy."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import scipy.sparse as sp


class LinearMap(ABC):
    """A real ``m x n`` matrix ``W`` known by its structure.

    Samples are rows: ``apply`` takes ``(batch, n)`` to ``(batch, m)``. Tensor work runs on the device and in
    the dtype of the stored numbers.

    Attributes:
        in_shape: Shape of one input sample, ``n = prod(in_shape)``.
        out_shape: Shape of one output sample, ``m = prod(out_shape)``.
    """

    in_shape: tuple[int, ...]
    out_shape: tuple[int, ...]

    @property
    def n(self) -> int:
        """Number of columns."""
        return math.prod(self.in_shape)

    @property
    def m(self) -> int:
        """Number of rows."""
        return math.prod(self.out_shape)

    @property
    def max_rank(self) -> int:
        """Upper bound of the rank that follows from the structure alone."""
        return min(self.m, self.n)

    @property
    @abstractmethod
    def width(self) -> int:
        """Upper bound of the number of non-zero entries in one row."""

    @property
    def fan_in(self) -> int:
        """Upper bound of the number of products summed in one output, for rounding error bounds."""
        return self.width

    @property
    def nnz(self) -> int:
        """Upper bound of the number of non-zero entries of ``W``."""
        return self.m * min(self.width, self.n)

    @property
    def is_sparse(self) -> bool:
        """Whether ``csr`` is the economical form of ``W``."""
        return 4 * self.nnz <= self.m * self.n

    @property
    def exact(self) -> bool:
        """Whether ``rows`` gives the stored numbers themselves, free of any rounding."""
        return True

    @property
    @abstractmethod
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The stored numbers."""

    @property
    def dtype(self) -> torch.dtype:
        """Floating dtype of the products."""
        return next((t.dtype for t in self.tensors if t.is_floating_point()), torch.float64)

    @property
    def device(self) -> torch.device:
        """Device of the products."""
        return next((t.device for t in self.tensors), torch.device("cpu"))

    @abstractmethod
    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x Wᵀ``: ``(batch, n)`` to ``(batch, m)``."""

    @abstractmethod
    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``y W``: ``(batch, m)`` to ``(batch, n)``."""

    @abstractmethod
    def absolute(self) -> LinearMap:
        """Return a map whose entries are at least ``|W_ij|``, for rounding error bounds."""

    @abstractmethod
    def csr(self, index: np.ndarray | None = None) -> sp.csr_array:
        """Return the rows ``index`` (all of them when ``None``) as a sparse float64 matrix."""

    @abstractmethod
    def to(self, *, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """Return the same map with its numbers on another device or in another floating dtype."""

    def rows(self, index: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Return the rows ``index`` as a dense ``(k, n)`` tensor."""
        return torch.from_numpy(self.csr(check_index(index, self.m)).toarray()).to(self.device, self.dtype)

    def dense(self) -> torch.Tensor:
        """Return ``W`` as a dense ``(m, n)`` tensor."""
        return self.rows(np.arange(self.m))

    def row_norms(self) -> torch.Tensor:
        """Return the Euclidean norms of the rows, shape ``(m,)``."""
        norms = np.sqrt(self.csr().power(2).sum(axis=1))
        return torch.from_numpy(np.asarray(norms).reshape(-1)).to(self.device, self.dtype)


def check_index(index: Sequence[int] | np.ndarray, size: int) -> np.ndarray:
    """Return row numbers as an int64 array.

    Raises:
        ArgumentError: If a number is outside ``[-size, size)``.
    """
    array = np.asarray(index)
    array = np.flatnonzero(array) if array.dtype == bool else array.astype(np.int64).reshape(-1)
    if array.size and (array.min() < -size or array.max() >= size):
        raise ArgumentError(f"index: expected row numbers below {size}, got {array.min()} to {array.max()}")
    return array % size if size else array
