"""Rows after which given inputs are the only ones with their outputs (Behrmann et al. 2018, Theorem 4).

An input has a singleton preimage if its active rows span R^n. Where at the worst of the inputs ``d``
dimensions are missing, at least ``d`` rows have to be appended; and ``d`` rows in general position that are
active at all inputs are enough, because they avoid the spans of finitely many sets of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.errors import ModelError
from unrelu.frames import analyse_points
from unrelu.layers import ReLULayer
from unrelu.layers.surgery import NewRows, appended, convolution_of
from unrelu.nn.completion._bases import general_position
from unrelu.nn.completion._convolution import with_kernels
from unrelu.nn.completion._dense import above, single, typical_norm
from unrelu.preimage import preimages

if TYPE_CHECKING:
    from unrelu.frames import PointAnalysis
    from unrelu.layers import LinearMap

_SLACK = 1 / 16  # of the spread of the data along a row: how far beyond the radius it stays active
_TRIES = 6


def rows_for_data(layer: ReLULayer, X: torch.Tensor, radius: float) -> tuple[NewRows | None, float]:
    """Return the fewest rows with which all inputs have singleton preimages, also within a radius.

    Args:
        layer: The layer.
        X: Its inputs, float64, shape ``(N, n)``.
        radius: Euclidean; within it, too, every input is the only one with its output.

    Returns:
        The rows, ``None`` if none are needed, and the least certified radius with them.

    Raises:
        ModelError: If the proof does not succeed for every input.
    """
    layer = layer.to(device="cpu", dtype=torch.float64)
    found = analyse_points(layer, X)
    reached = _least_radius(layer, X, found)
    if _is_enough(reached, radius):
        return None, reached
    if radius > 0:
        margin = ReLULayer(layer.linear, layer.bias - radius * layer.row_norms() * (1 + 1e-12))
        found = analyse_points(margin, X)
    conv = convolution_of(layer.linear)
    places = 1 if conv is None else layer.m // layer.out_shape[0]
    count = -(-_missing(found) // places)
    for extra in range(_TRIES):
        new = _active_rows(layer, X, radius, count + extra)
        completed = appended(layer, new)
        reached = _least_radius(completed, X, analyse_points(completed, X))
        if _is_enough(reached, radius):
            return new, reached
    raise ModelError(
        f"layer {layer.name!r}: {count + _TRIES - 1} rows or channels that are active at all data do not "
        f"prove a radius of {radius:g} for every input"
    )


def _least_radius(layer: ReLULayer, X: torch.Tensor, found: PointAnalysis) -> float:
    """Return the least certified radius, -1 where an input is not proved to be the only one."""
    if (found.singleton == 0).any():
        return -1.0
    open_ones = np.flatnonzero(found.singleton < 0)
    if len(open_ones) and (preimages(layer, X[open_ones]).kinds != "singleton").any():
        return -1.0
    return float(found.radius.min())


def _is_enough(reached: float, radius: float) -> bool:
    """Say whether a certified radius, of open balls, proves closed ones."""
    return reached > radius or reached == radius == 0


def _missing(found: PointAnalysis) -> int:
    """Return how many dimensions the active rows leave open, at the worst input."""
    return max(found.n - int(np.where(found.rank < 0, 0, found.rank).min()), 1)


def _active_rows(layer: ReLULayer, X: torch.Tensor, radius: float, count: int) -> NewRows:
    """Return rows, or channels, in general position that are active at all inputs, and beyond the radius."""
    known = convolution_of(layer.linear)
    if known is None:
        rows = single(typical_norm(layer.dense().numpy()) * _generic(layer.n, count))
        return _above_margin(rows, rows, X @ torch.from_numpy(rows).T, radius)
    conv, movement = known
    taps = conv.in_shape[0] * int(np.prod(conv.weight.shape[2:]))
    kernels = single(typical_norm(conv.weight.flatten(1).numpy()) * _generic(taps, count))
    linear: LinearMap = with_kernels(conv, kernels)
    values = linear.apply(X if movement is None else movement.apply(X))
    return _above_margin(
        kernels, kernels.reshape(count, conv.in_shape[0], *conv.weight.shape[2:]), values, radius
    )


def _generic(n: int, count: int) -> np.ndarray:
    """Return rows in general position; orthonormal ones, as far as there are any."""
    blocks = [general_position(np.eye(n), seed) for seed in range(-(-count // n))]
    return np.vstack(blocks)[:count]


def _above_margin(flat: np.ndarray, rows: np.ndarray, values: torch.Tensor, radius: float) -> NewRows:
    along = values.reshape(len(values), len(flat), -1).permute(1, 0, 2).flatten(1).numpy()
    norms = np.linalg.norm(flat, axis=1)
    low = along.min(axis=1)
    slack = _SLACK * (along.max(axis=1) - low + norms)
    bias = above(radius * norms * (1 + 1e-9) - low + slack)
    return NewRows(np.zeros(0, dtype=np.int64), rows, bias, 0)
