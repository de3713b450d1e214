"""The border between callers' arrays (numpy or torch) and the float64 tensors used inside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = Any  # numpy.ndarray or torch.Tensor: what goes in comes out


def to_tensor(
    x: Array, name: str, *, dtype: torch.dtype = torch.float64, device: Any = None, copy: bool = False
) -> torch.Tensor:
    """Convert a numeric array to a tensor of ``dtype`` and refuse anything that is not finite.

    Args:
        x: Numpy array, torch tensor or nested sequence of numbers.
        name: How error messages call the argument.
        dtype: Floating dtype of the result.
        device: Device of the result; the array's own when ``None``.
        copy: Whether the result must not share memory with ``x``.

    Raises:
        ArgumentError: If the array is not numeric, complex, sparse, or has NaN or infinite entries.
    """
    if isinstance(x, torch.Tensor):
        if x.is_complex() or x.layout != torch.strided:
            raise ArgumentError(f"{name}: expected dense real numbers, got {x.dtype}, {x.layout}")
        tensor = x.detach().to(device=device or x.device, dtype=dtype, copy=copy)
    else:
        array = _real_array(x, name)
        # Torch takes neither read-only arrays nor negative strides.
        copy = copy or not array.flags.writeable or any(stride < 0 for stride in array.strides)
        tensor = torch.as_tensor(array.copy() if copy else array, device=device).to(dtype)
    bad = int(tensor.numel() - torch.isfinite(tensor).sum())
    if bad:
        raise ArgumentError(f"{name}: expected finite numbers, got {bad} NaN or infinite entries")
    return tensor


def _real_array(x: Array, name: str) -> np.ndarray:
    """Return real numbers in float32 or float64; torch knows no other byte order or width."""
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ArgumentError(f"{name}: expected an array of numbers, got rows of different lengths") from error
    if array.dtype.kind not in "fiub":
        raise ArgumentError(f"{name}: expected real numbers, got dtype {array.dtype}")
    return array if array.dtype == np.float32 else np.asarray(array, dtype=np.float64)


def like(result: torch.Tensor, x: Array) -> Array:
    """Return ``result`` in the kind of ``x``: a tensor on its device, otherwise a numpy array."""
    if isinstance(x, torch.Tensor):
        return result.to(x.device)
    return result.cpu().numpy()


def flatten_samples(x: Array, shape: Sequence[int], name: str) -> tuple[Array, tuple[int, ...], bool]:
    """View ``x`` as a matrix with one sample a row.

    A sample may come in its own shape or flat, with any number of leading batch axes.

    Args:
        x: Array of shape ``(..., *shape)`` or ``(..., n)`` with ``n = prod(shape)``.
        shape: Shape of one sample.
        name: How error messages call the argument.

    Returns:
        The ``(batch, n)`` view, the batch axes, and whether the samples came flat.

    Raises:
        ArgumentError: If the trailing axes are neither ``shape`` nor ``(n,)``.
    """
    shape, size = tuple(shape), math.prod(shape)
    given = tuple(x.shape)
    # The batch size is spelled out: -1 is ambiguous where a sample has no entries.
    batch = given[: len(given) - len(shape)]
    if len(shape) > 1 and (*batch, *shape) == given:
        return x.reshape(math.prod(batch), size), batch, False
    if given and given[-1] == size:
        return x.reshape(math.prod(given[:-1]), size), given[:-1], True
    expected = f"(..., {', '.join(map(str, shape))})" + (f" or (..., {size})" if len(shape) > 1 else "")
    raise ArgumentError(f"{name}: expected an array of shape {expected}, got {given}")
