"""The channels that a convolution lacks (Puthawala et al. 2022: opposite kernels)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.certificates import LayerRecord
from unrelu.certificates.injective import always_active, box_around
from unrelu.errors import ModelError
from unrelu.frames import DenseFrame, frame_of
from unrelu.injectivity._lines import opposite_pairs
from unrelu.layers import Convolution, ReLULayer
from unrelu.layers.maps._convolution import per_channel
from unrelu.layers.surgery import NewRows
from unrelu.nn.completion._bases import (
    general_position,
    independent_rows,
    orthogonal_complement,
    unit_rows,
)
from unrelu.nn.completion._dense import above, single, typical_norm
from unrelu.nn.completion._plan import Plan

if TYPE_CHECKING:
    from unrelu.certificates import DomainRecord

_LARGE = 4096  # inputs beyond which only kernels of one tap are proved to span in a moment
_TURNS = 8  # sets of new kernels to choose from


def plan_convolution(layer: ReLULayer, conv: Convolution, domain: DomainRecord) -> Plan:
    """Plan channels that make a convolution injective on a domain.

    Channels come in an order: opposite pairs and those that are always active, which cost nothing; other
    channels, each far from the span of those before it as kernels, which cost a partner; kernels orthogonal
    to all of these, which cost two channels, or one that is always active on a bounded domain. The fewest
    first ones that are proved to span R^n are taken. For inputs of more than 4096 entries all new kernels
    have one tap: those read the input itself.

    Args:
        layer: The layer.
        conv: Its convolution; entries of its input may come in another order than the layer's.
        domain: R^n, a box, the orthant or a ball.

    Raises:
        ModelError: If even with all kernels of its size the convolution loses entries of its input.
    """
    kernels = conv.ungrouped().weight.double().cpu().flatten(1).numpy()
    channels = np.arange(len(kernels))
    pairs, always = _opposite_channels(kernels, layer, conv), _always_active_channels(layer, conv, domain)
    unit = unit_rows(kernels)
    given = np.unique(np.concatenate([always, pairs[:, 0]]))
    free, others = independent_rows(unit, [given, np.setdiff1d(channels, given)])
    known = np.concatenate([free, others])
    scale = typical_norm(kernels)
    if conv.n > _LARGE:
        count, new = len(free), single(scale * _deltas(conv, layer.name))
    else:
        count, new = _fewest(conv, kernels[known], scale, layer.name)
    partners = np.sort(others[: max(count - len(free), 0)])
    rows, bias, mirrored = _signed(new, conv, domain)
    shape = (len(rows), conv.in_shape[0], *conv.weight.shape[2:])
    places = layer.m // len(kernels)
    return Plan(
        NewRows(partners, rows.reshape(shape), bias, mirrored),
        (pairs[:, None, :] * places + np.arange(places)[:, None]).reshape(-1, 2),
        (always[:, None] * places + np.arange(places)).reshape(-1),
    )


def with_kernels(conv: Convolution, kernels: np.ndarray) -> Convolution:
    """Return a convolution of the same geometry with other kernels, over all input channels."""
    shape = (len(kernels), conv.in_shape[0], *conv.weight.shape[2:])
    weight = torch.from_numpy(np.ascontiguousarray(kernels)).reshape(shape)
    return Convolution(
        weight, conv.in_shape, stride=conv.stride, padding=conv.padding, dilation=conv.dilation
    )


def _opposite_channels(kernels: np.ndarray, layer: ReLULayer, conv: Convolution) -> np.ndarray:
    """Return pairs of channels with opposite kernels of which one is active everywhere."""
    bias = per_channel(layer.bias.double().cpu(), conv.out_shape)
    if bias is None:
        return np.zeros((0, 2), dtype=np.int64)
    pairs = opposite_pairs(LayerRecord.dense(kernels, bias.numpy()), DenseFrame(kernels).directions)
    return np.array(pairs, dtype=np.int64).reshape(-1, 2)


def _always_active_channels(layer: ReLULayer, conv: Convolution, domain: DomainRecord) -> np.ndarray:
    """Return channels that are weakly active at every place, on the whole domain."""
    channels = conv.out_shape[0]
    if domain.kind == "space":
        return np.zeros(0, dtype=np.int64)
    rows = np.zeros(layer.m, dtype=bool)
    rows[always_active(layer.record(), domain)] = True
    return np.flatnonzero(rows.reshape(channels, -1).all(axis=1))


def _fewest(conv: Convolution, known: np.ndarray, scale: float, name: str) -> tuple[int, np.ndarray]:
    """Return how many channels that are there, and which new kernels, are proved to span R^n.

    As few as bisection finds; of several sets of that many those that span best.
    """
    complement = scale * orthogonal_complement(unit_rows(known))

    def candidates(seed: int) -> np.ndarray:
        return np.vstack([known, single(general_position(complement, seed))])

    kernels = candidates(0)
    places = conv.m // conv.out_shape[0]
    low, high = max(-(-conv.n // places), 1) - 1, len(kernels)
    if low >= high or not _smallest(conv, kernels):
        raise _unread(conv, kernels, name)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _smallest(conv, kernels[:middle]) else (middle, high)
    if high <= len(known):
        return high, kernels[:0]
    best = max(range(_TURNS), key=lambda seed: _smallest(conv, candidates(seed)[:high]))
    return high, candidates(best)[len(known) : high]


def _smallest(conv: Convolution, kernels: np.ndarray) -> float:
    """Estimate the smallest squared singular value of a convolution, 0 where it is not proved positive."""
    frame = frame_of(ReLULayer(with_kernels(conv, kernels)))
    index = np.arange(frame.m)
    factor = frame.frame_operator(index) if frame.spans(index) else None
    return 0.0 if factor is None else factor.smallest_eigenvalue()


def _deltas(conv: Convolution, name: str) -> np.ndarray:
    """Return kernels of one tap each that read every entry of the input, one kernel or more a channel."""
    taps = int(np.prod(conv.weight.shape[2:]))
    one = Convolution(
        torch.eye(taps, dtype=torch.float64).reshape(taps, 1, *conv.weight.shape[2:]),
        (1, *conv.in_shape[1:]),
        stride=conv.stride,
        padding=conv.padding,
        dilation=conv.dilation,
    )
    reads = abs(one.csr()).toarray().reshape(taps, -1, one.n).any(axis=1)
    chosen, left = [], np.ones(one.n, dtype=bool)
    while reads[:, left].any():
        chosen.append(int(reads[:, left].sum(axis=1).argmax()))
        left &= ~reads[chosen[-1]]
    kernels = np.kron(np.eye(conv.in_shape[0]), np.eye(taps)[chosen])
    if left.any():
        raise _unread(conv, kernels, name)
    return kernels


def _unread(conv: Convolution, kernels: np.ndarray, name: str) -> ModelError:
    unread = conv.n - int((abs(with_kernels(conv, kernels).csr()).sum(axis=0) > 0).sum())
    return ModelError(
        f"layer {name!r}: no channels of this kernel size, stride and padding are proved to tell all inputs "
        f"apart ({unread} of {conv.n} entries are read by no window)"
    )


def _signed(
    weight: np.ndarray, conv: Convolution, domain: DomainRecord
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return kernels, biases that make them active on the whole domain, and how many need partners."""
    around = box_around(domain)
    if around is None or not len(weight):
        return weight, np.zeros(len(weight)), len(weight)
    bias = _least_bias(conv, weight, float(around[0].min()), float(around[1].max()))
    active = np.isfinite(bias)
    order = np.argsort(active, kind="stable")
    return weight[order], np.where(active, bias, 0.0)[order], int((~active).sum())


def _least_bias(conv: Convolution, weight: np.ndarray, lower: float, upper: float) -> np.ndarray:
    """Return biases with which kernels are nowhere negative on a box; infinite where there are none."""
    up, down = weight.clip(min=0), (-weight).clip(min=0)
    unbounded = up.any(axis=1) & ~np.isfinite(lower) | down.any(axis=1) & ~np.isfinite(upper)
    low, high = (bound if np.isfinite(bound) else 0.0 for bound in (lower, upper))
    ones = torch.ones(1, conv.n, dtype=torch.float64)
    above_0, below_0 = (
        with_kernels(conv, part).apply(ones).reshape(len(weight), -1).numpy() for part in (up, down)
    )
    slack = 4 * weight.shape[1] * np.finfo(np.float64).eps
    least = above_0 * low - below_0 * high - slack * (above_0 * abs(low) + below_0 * abs(high))
    return np.where(unbounded, np.inf, above((-least).max(axis=1)))
