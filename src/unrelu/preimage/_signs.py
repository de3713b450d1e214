"""Signs of all rows, the layer's and the domain's, at points of the domain."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from unrelu.errors import ArgumentError
from unrelu.frames import activity
from unrelu.layers import ReLULayer

if TYPE_CHECKING:
    import torch

    from unrelu.preimage._classify import Classifier


def signs_at(layer: ReLULayer, x: torch.Tensor, classifier: Classifier) -> np.ndarray:
    """Return the exact signs of ``W x + b`` and then of ``G x - h``, int8, shape ``(batch, m + p)``.

    Args:
        layer: The layer, in float64.
        x: Points of shape ``(batch, n)``.
        classifier: Knows the rows.

    Raises:
        ArgumentError: If a point lies outside the domain.
    """
    own = activity(layer, x, classifier.frame).signs
    if not len(classifier.domain_rows):
        return own
    domain = _border_signs(classifier.domain_rows, classifier.domain_offsets, x.cpu())
    outside = int((domain > 0).any(axis=1).sum())
    if outside:
        raise ArgumentError(f"x: expected points of the domain, got {outside} outside of it")
    return np.concatenate([own, domain], axis=1)


def _border_signs(G: np.ndarray, h: np.ndarray, x: torch.Tensor) -> np.ndarray:
    """Return the exact signs of ``G x - h``."""
    if np.array_equal(np.abs(G).sum(axis=1), np.abs(G).max(axis=1)) and (np.abs(G).max(axis=1) == 1).all():
        # Rows are unit vectors, up to sign: nothing is rounded but the difference, which keeps its sign.
        with np.errstate(over="ignore"):
            return np.sign(x.numpy() @ G.T - h).astype(np.int8)
    return activity(ReLULayer(G, -h), x).signs
