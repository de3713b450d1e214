"""Boxes that contain everything that the layers of a chain get to see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from unrelu.domains import Ball, Box, Domain, Orthant

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.certificates import LayerRecord
    from unrelu.layers import Normalisation, ReLULayer

_UNIT = 2.0**-53
_ABOVE = 1 + 2.0**-40  # of a product of few factors over what floating point makes of it


def normalised(normalisation: Normalisation) -> Box:
    """Return a box that contains all that a normalisation puts out.

    Of k numbers, less their mean and divided by the root of their mean square, none is larger than sqrt(k).
    """
    gain, offset = (v.cpu().numpy() for v in (normalisation.gain, normalisation.offset))
    reach = np.abs(gain) * np.sqrt(normalisation.count) * _ABOVE
    return Box(np.nextafter(offset - reach, -np.inf), np.nextafter(offset + reach, np.inf))


def input_sets(layers: Sequence[ReLULayer], domain: Domain) -> list[Domain]:
    """Return for each layer of a chain a convex set that contains all its inputs, by interval arithmetic.

    Args:
        layers: The layers, in order, at least one.
        domain: Where the first one's inputs live.

    Returns:
        The domain itself for the first layer; boxes for the others, with 1 as upper bound of inputs that
        never change, or the orthant where the domain is unbounded.
    """
    sets: list[Domain] = [domain]
    box = around(domain, layers[0].n)
    for layer in layers[:-1]:
        box = None if box is None else _image(layer.record(), *box)
        if box is None:
            sets.append(Orthant())
        else:
            low, high = box
            sets.append(Box(low, np.where(high > low, high, low + 1.0)))
    return sets


def around(domain: Domain, n: int) -> tuple[np.ndarray, np.ndarray] | None:
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
        # Four times what rounding needs: the verifier then sees it without exact arithmetic.
        spread = abs(weight) @ radius + 16 * (layer.n + 8) * _UNIT * size
        middle = weight @ center + layer.bias
        bounds = np.maximum(middle - spread, 0.0), np.maximum(middle + spread, 0.0)
    return bounds if all(np.isfinite(bound).all() for bound in bounds) else None
