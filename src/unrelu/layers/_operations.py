"""The affine operators of networks as linear maps, shared by the torch and ONNX importers.

Every function takes and returns a `Value`: a tensor at batch size 1, its batch axis of length 1 included.
"""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

import torch

from unrelu.errors import ModelError
from unrelu.layers._graph import sample_shape
from unrelu.layers.maps import Convolution, Dense, Reindex, Transpose, powers_of_two, products_are_exact

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from unrelu.layers._graph import GraphBuilder, Value

    Movement = Callable[[torch.Tensor], torch.Tensor]

Node = tuple[str, str]
Pads = tuple[tuple[int, int], ...]


def linear(
    build: GraphBuilder,
    x: Value,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    node: Node,
    owner: str | None = None,
    *,
    exact: bool = True,
) -> Value:
    """Multiply the last axis by ``weight`` of shape ``(out, in)``, and add ``bias`` of shape ``(out,)``.

    The weight may be known by rounding only.
    """
    weight = weight.double()
    if x.shape[-1] != weight.shape[1]:
        raise ModelError(
            f"node {node[0]!r} ({node[1]}): {tuple(weight.shape)} weight on an input of {x.shape}"
        )
    count, size = math.prod(x.shape[:-1]), weight.shape[0]
    shape = (*x.shape[:-1], size)
    if count == 1:
        out = build.affine(x, Dense(weight, exact=exact), shape, node, owner=owner)
    else:
        # One matrix for every position of the other axes: a convolution with kernel 1 along them.
        columns = build.move(x, lambda t: t.reshape(count, -1).T, node)
        kernel = Convolution(weight[:, :, None], (weight.shape[1], count), exact=exact)
        out = build.affine(columns, kernel, (size, count), node, owner=owner)
        out = build.move(out, lambda t: t.T.reshape(shape), node)
    return out if bias is None else build.shift(out, bias, node)


def stacked_product(
    build: GraphBuilder, x: Value, weight: torch.Tensor, node: Node, owner: str | None = None
) -> Value:
    """Return ``x @ weight`` with a matrix for every entry of the axes in front: as many groups of kernel 1.

    Args:
        build: The graph under construction.
        x: Shape ``(..., count, inner)``; the axes in front broadcast to those of ``weight``.
        weight: Shape ``(..., inner, outer)``.
        node: Name and operator of the node.
        owner: Module that owns the weight.
    """
    batch, (inner, outer), count = weight.shape[:-2], weight.shape[-2:], x.shape[-2]
    groups = math.prod(batch)
    x = build.broadcast(x, (*batch, count, inner), node)
    columns = build.move(
        x, lambda t: t.reshape(groups, count, inner).transpose(1, 2).reshape(groups * inner, count), node
    )
    kernel = weight.double().reshape(groups, inner, outer).transpose(1, 2).reshape(groups * outer, inner, 1)
    product = Convolution(kernel, (groups * inner, count), groups=groups)
    out = build.affine(columns, product, product.out_shape, node, owner=owner)
    return build.move(
        out, lambda t: t.reshape(groups, outer, count).transpose(1, 2).reshape(*batch, count, outer), node
    )


def along_axis(build: GraphBuilder, x: Value, axis: int, matrix: torch.Tensor, node: Node) -> Value:
    """Multiply every line along an axis by ``matrix``, shape ``(out, in)``, the shares of its entries."""
    last = build.move(x, lambda t: t.movedim(axis, -1), node)
    product = linear(build, last, matrix, None, node, exact=powers_of_two(matrix[matrix != 0]))
    return build.move(product, lambda t: t.movedim(-1, axis), node)


def convolution(
    build: GraphBuilder,
    x: Value,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    node: Node,
    *,
    stride: Sequence[int],
    padding: Pads,
    dilation: Sequence[int],
    groups: int,
    owner: str | None = None,
) -> Value:
    """Convolve an input of shape ``(1, channels, *spatial)``."""
    kernel = Convolution(
        weight.double(),
        _image_shape(x, weight.dim() - 2, node),
        stride=tuple(stride),
        padding=padding,
        dilation=tuple(dilation),
        groups=groups,
    )
    out = build.affine(x, kernel, (1, *kernel.out_shape), node, owner=owner)
    return _add_channel_bias(build, out, bias, node)


