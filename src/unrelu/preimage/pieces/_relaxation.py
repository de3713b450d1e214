"""Regions without the output, cut before their signs are all known.

Every activation whose sign is open lies in a triangle over its pre-activation (Ehlers 2017): it is at least
0 and the pre-activation, and at most a line where that has bounds. If the output is not in this relaxation,
the multipliers of a linear program combine the output's rows to one function that would have to be ``<= 0``;
put back through the layers in rational arithmetic, it is an affine function, proved positive on the region.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import flint
import numpy as np

from unrelu.preimage.pieces._bounds import range_of, rectified
from unrelu.preimage.pieces._rationals import exact, matrix
from unrelu.preimage.pieces._region import is_positive
from unrelu.preimage.pieces._relaxed_program import missed_output

if TYPE_CHECKING:
    from unrelu.preimage.pieces._bounds import Box, Interval
    from unrelu.preimage.pieces._chain import Affine, Chain
    from unrelu.preimage.pieces._leaf import Target
    from unrelu.preimage.pieces._rationals import Row
    from unrelu.preimage.pieces._region import Region

_ZERO = flint.fmpq(0)


@dataclass(frozen=True)
class Relaxation:
    """The rest of the network as seen from a region.

    Attributes:
        rows: Pre-activations of the present layer as functions of ``(u, 1)``.
        hidden: For the present layer and those behind it, intervals of the pre-activations.
        maps: The affine maps behind the present layer; the last one makes the output.
        output: Intervals of the output before a last ReLU.
        y: What it has to be.
        equal: For which entries; the others, 0 behind a ReLU, may be less.
    """

    rows: list[Row]
    hidden: list[list[Interval]]
    maps: tuple[Affine, ...]
    output: list[Interval]
    y: Row
    equal: list[bool]


def relax(
    chain: Chain, target: Target, layer: int, rows: list[Row], active: tuple[bool, ...], box: Box
) -> Relaxation:
    """Bound all pre-activations from a layer on.

    Args:
        chain: The network.
        target: The output.
        layer: Number of the present layer.
        rows: Its pre-activations as functions of ``(u, 1)``.
        active: Signs of the first of them in the region.
        box: A box around the region.
    """
    known: list[Interval] = [(_ZERO, None) if on else (None, _ZERO) for on in active]
    bounds = [known + [range_of(row, box) for row in rows[len(known) :]]]
    for j, on in enumerate(active):
        if on:  # how large it is counts behind the layer
            bounds[0][j] = _ZERO, range_of(rows[j], box)[1]
    maps = chain.maps[layer + 1 :]
    for affine in maps:
        activations = [rectified(interval) for interval in bounds[-1]]
        weights = zip(affine.weight.tolist(), affine.bias, strict=True)
        bounds.append([range_of([*w, b], activations) for w, b in weights])
    equal = [y != 0 or not chain.final_relu for y in target.y]
    return Relaxation(rows, bounds[:-1], maps, bounds[-1], target.y, equal)


def excluded(relaxation: Relaxation, region: Region) -> tuple[bool, int]:
    """Return whether it is proved that no point of the region has the output, and the programs it took."""
    for (low, high), y, equal in zip(relaxation.output, relaxation.y, relaxation.equal, strict=True):
        if (low is not None and low > y) or (equal and high is not None and high < y):
            return True, 0
    if any(high is None for _, high in relaxation.hidden[-1]):
        return False, 0  # without upper bounds of the activations hardly anything can be proved
    try:
        with np.errstate(all="ignore"):  # what floating point proposes is checked
            multipliers = missed_output(relaxation, region)
    except OverflowError:  # of a rational number that is no float64
        return False, 0
    if multipliers is None:
        return False, 1
    row = _put_back(relaxation, *multipliers)
    return (False, 1) if row is None else (is_positive(region, row), 2)


def _put_back(relaxation: Relaxation, weights: np.ndarray, lower: list[np.ndarray]) -> Row | None:
    """Return a function of ``(u, 1)`` that is ``<= 0`` wherever the output is the wanted one.

    Args:
        relaxation: The network.
        weights: One for each entry of the output, ``>= 0`` where it is only wanted below 0.
        lower: For every hidden pre-activation ``z`` and activation ``a`` the multiplier of ``z <= a``.

    Returns:
        The function; ``None`` where an activation would need an upper bound and has none.
    """
    mu = [exact(v) for v in weights.tolist()]
    constant = -sum((m * y for m, y in zip(mu, relaxation.y, strict=True)), _ZERO)
    stages = zip(reversed(relaxation.maps), reversed(relaxation.hidden), reversed(lower), strict=True)
    for affine, bounds, duals in stages:
        constant += sum((m * b for m, b in zip(mu, affine.bias, strict=True)), _ZERO)
        gains = (flint.fmpq_mat(1, len(mu), mu) * affine.weight).entries()
        lines = [_line(*each) for each in zip(gains, bounds, duals.tolist(), strict=True)]
        mu = [line[0] for line in lines if line is not None]
        if len(mu) < len(lines):
            return None
        constant += sum((line[1] for line in lines if line is not None), _ZERO)
    total = (flint.fmpq_mat(1, len(mu), mu) * matrix(relaxation.rows, len(relaxation.rows[0]))).entries()
    return [*total[:-1], total[-1] + constant]


def _line(gain: flint.fmpq, interval: Interval, dual: float) -> tuple[flint.fmpq, flint.fmpq] | None:
    """Return ``(c, d)`` with ``gain relu(z) >= c z + d`` on the interval."""
    low, high = interval
    if gain == 0 or (high is not None and high <= 0):
        return _ZERO, _ZERO
    if low is not None and low >= 0:
        return gain, _ZERO
    if gain > 0:
        return min(gain, exact(max(dual, 0.0))), _ZERO
    if high is None:
        return None
    if low is None:
        return _ZERO, gain * high
    slope = high / (high - low)
    return gain * slope, -gain * slope * low
