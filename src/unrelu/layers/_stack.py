"""Networks with skip connections as chains: each layer also passes on what later ones read.

An activation is 0 or positive, so that a ReLU passes it on as it is; the network's input is passed on as its
positive and its negative part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.errors import ArgumentError
from unrelu.layers._chain import Chain
from unrelu.layers._relu_layer import ReLULayer
from unrelu.layers.maps import Dense

if TYPE_CHECKING:
    from unrelu.layers._graph import Step, Value
    from unrelu.layers._network import Network

_ENTRIES = 1 << 22  # of the matrix of a layer with what it passes on


@dataclass(frozen=True)
class _Affine:
    """A tensor as a function of what the last layer passed on.

    Attributes:
        weight: Shape ``(m, k)``.
        offset: Shape ``(m,)``.
        exact: Whether nothing was rounded.
    """

    weight: np.ndarray
    offset: np.ndarray
    exact: bool = True

    def moves(self, axis: int) -> bool:
        """Whether it has no offset and no entries but 1 and -1, one at most in each column (0) or row (1)."""
        single = (np.count_nonzero(self.weight, axis=axis) <= 1).all()
        return bool(single and np.isin(self.weight, (-1, 0, 1)).all() and not self.offset.any())

    def after(self, inner: _Affine) -> _Affine:
        """Return the composition."""
        weight, offset = self.weight @ inner.weight, self.weight @ inner.offset + self.offset
        return _Affine(weight, offset, self.exact and inner.exact and (inner.moves(0) or self.moves(1)))

    def plus(self, other: _Affine) -> _Affine:
        """Return the sum."""
        apart = not ((self.weight != 0) & (other.weight != 0)).any()
        apart = apart and not ((self.offset != 0) & (other.offset != 0)).any()
        weight, offset = self.weight + other.weight, self.offset + other.offset
        return _Affine(weight, offset, self.exact and other.exact and bool(apart))

    def spread(self, kept: np.ndarray, start: int, size: int, *, signed: bool) -> _Affine:
        """Return the function of what is passed on: some of its variables, in both signs or one."""
        weight = np.zeros((len(self.weight), size))
        weight[:, start : start + len(kept)] = self.weight[:, kept]
        if signed:
            weight[:, start + len(kept) : start + 2 * len(kept)] = -self.weight[:, kept]
        return _Affine(weight, self.offset, self.exact)


def stack(net: Network) -> Chain:
    """Return a network of affine maps, ReLUs and sums as a chain.

    Args:
        net: The network.

    Raises:
        ArgumentError: If a node is neither, naming the first one, or the layers would be very large.
    """
    for step in net.steps:
        if step.function is not None and not step.is_sum:
            raise ArgumentError(
                f"network: expected affine maps and ReLUs, but {step.name!r} is {step.operator}"
            )
    last_use = net.last_uses()
    n = int(np.prod(net.input_shape))
    _check_size(n, n)
    known = {net.input_name: _Affine(np.eye(n), np.zeros(n))}
    layers: list[ReLULayer] = []
    for position, step in enumerate(net.steps):
        value = _evaluated(step.inputs[0], known)
        later = {name: known[name] for name in known if last_use.get(name, -1) > position}
        if step.is_sum:
            known = {**later, step.name: value}
        else:
            layer, known = _passed(net, step, value, later, signed=not layers)
            layers.append(layer)
    return Chain(tuple(layers), *_end(_evaluated(net.output, known)))


def _evaluated(value: Value, known: dict[str, _Affine]) -> _Affine:
    """Return a tensor as a function of what the last layer passed on."""
    k = next(iter(known.values())).weight.shape[1]
    _check_size(len(value.offset), k)
    offset = value.offset.double().cpu().numpy()
    total = _Affine(np.zeros((len(offset), k)), offset, exact=not value.rounded)
    for name, linear in value.terms:
        _check_size(linear.m, linear.n)
        dense = linear.to(device="cpu", dtype=torch.float64).dense().numpy()
        total = total.plus(_Affine(dense, np.zeros(len(dense)), linear.exact).after(known[name]))
    return total


def _passed(
    net: Network, step: Step, value: _Affine, later: dict[str, _Affine], *, signed: bool
) -> tuple[ReLULayer, dict[str, _Affine]]:
    """Return a layer with what it passes on, and all activations behind it."""
    m, k = value.weight.shape
    used = np.zeros(k, dtype=bool)
    for one in later.values():
        used |= one.weight.any(axis=0)
    kept = np.flatnonzero(used)
    size = m + len(kept) * (2 if signed else 1)
    _check_size(size, k)
    own = np.eye(k)[kept]
    weight = np.vstack([value.weight, own, -own] if signed else [value.weight, own])
    dense = Dense(torch.from_numpy(weight), exact=value.exact)
    bias = np.concatenate([value.offset, np.zeros(size - m)])
    layer = ReLULayer(dense, bias, name=net.name_of(step), node=step.name)
    known = {name: one.spread(kept, m, size, signed=signed) for name, one in later.items()}
    return layer, {**known, step.name: _Affine(np.eye(m, size), np.zeros(m))}


def _end(output: _Affine) -> tuple[Dense | None, torch.Tensor | None]:
    """Return the affine map behind the last layer, if it does anything."""
    m, k = output.weight.shape
    if m == k and not output.offset.any() and np.array_equal(output.weight, np.eye(m)):
        return None, None
    return Dense(torch.from_numpy(output.weight), exact=output.exact), torch.from_numpy(output.offset)


def _check_size(m: int, k: int) -> None:
    if m * k > _ENTRIES:
        raise ArgumentError(
            f"network: expected at most {_ENTRIES} entries in a layer with what skips it, got {m * k}"
        )
