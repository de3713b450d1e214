"""Data movement and scaling: maps with at most one entry a row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
import scipy.sparse as sp
import torch

from unrelu.layers.maps._linear import LinearMap

if TYPE_CHECKING:
    from collections.abc import Callable


@final
class Reindex(LinearMap):
    """``y_i = x_{index_i}``, or 0 where ``index_i = -1``.

    Flatten, reshape, transpose, slice, zero padding, gather, repeat and the placing of a part in a
    concatenation are all of this form.
    """

    def __init__(self, index: torch.Tensor, in_shape: tuple[int, ...], out_shape: tuple[int, ...]) -> None:
        """Store ``index``, an int64 tensor of ``prod(out_shape)`` entries in ``[-1, prod(in_shape))``."""
        self.index = index.reshape(-1)
        self.in_shape = tuple(in_shape)
        self.out_shape = tuple(out_shape)
        self.is_identity = self.m == self.n and torch.equal(
            self.index, torch.arange(self.n, device=index.device)
        )
        self._whole = bool((self.index >= 0).all())

    @classmethod
    def identity(cls, shape: tuple[int, ...]) -> Reindex:
        """Return the identity on arrays of ``shape``."""
        return cls(torch.arange(math.prod(shape)), shape, shape)

    @classmethod
    def moving(
        cls, move: Callable[[torch.Tensor], torch.Tensor], in_shape: tuple[int, ...]
    ) -> tuple[Reindex, tuple[int, ...]]:
        """Return the map that ``move`` performs, found by letting it move the positions themselves.

        Args:
            move: A function that only moves, repeats or drops entries, or fills with zeros.
            in_shape: Shape of its argument.
        """
        # In float64, which every operator takes and which is exact for positions up to 2**53.
        marked = move(torch.arange(1, math.prod(in_shape) + 1, dtype=torch.float64).reshape(in_shape))
        return cls(marked.reshape(-1).long() - 1, in_shape, tuple(marked.shape)), tuple(marked.shape)

    @property
    def width(self) -> int:
        """At most one entry a row."""
        return 1

    @property
    def max_rank(self) -> int:
        """The number of different inputs that are kept."""
        return len(torch.unique(self.index[self.index >= 0]))

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The index."""
        return (self.index,)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Return the moved entries."""
        if self.is_identity:
            return x
        moved = x[:, self.index.clamp(min=0)]
        return moved if self._whole else moved * (self.index >= 0)

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return, for every input, the sum of the outputs it went to."""
        if self.is_identity:
            return y
        back = torch.zeros(len(y), self.n + 1, dtype=y.dtype, device=y.device)
        return back.index_add_(1, self.index + 1, y)[:, 1:]

    def absolute(self) -> Reindex:
        """Return itself: the entries are 0 and 1."""
        return self

    def csr(self, index: np.ndarray | None = None) -> sp.csr_array:
        """Return the rows, one entry each."""
        column = self.index.cpu().numpy()
        column = column if index is None else column[index]
        return _one_entry_rows(column, np.ones(len(column)), self.n)

    def to(self, *, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """Return the same map on another device; it has no floating dtype."""
        return type(self)(self.index.to(device=device), self.in_shape, self.out_shape)


@final
class Diagonal(LinearMap):
    """``y_i = scale_i x_i``."""

    def __init__(self, scale: torch.Tensor, shape: tuple[int, ...], *, exact: bool = True) -> None:
        """Store ``scale`` of ``prod(shape)`` entries, and whether they were not rounded."""
        self.scale = scale.reshape(-1)
        self._exact = exact
        self.in_shape = self.out_shape = tuple(shape)

    @property
    def width(self) -> int:
        """One entry a row."""
        return 1

    @property
    def max_rank(self) -> int:
        """The number of entries that are not 0."""
        return int((self.scale != 0).sum())

    @property
    def exact(self) -> bool:
        """Whether the scale was not rounded when it was computed or folded."""
        return self._exact

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The scale."""
        return (self.scale,)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Return the scaled entries."""
        return x * self.scale

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return the scaled entries: a diagonal matrix is symmetric."""
        return y * self.scale

    def absolute(self) -> Diagonal:
        """Return the diagonal of absolute values."""
        return Diagonal(self.scale.abs(), self.in_shape, exact=self.exact)

    def csr(self, index: np.ndarray | None = None) -> sp.csr_array:
        """Return the rows, one entry each."""
        scale = self.scale.double().cpu().numpy()
        column = np.arange(self.m) if index is None else index
        return _one_entry_rows(column, scale[column], self.n)

    def to(self, *, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """Return the same map elsewhere."""
        return type(self)(self.scale.to(device=device, dtype=dtype), self.in_shape, exact=self.exact)


def _one_entry_rows(column: np.ndarray, value: np.ndarray, n: int) -> sp.csr_array:
    keep = (column >= 0) & (value != 0)
    starts = np.concatenate([[0], np.cumsum(keep)])
    return sp.csr_array((value[keep], column[keep], starts), shape=(len(column), n))
