"""The linear region of a chain of ReLU layers around an input: all pre-activations as affine functions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.preimage.collisions._program import make_program

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.layers import Chain
    from unrelu.preimage.collisions._program import Program

ENTRIES = 40_000_000  # of all pre-activations as functions of the input: 320 MB


@dataclass(frozen=True)
class Region:
    """The inputs where given neurons are active.

    Attributes:
        active: One boolean array a layer.
        rows: Gradients of the pre-activations in it, one matrix ``(m, n)`` a layer.
        output: Gradient of the output, shape ``(outputs, n)``.
    """

    active: tuple[np.ndarray, ...]
    rows: tuple[np.ndarray, ...]
    output: np.ndarray


def region_of(chain: Chain, active: tuple[np.ndarray, ...]) -> Region:
    """Compose the maps for a pattern of active neurons."""
    rows: list[np.ndarray] = []
    inner: torch.Tensor | None = None
    for layer, on in zip(chain.layers, active, strict=True):
        own = layer.dense() if inner is None else layer.linear.apply(inner.T).T
        rows.append(own.numpy())
        inner = own * torch.from_numpy(on)[:, None]
    output = torch.from_numpy(rows[-1] * active[-1][:, None])
    if chain.last is not None:
        output = chain.last.apply(output.T).T
    return Region(active, tuple(rows), output.numpy())


def region_program(chain: Chain, region: Region, x: np.ndarray, domain: Domain, size: float) -> Program:
    """Return the steps from ``x``, on which the region borders at least, that keep it and the output."""
    values = chain.preactivations(x)
    signs = [np.where(on, -1.0, 1.0) for on in region.active]
    below = [sign[:, None] * rows for sign, rows in zip(signs, region.rows, strict=True)]
    slack = [np.maximum(-sign * z, 0) for sign, z in zip(signs, values, strict=True)]
    return make_program(x, region.output, (np.concatenate(below), np.concatenate(slack)), domain, size)
