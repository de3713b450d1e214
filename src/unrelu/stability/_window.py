"""A window of the input: the entries along which a network is differentiated."""

from __future__ import annotations

import torch

from unrelu._checks import whole_number
from unrelu.errors import ArgumentError

Window = int | tuple[int, ...]


def window_entries(window: Window | None, shape: tuple[int, ...]) -> torch.Tensor:
    """Return the flat indices of a window of the input, over all channels.

    Args:
        window: Side of a square in the middle; ``(height, width)`` of a rectangle there; ``(height, width,
            top, left)`` of one elsewhere; everything when ``None``.
        shape: Shape of an input, ``(channels, height, width)`` where there is a window.

    Returns:
        Indices, shape ``(d,)``.

    Raises:
        ArgumentError: If the input is no image, or the window does not fit into it.
    """
    index = torch.arange(torch.Size(shape).numel()).reshape(shape)
    if window is None:
        return index.reshape(-1)
    sides = (window, window) if isinstance(window, int) else tuple(window)
    if len(sides) not in {2, 4}:
        raise ArgumentError(f"window: expected a side, (h, w) or (h, w, top, left), got {window!r}")
    if len(shape) != 3:
        raise ArgumentError(f"window: expected inputs of shape (channels, height, width), got {shape}")
    size = [whole_number("window", side) for side in sides[:2]]
    if size[0] > shape[1] or size[1] > shape[2]:
        raise ArgumentError(
            f"window: expected at most {shape[1]} x {shape[2]} pixels, got {size[0]} x {size[1]}"
        )
    corner = [whole_number("window", side, least=0) for side in sides[2:]]
    top, left = corner or [(whole - part) // 2 for whole, part in zip(shape[1:], size, strict=True)]
    if top + size[0] > shape[1] or left + size[1] > shape[2]:
        raise ArgumentError(f"window: expected a place inside {shape[1]} x {shape[2]} pixels, got {window!r}")
    return index[:, top : top + size[0], left : left + size[1]].reshape(-1)


def directions_along(entries: torch.Tensor, n: int) -> torch.Tensor:
    """Return the unit vectors of some entries of the input, float64, shape ``(d, n)``."""
    directions = torch.zeros(len(entries), n, dtype=torch.float64, device=entries.device)
    directions[torch.arange(len(entries), device=entries.device), entries] = 1.0
    return directions