def transposed_convolution(
    build: GraphBuilder,
    x: Value,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    node: Node,
    *,
    stride: Sequence[int],
    padding: Pads,
    output_padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
    owner: str | None = None,
) -> Value:
    """Apply the transpose of a convolution with ``(in_channels, out_channels / groups, *kernel)`` weight."""
    image = _image_shape(x, weight.dim() - 2, node)
    size = tuple(
        (length - 1) * step - sum(pad) + spread * (taps - 1) + extra + 1
        for length, step, pad, spread, taps, extra in zip(
            image[1:], stride, padding, dilation, weight.shape[2:], output_padding, strict=True
        )
    )
    forward = Convolution(
        weight.double(),
        (weight.shape[1] * groups, *size),
        stride=tuple(stride),
        padding=padding,
        dilation=tuple(dilation),
        groups=groups,
    )
    if forward.out_shape != image:
        raise ModelError(f"node {node[0]!r} ({node[1]}): output padding {tuple(output_padding)} is too large")
    out = build.affine(x, Transpose(forward), (1, *forward.in_shape), node, owner=owner)
    return _add_channel_bias(build, out, bias, node)


def batch_norm(
    build: GraphBuilder,
    x: Value,
    weight: torch.Tensor | None,
    bias: torch.Tensor | None,
    mean: torch.Tensor,
    variance: torch.Tensor,
    eps: float,
    node: Node,
) -> Value:
    """Normalise channels by stored statistics: ``(x - mean) / sqrt(variance + eps) * weight + bias``.

    Raises:
        ModelError: If a variance, with ``eps`` added, is not positive.
    """
    if not bool((variance.double() + eps > 0).all()):
        raise ModelError(f"node {node[0]!r} ({node[1]}): expected a positive variance")
    scale = 1 / torch.sqrt(variance.double() + eps)
    exact = _are_roots(scale, variance.double(), eps)
    if weight is not None:
        exact = exact and products_are_exact(scale, weight.double())
        scale = scale * weight.double()
    axes = (-1, *(1,) * (len(x.shape) - 2))
    scaled = build.scale(x, scale.reshape(axes), node, exact=exact)
    if bool(mean.any()):
        exact = exact and products_are_exact(scale, mean.double())
        scaled = build.shift(scaled, (-mean.double() * scale).reshape(axes), node, exact=exact)
    return scaled if bias is None else build.shift(scaled, bias.reshape(axes), node)


def _are_roots(scale: torch.Tensor, variance: torch.Tensor, eps: float) -> bool:
    """Whether ``scale`` is ``1 / sqrt(variance + eps)`` without any rounding."""
    pairs = zip(scale.tolist(), variance.tolist(), strict=True)
    return all(Fraction(s) ** 2 * (Fraction(v) + Fraction(eps)) == 1 for s, v in pairs)


def average_pool(
    build: GraphBuilder,
    x: Value,
    pool: Callable[[torch.Tensor], torch.Tensor],
    node: Node,
    *,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: Pads,
) -> Value:
    """Average windows of an input of shape ``(1, channels, *spatial)``.

    Args:
        build: The graph under construction.
        x: The input.
        pool: The pooling itself; its answer on an image of ones tells the divisor of every window.
        node: Name and operator of the node.
        kernel: Window size.
        stride: Window step.
        padding: Zeros before and after each spatial axis.
    """
    channels, *spatial = _image_shape(x, len(kernel), node)
    shares = pool(torch.ones(1, channels, *spatial, dtype=torch.float64))
    size = shares.shape[2:]
    # With rounding up, the last windows reach behind the padding.
    padding = tuple(
        (before, max(after, (count - 1) * step + taps - length - before))
        for (before, after), count, step, taps, length in zip(
            padding, size, stride, kernel, spatial, strict=True
        )
    )
    ones = torch.ones(channels, 1, *kernel, dtype=torch.float64)
    window = Convolution(ones, (channels, *spatial), stride=tuple(stride), padding=padding, groups=channels)
    counts = window.apply(torch.ones(1, window.n, dtype=torch.float64)).reshape(window.out_shape)
    sums = build.affine(x, window, (1, *window.out_shape), node)
    sums = build.move(sums, lambda t: t[(slice(None), slice(None), *(slice(k) for k in size))], node)
    counts = counts[(slice(None), *(slice(k) for k in size))]
    share = shares / counts
    # One by a whole number: exact where that is a power of two.
    return build.scale(sums, share, node, exact=powers_of_two(share))


