"""Maxima over groups of entries that have none in common: which entries each is the largest of."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


def over_axes(shape: Sequence[int], axes: Sequence[int]) -> torch.Tensor:
    """Return the groups of a maximum over axes, all of them if none is given.

    Args:
        shape: Of the tensor.
        axes: Which axes.

    Returns:
        Positions of entries, shape ``(count, size)``, in the order of the results.

    Example:
        >>> over_axes((2, 3), [0])
        tensor([[0, 3],
                [1, 4],
                [2, 5]])
    """
    chosen = sorted({axis % len(shape) for axis in axes} or range(len(shape)))
    size = math.prod(shape[axis] for axis in chosen)
    return _positions(shape).movedim(chosen, tuple(range(-len(chosen), 0))).reshape(-1, size)


def over_windows(shape: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> torch.Tensor | None:
    """Return the groups of max pooling without padding and dilation; ``None`` where windows overlap.

    Args:
        shape: Of the tensor, its spatial axes last.
        kernel: Size of a window along these.
        stride: Distance of windows.

    Returns:
        Positions of entries, shape ``(count, size)``, in the order of the results.
    """
    if any(step < width for step, width in zip(stride, kernel, strict=True)):
        return None
    windows = _positions(shape)
    for axis, (width, step) in enumerate(zip(kernel, stride, strict=True), start=-len(kernel)):
        windows = windows.unfold(len(shape) + axis, width, step)
    return windows.reshape(-1, math.prod(kernel))


def _positions(shape: Sequence[int]) -> torch.Tensor:
    return torch.arange(math.prod(shape)).reshape(tuple(shape))
