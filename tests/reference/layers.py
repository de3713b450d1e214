"""Naive twins of the affine maps: dense matrices, one unit vector after another."""

from collections.abc import Callable, Sequence

import numpy as np
import torch


def matrix_of(function: Callable[[torch.Tensor], torch.Tensor], shape: Sequence[int]) -> torch.Tensor:
    """Return the matrix of a linear function of arrays of ``shape``: its columns are the images of units."""
    size = int(np.prod(shape))
    columns = []
    for position in range(size):
        unit = torch.zeros(size, dtype=torch.float64)
        unit[position] = 1
        columns.append(function(unit.reshape(tuple(shape))).reshape(-1))
    return torch.stack(columns, dim=1)


def reindexed(index: Sequence[int], size: int) -> torch.Tensor:
    """Return the matrix of ``y_i = x[index_i]``, with 0 for an index of -1."""
    matrix = torch.zeros(len(index), size, dtype=torch.float64)
    for row, column in enumerate(index):
        if column >= 0:
            matrix[row, column] = 1
    return matrix


def convolved(
    image: np.ndarray,
    kernel: np.ndarray,
    stride: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> np.ndarray:
    """Return a cross-correlation by its definition, for any number of spatial axes."""
    image = np.pad(image, [(0, 0), *padding])
    out_channels, in_group, *taps = kernel.shape
    size = [
        (length - step * (count - 1) - 1) // hop + 1
        for length, count, step, hop in zip(image.shape[1:], taps, dilation, stride, strict=True)
    ]
    out = np.zeros((out_channels, *size))
    for position in np.ndindex(*out.shape):
        first = position[0] // (out_channels // groups) * in_group
        for tap in np.ndindex(in_group, *taps):
            pixel = tuple(
                p * hop + t * step
                for p, hop, t, step in zip(position[1:], stride, tap[1:], dilation, strict=True)
            )
            out[position] += kernel[(position[0], *tap)] * image[(first + tap[0], *pixel)]
    return out