def total(build: GraphBuilder, x: Value, axes: Sequence[int], keepdim: bool, node: Node) -> Value:
    """Sum over axes."""
    axes = [axis % len(x.shape) for axis in axes] or list(range(len(x.shape)))
    kept = tuple(1 if axis in axes else length for axis, length in enumerate(x.shape))
    spread, _ = Reindex.moving(lambda t: t.expand(x.shape), kept)
    spread = Reindex(spread.index, sample_shape(kept), sample_shape(x.shape))
    shape = kept if keepdim else tuple(k for axis, k in enumerate(x.shape) if axis not in axes)
    return build.affine(x, Transpose(spread), shape, node)


def mean(build: GraphBuilder, x: Value, axes: Sequence[int], keepdim: bool, node: Node) -> Value:
    """Average over axes."""
    summed = total(build, x, axes, keepdim, node)
    share = torch.tensor(math.prod(summed.shape) / math.prod(x.shape), dtype=torch.float64)
    return build.scale(summed, share, node, exact=powers_of_two(share))


def concatenate(build: GraphBuilder, parts: Sequence[Value | torch.Tensor], axis: int, node: Node) -> Value:
    """Join tensors along an axis; constants may be among them."""
    axis = axis % len(parts[0].shape)
    size = sum(part.shape[axis] for part in parts)
    shape = tuple(size if k == axis else length for k, length in enumerate(parts[0].shape))
    placed, start = [], 0
    for part in parts:
        stop = start + part.shape[axis]
        placed.append((part, _placing(shape, axis, start, stop)))
        start = stop
    return join(build, placed, node)


def join(build: GraphBuilder, parts: Sequence[tuple[Value | torch.Tensor, Movement]], node: Node) -> Value:
    """Put parts, at least one of them not constant, into their places in one tensor.

    Args:
        build: The graph under construction.
        parts: Tensors, each with the movement into an otherwise zero tensor of the common shape.
        node: Name and operator of the node.
    """
    placed = [build.move(x, place, node) for x, place in parts if not isinstance(x, torch.Tensor)]
    constants = [place(x.double()) for x, place in parts if isinstance(x, torch.Tensor)]
    # Constants first: a join of several activations is an activation of its own.
    for constant in constants:
        if bool(constant.any()):
            placed[0] = build.shift(placed[0], constant, node)
    if len(placed) == 1:
        return placed[0]
    joined = build.add(placed, node, "joins")
    # A layer that rows were appended to keeps the name of its first part.
    owner = next((part.owner for part in placed if part.owner), None)
    return replace(joined, owner=owner) if joined.owner else joined


def _placing(shape: tuple[int, ...], axis: int, start: int, stop: int) -> Movement:
    def place(part: torch.Tensor) -> torch.Tensor:
        whole = torch.zeros(shape, dtype=part.dtype)
        whole.narrow(axis, start, stop - start).copy_(part)
        return whole

    return place


def _image_shape(x: Value, dims: int, node: Node) -> tuple[int, ...]:
    if len(x.shape) != dims + 2 or x.shape[0] != 1:
        raise ModelError(
            f"node {node[0]!r} ({node[1]}): expected an input of shape (1, channels, {dims} spatial axes), "
            f"got {x.shape}"
        )
    return x.shape[1:]


def _add_channel_bias(build: GraphBuilder, x: Value, bias: torch.Tensor | None, node: Node) -> Value:
    if bias is None:
        return x
    return build.shift(x, bias.reshape(-1, *(1,) * (len(x.shape) - 2)), node)
