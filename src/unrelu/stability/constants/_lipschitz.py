"""Lipschitz constants of a layer and its inverse (Freeman and Haider 2025; Eckert et al. 2024, 4.4)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.arrays import Array, like
from unrelu.domains import Space
from unrelu.errors import ArgumentError
from unrelu.frames._signs import in_double
from unrelu.stability._dense import values_around
from unrelu.stability._singular_values import ACCURACY, power_of_two
from unrelu.stability.constants._cells import Cells
from unrelu.stability.constants._pairs import near_pair
from unrelu.stability.constants._result import Interval, LipschitzResult
from unrelu.stability.constants._search import least

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.layers import ReLULayer

_EPS = float(np.finfo(np.float64).eps)
_BELOW = 1e-30  # far below rounding, and not 0


def lipschitz(
    layer: ReLULayer,
    data: Array | None = None,
    *,
    domain: Domain | None = None,
    time_limit: float = 10.0,
) -> LipschitzResult:
    r"""Bound how much a layer stretches and how much it shrinks distances.

    Inside of a linear region ``f(x) = relu(W x + b)`` stretches by the singular values of its active rows
    ``W_S``. On a convex domain the upper Lipschitz constant is the largest ``sigma_max(W_S)`` over regions.
    For the lower one, ``sigma* = min sigma_min(W_S)`` gives ``sigma* / 2 <= lower <= sigma*``: a row weakly
    active at ``(x + y) / 2`` is active at ``x`` or ``y``, and ``|f(x) - f(y)|_i >= |w_i (x - y)| / 2``. Pairs
    of inputs are looked for whose outputs are nearer than ``sigma*`` says.

    Both extremes are searched for by branch and bound over sign patterns. That a pattern has no inner point
    is proved for the numbers as stored. Singular values are taken as known to ``4 (m + n)`` roundings of
    ``|W|_F``, and intervals are wider by that much.

    Args:
        layer: The layer.
        data: Points in the inside of the domain, shape ``(..., n)`` or ``(..., *in_shape)``: at each of them
            the region's singular values are ends of the intervals, whatever becomes of the search.
        domain: A convex polyhedron with inner points; all of R^n when ``None``.
        time_limit: Seconds for each of the two searches; 0 for none. Both end in seconds for layers of a
            few inputs and some dozen rows.

    Raises:
        ArgumentError: If the domain is no polyhedron or has no inner points, if data lie outside of it, are
            empty, of another shape, or not finite.

    Example:
        >>> import numpy as np, unrelu
        >>> layer = unrelu.ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]]))
        >>> constants = unrelu.lipschitz(layer)
        >>> print(constants.upper, constants.lower, constants.puthawala)
        [1, 1] [0.5, 0.707107] [0.353553, 0.353553]
    """
    layer = in_double(layer)
    if isinstance(domain, Space):
        domain = None
    if not time_limit >= 0:
        raise ArgumentError(f"time_limit: expected at least 0 seconds, got {time_limit!r}")
    weight, bias = layer.dense().cpu().numpy(), layer.bias.cpu().numpy()
    m, n = weight.shape
    x, batch = _points(layer, data, domain)
    smallest, largest, ends = _at_points(layer, x)
    cells, scale = Cells(weight, bias, domain), power_of_two(layer.dense())
    rows = weight / scale
    largest_of_all, sharpest = _largest(rows), _smallest(rows)
    low = least(cells, lambda signs: _smallest(rows[_active(cells, signs)]), -1, time_limit)
    high = least(cells, lambda signs: -_largest(rows[_possible(cells, signs)]), 1, time_limit)
    error = scale * (4 * (m + n) * _EPS * float(np.linalg.norm(rows)))
    star = _interval(scale * low.low, min(scale * low.high, ends[0], scale * sharpest), error)
    upper = _interval(max(scale * -high.high, ends[1]), scale * -high.low, error)
    pair = near_pair(weight, bias, domain, x.cpu().numpy(), star.high)
    lower = Interval(star.low / 2, star.high if pair is None else pair.ratio)
    return LipschitzResult(
        upper=upper,
        lower=lower,
        sigma_star=star,
        eckert=star,
        puthawala=Interval(star.low / math.sqrt(2 * max(m, 1)), star.high / math.sqrt(2 * max(m, 1))),
        condition=_ratio(upper, lower, math.sqrt(2) if domain is None else 1.0),
        frame_bounds=(_square(scale * sharpest), _square(scale * largest_of_all)),
        smallest=None if data is None else like(smallest.reshape(batch), data),
        largest=None if data is None else like(largest.reshape(batch), data),
        pair=None if pair is None else like(torch.from_numpy(pair.inputs), data),
        nodes=low.nodes + high.nodes,
        complete=low.complete and high.complete,
    )


def _ratio(upper: Interval, lower: Interval, least_value: float) -> Interval:
    """Return where the condition number lies; infinite where the layer may not be injective."""
    low = upper.low / lower.high if lower.high > 0 else math.inf
    return Interval(max(low, least_value), upper.high / lower.low if lower.low > 0 else math.inf)


def _active(cells: Cells, signs: tuple[int, ...]) -> np.ndarray:
    """Return the rows known to be active: they are among those of every region below."""
    return cells.rows[: len(signs)][np.array(signs, dtype=int) > 0]


def _possible(cells: Cells, signs: tuple[int, ...]) -> np.ndarray:
    """Return the rows not known to be inactive."""
    return np.concatenate([_active(cells, signs), cells.rows[len(signs) :]])


def _smallest(rows: np.ndarray) -> float:
    """Return the smallest singular value; exactly 0 only where that is sure, by the number of rows."""
    if len(rows) < rows.shape[1]:
        return 0.0
    return max(_BELOW, float(np.linalg.svd(rows, compute_uv=False)[-1]))


def _largest(rows: np.ndarray) -> float:
    return float(np.linalg.svd(rows, compute_uv=False)[0]) if len(rows) else 0.0


def _points(
    layer: ReLULayer, data: Array | None, domain: Domain | None
) -> tuple[torch.Tensor, tuple[int, ...]]:
    """Return the data as rows, and their batch axes; no rows where there are no data.

    Raises:
        ArgumentError: If they hold no points, or points outside of the domain.
    """
    if data is None:
        return torch.zeros(0, layer.n, dtype=torch.float64, device=layer.bias.device), (0,)
    x, batch, _ = layer.samples(data, "data")
    if not len(x):
        raise ArgumentError("data: expected at least one point, got none")
    if domain is not None and not bool(domain.contains(x).all()):
        raise ArgumentError("data: expected points of the domain, got some outside of it")
    return x, batch


def _at_points(layer: ReLULayer, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, tuple[float, float]]:
    """Return the sets A and B, and what they say of the two constants."""
    z = layer.linear.apply(x) + layer.bias
    transposed = layer.dense().T[None]
    weak = values_around(transposed, z >= 0, (layer.m,))[1]
    strict = weak if bool((z != 0).all()) else values_around(transposed, z > 0, (layer.m,))[1]
    nothing = weak.new_zeros(len(x))
    smallest = weak[:, -1] if layer.m >= layer.n else nothing
    largest, inside = (side[:, 0] if layer.m else nothing for side in (weak, strict))
    if not len(x):
        return smallest, largest, (math.inf, 0.0)
    slack = ACCURACY * float(largest.max())
    return smallest, largest, (float(smallest.min()) + slack, float(inside.max()) - slack)


def _square(value: float) -> float:
    return value * value if value < 1e154 else math.inf


def _interval(low: float, high: float, error: float) -> Interval:
    return Interval(max(0.0, low - error), max(0.0, high + error) if high > 0 else 0.0)
