"""Products of the derivative with itself, where most of it is zero."""

from __future__ import annotations

import torch

_SMALL = 256  # directions up to which one product is the fastest
_PARTS = 8  # into which an image is cut
_FULL = 0.7  # share of directions that reach a part from which on all are taken


def gram_of_columns(
    tangents: torch.Tensor, shape: tuple[int, ...], chosen: torch.Tensor | None = None
) -> torch.Tensor:
    """Return ``T Tᵀ``, or the same for some columns of ``T``.

    A pixel of a convolution's output is reached from few pixels of its input: the output is cut along its
    first spatial axis, and each part is multiplied for those directions only that reach it.

    Args:
        tangents: ``T``, shape ``(d, m)``.
        shape: Shape of one sample of ``m`` entries.
        chosen: Booleans, shape ``(m,)``; all columns when ``None``.

    Returns:
        Shape ``(d, d)``.
    """
    if len(tangents) <= _SMALL or len(shape) < 2 or shape[1] < 2:
        part = tangents if chosen is None else tangents[:, chosen]
        return part @ part.T
    total = tangents.new_zeros(len(tangents), len(tangents))
    columns = torch.arange(tangents.shape[1], device=tangents.device).reshape(shape)
    for band in columns.chunk(_PARTS, dim=1):
        index = band.reshape(-1)
        part = tangents[:, index if chosen is None else index[chosen[index]]]
        reach = torch.nonzero((part != 0).any(dim=1))[:, 0]
        if len(reach) > _FULL * len(part):
            total.addmm_(part, part.T)
        else:
            part = part[reach]
            total[reach[:, None], reach] += part @ part.T
    return total
