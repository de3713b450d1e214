"""Which rows are active at a point, true for the stored numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
import torch

from unrelu.frames._exact import signs_of_sums
from unrelu.frames._scaling import SMALLEST, UNIT

if TYPE_CHECKING:
    from unrelu.frames._frame import Frame
    from unrelu.layers import LinearMap, ReLULayer

_PRODUCTS = 1 << 20  # held at a time for exact sums


@dataclass(frozen=True)
class Activity:
    """Signs of ``z = W x + b`` for a batch.

    Attributes:
        z: Pre-activations as computed, shape ``(batch, m)``.
        error: Bound of their rounding error, same shape; not finite where they overflowed.
        signs: -1, 0 or 1, exact for the stored numbers, int8, same shape. Rows with sign 1 are strictly
            active, rows with sign 0 or 1 weakly active.
    """

    z: np.ndarray
    error: np.ndarray
    signs: np.ndarray

    @property
    def active(self) -> np.ndarray:
        """Strictly active rows, boolean."""
        return self.signs > 0


def activity(layer: ReLULayer, x: torch.Tensor, frame: Frame | None = None) -> Activity:
    """Decide the sign of every pre-activation.

    The computed value decides where it exceeds the bound ``gamma (|W| |x| + |b|)`` of its rounding error
    (Higham 2002, eq. 3.5); exact arithmetic decides the rest.

    Args:
        layer: The layer.
        x: Float64 inputs of shape ``(batch, n)``.
        frame: Where the rows for exact arithmetic come from; the layer when ``None``. It makes a difference
            where the rows are rounded products of several maps.
    """
    layer, x = in_double(layer), x.double()
    # cuDNN may convolve by transforms (Winograd, FFT), whose errors the bound does not cover.
    with torch.backends.cudnn.flags(enabled=False):
        z = (layer.linear.apply(x) + layer.bias).cpu().numpy()
        size = (layer.linear.absolute().apply(x.abs()) + layer.bias.abs()).cpu().numpy()
    # Twice: once for the computed value, once for the rounding in rows that are products of several maps.
    terms = layer.linear.fan_in + 4
    error = 2.1 * terms * UNIT * size + _lost(layer.linear, x, terms)
    signs = np.zeros(z.shape, dtype=np.int8)
    with np.errstate(invalid="ignore"):
        signs[z > error] = 1
        signs[z < -error] = -1
        # An error of 0 is a sum of nothing but zeros. Overflow makes it infinite or NaN.
        doubtful = (signs == 0) & ~(error == 0)
    samples, rows = np.nonzero(doubtful)
    if len(rows):
        signs[samples, rows] = _exact_signs(layer, frame, x.cpu().numpy(), samples, rows)
    return Activity(z, error, signs)


def in_double(layer: ReLULayer) -> ReLULayer:
    """Return the layer in float64, in which its numbers are the same."""
    return layer if layer.linear.dtype == torch.float64 else layer.to(dtype=torch.float64)


def _lost(linear: LinearMap, x: torch.Tensor, terms: int) -> float:
    """Return what products below the normal range lose in a pre-activation; 0 where there are none."""
    factors = [t for t in linear.tensors if t.is_floating_point() and t.numel()]
    smallest = _smallest(x)
    largest = 1.0
    for tensor in factors:
        smallest *= min(1.0, _smallest(tensor))
        largest *= max(1.0, float(tensor.abs().max()))
    # One map's loss is multiplied by the maps that follow.
    return 0.0 if smallest > 2.0**-1000 else SMALLEST * float(terms) ** (1 + len(factors)) * largest


def _smallest(tensor: torch.Tensor) -> float:
    """Return the smallest size of a non-zero entry, at most 1."""
    size = tensor.abs()
    return float(torch.where(size > 0, size, 1.0).amin().clamp(max=1.0)) if size.numel() else 1.0


def _exact_signs(
    layer: ReLULayer, frame: Frame | None, x: np.ndarray, samples: np.ndarray, rows: np.ndarray
) -> np.ndarray:
    used, position = np.unique(rows, return_inverse=True)
    weight = sp.csr_array(frame.rows(used)) if frame else layer.linear.csr(used)
    bias = layer.bias.cpu().numpy()
    signs = np.empty(len(rows), dtype=np.int8)
    step = max(1, _PRODUCTS // max(1, int(np.diff(weight.indptr).max())))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        chosen = weight[position[part]]
        entries = x[np.repeat(samples[part], np.diff(chosen.indptr)), chosen.indices]
        signs[part] = signs_of_sums(chosen.data, entries, chosen.indptr, bias[rows[part]])
    return signs
