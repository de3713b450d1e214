"""Lipschitz constants of a layer and of the way back, as an audit asks for them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from unrelu.audit._figures import LipschitzFigures
from unrelu.stability import Interval, lipschitz

if TYPE_CHECKING:
    import torch

    from unrelu.layers import ReLULayer

POINTS = 4  # inputs of the layer at which its linear regions are looked at
_ENTRIES = 1_000_000  # of a matrix that is decomposed many times in a second or two


def lipschitz_of(
    layer: ReLULayer, inputs: torch.Tensor, seconds: float, refuted: bool = False
) -> LipschitzFigures | None:
    """Bound both constants on R^n; ``None`` for layers too large for it, and for convolutions.

    Args:
        layer: The layer.
        inputs: Inputs of it, at least one, shape ``(k, n)``.
        seconds: For each of the two searches.
        refuted: Whether the layer is known not to be injective: then nothing bounds the way back.
    """
    if layer.linear.is_sparse or layer.m * layer.n > _ENTRIES:
        return None
    with threadpool_limits(1, user_api="blas"):  # many small products: threads would only wait for each other
        found = lipschitz(layer, inputs, time_limit=seconds)
    ends = (Interval(0.0, 0.0), Interval(math.inf, math.inf)) if refuted else (found.lower, found.condition)
    return LipschitzFigures(found.upper, *ends, len(inputs), found.complete)
