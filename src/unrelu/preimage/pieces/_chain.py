"""A network as a chain of affine maps over the rationals, with a ReLU behind each but perhaps the last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import flint
import numpy as np

from unrelu.errors import ArgumentError
from unrelu.layers import Network, ReLULayer
from unrelu.preimage.pieces._rationals import Row, dot, exact

if TYPE_CHECKING:
    import torch

    from unrelu.layers import LinearMap

_ENTRIES = 20_000  # of all pre-activations as functions of the input: seconds for one composition


@dataclass(frozen=True)
class Affine:
    """``W a + b``.

    Attributes:
        weight: ``W``, shape ``(m, n)``.
        bias: ``b``, one number a row.
        floats: ``W`` in float64, the same numbers.
        offset: ``b`` in float64.
    """

    weight: flint.fmpq_mat
    bias: Row
    floats: np.ndarray
    offset: np.ndarray

    def after(self, inner: flint.fmpq_mat) -> flint.fmpq_mat:
        """Return the composition with activations given as rows ``(a, b)``, shape ``(m, k + 1)``."""
        outer = self.weight * inner
        last = inner.ncols() - 1
        for i, b in enumerate(self.bias):
            outer[i, last] += b
        return outer


@dataclass(frozen=True)
class Chain:
    """The network ``x -> W_L relu(... relu(W_1 x + b_1)) + b_L``.

    Attributes:
        n: Number of inputs.
        maps: The affine maps.
        names: Of the layers; an affine map at the end has none.
        final_relu: Whether a ReLU follows the last map too.
        is_exact: Whether the stored numbers are the network's own, and not rounded products of them.
    """

    n: int
    maps: tuple[Affine, ...]
    names: tuple[str, ...]
    final_relu: bool
    is_exact: bool

    def preactivations(self, x: Row) -> list[Row]:
        """Return the values of all affine maps at an input."""
        values: list[Row] = []
        for affine in self.maps:
            values.append(
                [
                    dot([*w, b], [*x, flint.fmpq(1)])
                    for w, b in zip(affine.weight.tolist(), affine.bias, strict=True)
                ]
            )
            x = [max(v, flint.fmpq(0)) for v in values[-1]]
        return values

    def output(self, x: Row) -> Row:
        """Return the network's output, exactly."""
        last = self.preactivations(x)[-1]
        return [max(v, flint.fmpq(0)) for v in last] if self.final_relu else last

    def sizes(self, x: Row) -> Row:
        """Return the sums of absolute values that the last affine map adds up, where rounding is judged."""
        sizes = [abs(v) for v in x]
        for affine in self.maps:
            sizes = [
                dot([*map(abs, w), abs(b)], [*sizes, flint.fmpq(1)])
                for w, b in zip(affine.weight.tolist(), affine.bias, strict=True)
            ]
        return sizes


def as_network(net: Network | ReLULayer) -> Network:
    """Return a network, that of one layer where a layer is given.

    Raises:
        ArgumentError: If it is neither.
    """
    if isinstance(net, ReLULayer):
        return Network.of_layer(net)
    if not isinstance(net, Network):
        raise ArgumentError(f"net: expected a Network or a ReLULayer, got {type(net).__name__}")
    return net


def chain_of(net: Network) -> Chain:
    """Read a network.

    Raises:
        ArgumentError: If it is no chain of ReLU layers, naming the node, or is too large.
    """
    chain = net.chain()
    linears = [(layer.linear, layer.bias) for layer in chain.layers]
    last = chain.last
    if last is not None and chain.offset is not None:
        linears.append((last, chain.offset))
    entries = sum(linear.m for linear, _ in linears) * (chain.n + 1)
    if entries > _ENTRIES:
        raise ArgumentError(f"net: expected at most {_ENTRIES} (neurons x inputs), got {entries}")
    return Chain(
        chain.n,
        tuple(_affine(linear, bias) for linear, bias in linears),
        tuple(net),
        last is None,
        not chain.rounded and all(layer.exact for layer in chain.layers) and (last is None or last.exact),
    )


def _affine(linear: LinearMap, bias: torch.Tensor) -> Affine:
    dense = linear.rows(np.arange(linear.m)).numpy()
    weight = flint.fmpq_mat(linear.m, linear.n, [exact(v) for v in dense.ravel().tolist()])
    offset = bias.numpy()
    return Affine(weight, [exact(v) for v in offset.tolist()], dense, offset)
