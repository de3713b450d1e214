"""A matrix stored entry by entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, final

import numpy as np
import scipy.sparse as sp
import torch

from unrelu.layers.maps._linear import LinearMap, check_index

if TYPE_CHECKING:
    from collections.abc import Sequence


@final
class Dense(LinearMap):
    """``W`` itself, of shape ``(m, n)``."""

    def __init__(
        self,
        weight: torch.Tensor,
        in_shape: tuple[int, ...] | None = None,
        out_shape: tuple[int, ...] | None = None,
        *,
        exact: bool = True,
    ) -> None:
        """Store ``weight`` of shape ``(m, n)``; the shapes name the axes behind ``n`` and ``m``.

        Where ``exact`` is ``False`` the numbers count as rounded.
        """
        self.weight = weight
        self.in_shape = in_shape or (weight.shape[1],)
        self.out_shape = out_shape or (weight.shape[0],)
        self._exact = exact

    @property
    def width(self) -> int:
        """Every entry counts."""
        return self.n

    @property
    def exact(self) -> bool:
        """Whether the numbers were not rounded when they were folded."""
        return self._exact

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:
        """The weight."""
        return (self.weight,)

    def apply(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x Wᵀ``."""
        return x @ self.weight.T

    def adjoint(self, y: torch.Tensor) -> torch.Tensor:
        """Return ``y W``."""
        return y @ self.weight

    def absolute(self) -> Dense:
        """Return ``|W|``."""
        return Dense(self.weight.abs(), self.in_shape, self.out_shape, exact=self.exact)

    def csr(self, index: np.ndarray | None = None) -> sp.csr_array:
        """Return the rows as a sparse matrix that stores every non-zero entry."""
        weight = self.weight if index is None else self.rows(index)
        return sp.csr_array(weight.double().cpu().numpy())

    def rows(self, index: Sequence[int] | np.ndarray) -> torch.Tensor:
        """Return the rows ``index``."""
        return self.weight[torch.from_numpy(check_index(index, self.m)).to(self.weight.device)]

    def dense(self) -> torch.Tensor:
        """Return the stored weight, not a copy."""
        return self.weight

    def row_norms(self) -> torch.Tensor:
        """Return the Euclidean norms of the rows."""
        return torch.linalg.vector_norm(self.weight, dim=1)

    def to(self, *, device: Any = None, dtype: torch.dtype | None = None) -> Self:
        """Return the same map elsewhere."""
        weight = self.weight.to(device=device, dtype=dtype)
        return type(self)(weight, self.in_shape, self.out_shape, exact=self.exact)
