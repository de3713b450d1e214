"""Which rows are active at a point, true for the stored numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.frames._exact import sign_of_affine
from unrelu.frames._factor import UNIT

if TYPE_CHECKING:
    import torch

    from unrelu.layers import ReLULayer


@dataclass(frozen=True)
class Activity:
    """Signs of ``z = W x + b`` for a batch.

    Attributes:
        z: Pre-activations as computed, shape ``(batch, m)``.
        error: Bound of their rounding error, same shape.
        signs: -1, 0 or 1, exact for the stored numbers, int8, same shape. Rows with sign 1 are strictly active,
            rows with sign 0 or 1 weakly active.
    """

    z: np.ndarray
    error: np.ndarray
    signs: np.ndarray

    @property
    def active(self) -> np.ndarray:
        """Strictly active rows, boolean."""
        return self.signs > 0


def activity(layer: ReLULayer, x: torch.Tensor) -> Activity:
    """Decide the sign of every pre-activation.

    The computed value decides where it exceeds the bound ``gamma (|W| |x| + |b|)`` of its rounding error
    (Higham 2002, eq. 3.5); exact arithmetic decides the rest.

    Args:
        layer: The layer.
        x: Float64 inputs of shape ``(batch, n)``.
    """
    z = (layer.linear.apply(x) + layer.bias).double().cpu().numpy()
    size = (layer.linear.absolute().apply(x.abs()) + layer.bias.abs()).double().cpu().numpy()
    # Twice: once for the computed value, once for the rounding in rows that are products of several maps.
    # Products below the normal range lose at most the smallest subnormal each.
    terms = layer.linear.fan_in + 4
    error = 2.1 * terms * (UNIT * size + np.where(size > 0, 5e-324, 0.0))
    signs = np.sign(z).astype(np.int8)
    samples, rows = np.nonzero((np.abs(z) <= error) & (error > 0))
    if len(rows):
        signs[samples, rows] = _exact_signs(layer, x.double().cpu().numpy(), samples, rows)
    return Activity(z, error, signs)


def _exact_signs(layer: ReLULayer, x: np.ndarray, samples: np.ndarray, rows: np.ndarray) -> np.ndarray:
    used, position = np.unique(rows, return_inverse=True)
    weight = layer.linear.csr(used)
    bias = layer.bias.double().cpu().numpy()
    signs = np.empty(len(rows), dtype=np.int8)
    for k, (sample, row) in enumerate(zip(samples, rows, strict=True)):
        start, stop = weight.indptr[position[k]], weight.indptr[position[k] + 1]
        columns = weight.indices[start:stop]
        signs[k] = sign_of_affine(weight.data[start:stop], x[sample, columns], bias[row])
    return signs
