"""A few singular values of a network's linearisations, from products with the derivative alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from unrelu.layers import derivative
from unrelu.stability._golub_kahan import extreme_singular_values

if TYPE_CHECKING:
    from collections.abc import Callable

    Ends = tuple[torch.Tensor, torch.Tensor]


def extreme_values(
    function: Callable[[torch.Tensor], torch.Tensor],
    x: torch.Tensor,
    entries: torch.Tensor,
    count: int,
    steps: int,
) -> Ends:
    """Return singular values at both ends of the derivative along some entries of the input.

    Args:
        function: From inputs, shape ``(1, n)``, to ``(1, m)``.
        x: One input, shape ``(1, n)``.
        entries: Flat indices of the entries, shape ``(d,)``.
        count: How many values at either end.
        steps: At most so many products with the derivative and with its transpose.

    Returns:
        Values and their errors, as `extreme_singular_values` does.
    """
    push, pull = derivative(function, x)

    def apply(v: torch.Tensor) -> torch.Tensor:
        direction = torch.zeros_like(x)
        direction[0, entries] = v
        return push(direction)[0]

    def adjoint(u: torch.Tensor) -> torch.Tensor:
        return pull(u[None])[0][0, entries]

    # The same start every time; random, so that it is orthogonal to no singular vector.
    generator = torch.Generator().manual_seed(0)
    start = torch.randn(function(x).shape[1], generator=generator, dtype=torch.float64).to(x.device)
    return extreme_singular_values(apply, adjoint, start, count, min(steps, len(entries), len(start)))
