"""A matrix, and which of its rows a ReLU keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from unrelu.arrays import to_tensor
from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    from unrelu.arrays import Array


def matrix_and_rows(matrix: Array, kept: Array) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the matrix in float64 and the rows as booleans on its device.

    Raises:
        ArgumentError: If shapes do not fit, an entry is not finite, or `kept` does not hold booleans.
    """
    rows = to_tensor(matrix, "matrix")
    if rows.dim() != 2:
        raise ArgumentError(f"matrix: expected shape (m, n), got {tuple(rows.shape)}")
    chosen = torch.as_tensor(kept, device=rows.device)
    if chosen.shape != (len(rows),) or chosen.dtype != torch.bool:
        kind = f"{tuple(chosen.shape)} of {chosen.dtype}"
        raise ArgumentError(f"kept: expected {len(rows)} booleans, got shape {kind}")
    return rows, chosen


def zero_share(rows: torch.Tensor, tolerance: float | None) -> float:
    """Return the share of the largest singular value up to which one counts as 0."""
    return max(rows.shape) * torch.finfo(torch.float64).eps if tolerance is None else tolerance
