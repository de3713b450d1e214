"""The frame of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unrelu.errors import ArgumentError
from unrelu.frames._dense import DenseFrame
from unrelu.frames._sparse import SparseFrame

if TYPE_CHECKING:
    from unrelu.frames._frame import Frame
    from unrelu.layers import ReLULayer

_DENSE_COLUMNS = 400  # up to here a dense frame operator is cheaper than a banded one
_MEMORY = 4 << 30  # bytes allowed for one copy of W


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
