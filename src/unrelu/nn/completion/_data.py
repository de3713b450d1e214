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
    reached = _least_radius(layer, X)
    if _is_enough(reached, radius):
        return None, reached
    conv = convolution_of(layer.linear)
    places = 1 if conv is None else layer.m // layer.out_shape[0]
    count = -(-_missing(layer, X, radius) // places)
    for extra in range(_TRIES):
        new = _active_rows(layer, X, radius, count + extra)
        reached = _least_radius(appended(layer, new), X)
        if _is_enough(reached, radius):
            return new, reached
    raise ModelError(
        f"layer {layer.name!r}: {count + _TRIES - 1} rows or channels that are active at all data do not "
        f"prove a radius of {radius:g} for every input"
    )


def _least_radius(layer: ReLULayer, X: torch.Tensor) -> float:
    """Return the least certified radius, -1 where an input is not proved to be the only one."""
    found = preimages(layer, X)
    return float(found.radii.min()) if (found.kinds == "singleton").all() else -1.0


def _is_enough(reached: float, radius: float) -> bool:
    """Say whether a certified radius, of open balls, proves closed ones."""
    return reached > radius or reached == radius == 0


def _missing(layer: ReLULayer, X: torch.Tensor, radius: float) -> int:
    """Return how many dimensions the rows active within the radius leave open, at the worst input."""
    margin = ReLULayer(layer.linear, layer.bias - radius * layer.row_norms() * (1 + 1e-12))
    ranks = analyse_points(margin, X).rank
    return max(layer.n - int(np.where(ranks < 0, 0, ranks).min()), 1)


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
