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
from unrelu.nn.completion._dense import least_bias, single, typical_norm
from unrelu.nn.completion._plan import Plan

if TYPE_CHECKING:
    from unrelu.certificates import DomainRecord


def plan_convolution(layer: ReLULayer, conv: Convolution, domain: DomainRecord) -> Plan:
    """Plan channels that make a convolution injective on a domain.

    Channels come in an order: opposite pairs and those that are always active, which cost nothing; other
    channels, each far from the span of those before it as kernels, which cost a partner; kernels orthogonal
    to all of these, which cost two channels, or one that is always active on a bounded domain. The fewest
    first ones that are proved to span R^n are taken.

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
    new = single(scale * general_position(orthogonal_complement(unit[known])))
    count = _fewest(conv, np.vstack([kernels[known], new]), layer.name)
    partners = np.sort(others[: max(count - len(free), 0)])
    weight = new[: max(count - len(known), 0)]
    rows, bias, mirrored = _signed(weight, conv, domain)
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


def _fewest(conv: Convolution, kernels: np.ndarray, name: str) -> int:
    """Return how many of the first kernels are proved to span R^n, as few as bisection finds."""
    places = conv.m // conv.out_shape[0]
    low, high = max(-(-conv.n // places), 1) - 1, len(kernels)
    if low >= high or not _spans(conv, kernels):
        unread = conv.n - int((abs(with_kernels(conv, kernels).csr()).sum(axis=0) > 0).sum())
        raise ModelError(
            f"layer {name!r}: no channels of this kernel size, stride and padding are proved to tell all "
            f"inputs apart ({unread} of {conv.n} entries are read by no window)"
        )
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _spans(conv, kernels[:middle]) else (middle, high)
    return high


def _spans(conv: Convolution, kernels: np.ndarray) -> bool:
    frame = frame_of(ReLULayer(with_kernels(conv, kernels)))
    return frame.spans(np.arange(frame.m))


def _signed(
    weight: np.ndarray, conv: Convolution, domain: DomainRecord
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return kernels, biases that make them active on the whole domain, and how many need partners."""
    around = box_around(domain)
    if around is None or not len(weight):
        return weight, np.zeros(len(weight)), len(weight)
    least, most = (float(bound) for bound in (around[0].min(), around[1].max()))
    rows = with_kernels(conv, weight)
    low, high = np.full(conv.n, least), np.full(conv.n, most)
    bias = least_bias(rows.csr().toarray(), low, high).reshape(len(weight), -1).max(axis=1)
    active = np.isfinite(bias)
    order = np.argsort(active, kind="stable")
    return weight[order], np.where(active, bias, 0.0)[order], int((~active).sum())
