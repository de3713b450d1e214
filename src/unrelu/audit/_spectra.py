"""Singular values of the linearisation from the data up to each layer (Behrmann et al. 2018, section 3)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from unrelu.audit._figures import SingularValues, SpectrumFigures
from unrelu.audit._inputs import evenly_spread
from unrelu.layers import Linearisation
from unrelu.stability import spectrum
from unrelu.stability._picture import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from unrelu.layers import Network
    from unrelu.stability import Values

_WORK = 5e10  # multiplications a sample: products of the derivatives, and eigenvalues of these
_EIGENVALUES = 8  # what those of a product take, in units of its size cubed: they use little of a processor
_ENTRIES = 1 << 25  # of a derivative
_MEMORY = 1 << 30  # bytes for all derivatives that are held at a time
_POINTS = 200  # of a curve, at most


def affordable(network: Network) -> set[str]:
    """Return the names of the first ReLUs, as many as all singular values are affordable for."""
    directions = math.prod(network.input_shape)
    shapes = Linearisation(network, torch.zeros(1, directions, dtype=torch.float64)).shapes
    work, names = 0.0, set()
    for name, shape in shapes.items():
        m = math.prod(shape)
        values = min(directions, m)
        work += directions * m * values + _EIGENVALUES * values**3
        if work > _WORK or directions * max(directions, m) > _ENTRIES:
            break
        names.add(name)
    return names


def left_out(network: Network) -> str:
    """Say why a layer and those behind it have no spectra."""
    return (
        f"singular values from the data up to here and beyond are left out: along all "
        f"{math.prod(network.input_shape):,} inputs they would take long; `unrelu spectrum` finds them"
    )


def spectra_of(
    network: Network, names: Sequence[str], x: np.ndarray
) -> tuple[dict[str, SpectrumFigures], bool]:
    """Return medians of the singular values up to each layer, and whether they are about all samples.

    Args:
        network: The network.
        names: Names of affordable layers, at least one.
        x: Samples, at least one, shape ``(k, *input_shape)``.
    """
    found = spectrum(network, x, layers=names, memory=_MEMORY)
    figures = {
        entry.name: SpectrumFigures(found.samples, found.directions, _side(entry.up_to), _side(entry.through))
        for entry in found.layers
    }
    return figures, not found.partial


def _side(values: Values) -> SingularValues:
    if not values.values.shape[-1]:
        return SingularValues(0.0, None, None, None, (), ())
    number, decay = shown(values)
    kept = evenly_spread(_POINTS, len(number))
    largest, smallest = (float(end) if math.isfinite(end) else None for end in values.median_ends)
    return SingularValues(
        rank=values.median_rank,
        largest=largest,
        smallest=smallest,
        condition=None if largest is None else values.median_condition,
        numbers=tuple(number[kept].tolist()),
        values=tuple(decay[kept].tolist()),
    )
