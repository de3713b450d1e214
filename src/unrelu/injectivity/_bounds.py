"""Boxes that contain everything that the layers of a chain get to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from unrelu.domains import Ball, Box, Domain, Orthant

if TYPE_CHECKING:
    from unrelu.certificates import LayerRecord
    from unrelu.layers import Chain

_UNIT = 2.0**-53


def input_sets(chain: Chain, domain: Domain) -> list[Domain]:
    """Return for each layer a convex set that contains all its inputs, by interval arithmetic.

    Args:
        chain: The network.
        domain: Where its inputs live.

    Returns:
        The domain itself for the first layer; boxes for the others, with 1 as upper bound of inputs that
        never change, or the orthant where the domain is unbounded.
    """
    sets: list[Domain] = [domain]
    box = _around(domain, chain.n)
    for layer in chain.layers[:-1]:
        box = None if box is None else _image(layer.record(), *box)
        if box is None:
            sets.append(Orthant())
        else:
            low, high = box
            sets.append(Box(low, np.where(high > low, high, low + 1.0)))
    return sets


def _around(domain: Domain, n: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return a box around a domain, ``None`` where none is at hand."""
    if isinstance(domain, Box) and domain.bounded:
        return domain.bounds(n)
    if isinstance(domain, Ball):
        center = domain.center_point(n)
        return np.nextafter(center - domain.radius, -np.inf), np.nextafter(center + domain.radius, np.inf)
    return None


def _image(layer: LayerRecord, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Bound the outputs of a layer, rounding errors included; ``None`` out of range."""
    weight = sp.csr_array((layer.values, layer.columns, layer.starts), (layer.m, layer.n))
    with np.errstate(all="ignore"):
        center, radius = low / 2 + high / 2, high / 2 - low / 2
        size = abs(weight) @ (np.abs(center) + radius) + np.abs(layer.bias)
        spread = abs(weight) @ radius + 4 * (layer.n + 8) * _UNIT * size
        middle = weight @ center + layer.bias
        bounds = np.maximum(middle - spread, 0.0), np.maximum(middle + spread, 0.0)
    return bounds if all(np.isfinite(bound).all() for bound in bounds) else None
