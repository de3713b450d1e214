"""ONNX nodes that carry weights: convolution, matrix products, batch normalisation."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from unrelu.layers import _operations as operations
from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers.from_onnx._arithmetic import add, scaled
from unrelu.layers.from_onnx._file import check_size
from unrelu.layers.from_onnx._node import Converter, Operand, Operation
from unrelu.layers.from_onnx._windows import (
    image_of,
    read_auto_pad,
    read_pads,
    read_sizes,
    read_windows,
    split_padding,
)

if TYPE_CHECKING:
    from unrelu.layers._operations import Pads

CONVERTERS = Converters[Converter]()

_TWO_FACTORS = "multiplies two tensors that both depend on the input"


def _kernel(op: Operation) -> torch.Tensor:
    """Return the weight of a convolution, whose size an attribute may repeat."""
    weight = op.weight(1, "weight")
    size = list(weight.shape[2:])
    if not 1 <= len(size) <= 3 or min(size) < 1:
        raise op.refuse(f"expected a weight with 1 to 3 spatial axes, got shape {tuple(weight.shape)}")
    if op.attribute("kernel_shape", size) != size:
        raise op.refuse(f"kernel_shape {op.attribute('kernel_shape')} and a weight of {tuple(weight.shape)}")
    return weight


def _bias(op: Operation, channels: int) -> torch.Tensor | None:
    if not op.has(2):
        return None
    bias = op.weight(2, "bias")
    if bias.shape != (channels,):
        raise op.refuse(f"bias: expected shape ({channels},), got {tuple(bias.shape)}")
    return bias


@CONVERTERS.register("Conv")
def convolution(op: Operation) -> Operand:
    """Convolve with a constant kernel."""
    x, weight = op.value(0), _kernel(op)
    spatial = image_of(op, x.shape, weight.dim() - 2)
    windows = read_windows(op, weight.shape[2:], spatial)
    check_size((x.shape[1], *windows.padded(spatial)), f"node {op.name!r}")
    check_size((weight.shape[0], *windows.count(spatial)), f"node {op.name!r}")
    return operations.convolution(
        op.build,
        x,
        weight,
        _bias(op, weight.shape[0]),
        op.node,
        stride=windows.stride,
        padding=windows.padding,
        dilation=windows.dilation,
        groups=op.attribute("group", 1),
        owner=op.owners[1],
    )


@CONVERTERS.register("ConvTranspose")
def transposed_convolution(op: Operation) -> Operand:
    """Apply the transpose of a convolution with a constant kernel."""
    x, weight, groups = op.value(0), _kernel(op), op.attribute("group", 1)
    spatial = image_of(op, x.shape, weight.dim() - 2)
    stride, dilation = read_sizes(op, weight.shape[2:])
    extra = tuple(op.attribute("output_padding") or [0] * len(spatial))
    full = [
        (length - 1) * step + (taps - 1) * spread + 1 + more
        for length, step, taps, spread, more in zip(
            spatial, stride, weight.shape[2:], dilation, extra, strict=True
        )
    ]
    check_size((weight.shape[1] * groups, *full), f"node {op.name!r}")
    return operations.transposed_convolution(
        op.build,
        x,
        weight,
        _bias(op, weight.shape[1] * groups),
        op.node,
        stride=stride,
        padding=_transposed_padding(op, full, [a * b for a, b in zip(spatial, stride, strict=True)]),
        output_padding=extra,
        dilation=dilation,
        groups=groups,
        owner=op.owners[1],
    )


def _transposed_padding(op: Operation, full: list[int], same: list[int]) -> Pads:
    """Return what is cut off: as given, or what leaves a given size, or ``same``."""
    pads, rule = read_pads(op, len(full)), read_auto_pad(op)
    size = op.attribute("output_shape")
    if size is None and rule in {"NOTSET", "VALID"}:
        return pads if rule == "NOTSET" else ((0, 0),) * len(full)
    # Some writers give the shape with its batch and channel axes.
    totals = [a - b for a, b in zip(full, (size or same)[-len(full) :], strict=True)]
    if min(totals) < 0:
        raise op.refuse(f"the output shape {size or same} is larger than {full}, what the kernel reaches")
    return tuple(split_padding(total, rule) for total in totals)


@CONVERTERS.register("Gemm")
def gemm(op: Operation) -> Operand:
    """Return ``alpha A B + beta C``, with ``A`` and ``B`` transposed on demand."""
    a, b = op.operand(0), op.operand(1)
    alpha, beta = op.attribute("alpha", 1.0), op.attribute("beta", 1.0)
    if op.attribute("transA", 0):
        a = op.move(a, lambda t: t.T)
    if op.attribute("transB", 0):
        b = op.move(b, lambda t: t.T)
    c = op.operand(2) if op.has(2) and beta != 0 else None
    if isinstance(a, Value) and isinstance(b, Value):
        # One activation, the summand included.
        return op.opaque(
            [a, b] if c is None else [a, b, c],
            lambda a, b, *c: alpha * (a @ b) + (beta * c[0] if c else 0),
            _TWO_FACTORS,
        )
    if isinstance(a, Value):
        b = scaled(op, b, alpha)
    else:
        a = scaled(op, a, alpha)
    product = matrix_product(op, a, b)
    return product if c is None else add(op, [product, scaled(op, c, beta)])


@CONVERTERS.register("MatMul")
def matmul(op: Operation) -> Operand:
    """Multiply two tensors as stacks of matrices."""
    return matrix_product(op, op.operand(0), op.operand(1))


def matrix_product(op: Operation, a: Operand, b: Operand) -> Operand:
    """Return ``a @ b`` with the broadcasting of numpy; at least one of them must be constant to be affine."""
    if isinstance(a, Value):
        if isinstance(b, Value):
            return op.opaque([a, b], torch.matmul, _TWO_FACTORS)
        return _times(op, a, op.floating(b, "factor"), op.owners[1])
    if isinstance(b, Value):
        return _weight_first(op, op.floating(a, "factor"), b)
    return torch.matmul(a, b)


def _weight_first(op: Operation, weight: torch.Tensor, x: Value) -> Operand:
    """Return ``weight @ x``, as the transpose of ``xᵀ weightᵀ``."""
    if len(x.shape) == 1:
        return _times(op, x, weight if weight.dim() == 1 else weight.transpose(-1, -2), op.owners[0])
    turned = op.build.move(x, lambda t: t.transpose(-1, -2), op.node)
    if weight.dim() == 1:
        return _times(op, turned, weight, op.owners[0])
    product = _times(op, turned, weight.transpose(-1, -2), op.owners[0])
    return op.move(product, lambda t: t.transpose(-1, -2))


def _times(op: Operation, x: Value, weight: torch.Tensor, owner: str | None) -> Operand:
    """Return ``x @ weight`` for a constant of any number of axes."""
    if weight.dim() == 1:
        out = operations.linear(op.build, x, weight[None], None, op.node, owner)
        return op.move(out, lambda t: t.squeeze(-1))
    inner = x.shape[-1]
    if inner != weight.shape[-2]:
        raise op.refuse(f"a factor of shape {tuple(weight.shape)} behind one of shape {x.shape}")
    check_size((*x.shape[:-1], *weight.shape[:-2], weight.shape[-1]), f"node {op.name!r}")
    if len(x.shape) == 1:
        row = op.build.move(x, lambda t: t[None], op.node)
        return op.move(_times(op, row, weight, owner), lambda t: t.squeeze(-2))
    batch = torch.broadcast_shapes(x.shape[:-2], weight.shape[:-2])
    if math.prod(weight.shape[:-2]) == 1:
        x = op.build.broadcast(x, (*batch, *x.shape[-2:]), op.node)
        return operations.linear(op.build, x, weight.reshape(weight.shape[-2:]).T, None, op.node, owner)
    return operations.stacked_product(op.build, x, weight.expand(*batch, *weight.shape[-2:]), op.node, owner)


@CONVERTERS.register("BatchNormalization")
def batch_normalization(op: Operation) -> Operand:
    """Normalise by stored statistics."""
    op.attribute("momentum")  # of training alone
    if op.attribute("training_mode", 0) or op.outputs > 1:
        raise op.refuse(
            "normalises by the statistics of the batch (training mode); export in evaluation mode"
        )
    if op.attribute("spatial", 1) != 1:
        raise op.refuse("the option 'spatial' is not supported")
    x = op.value(0)
    scale, bias, mean, variance = (
        op.weight(position, what)
        for position, what in enumerate(("scale", "bias", "mean", "variance"), start=1)
    )
    eps = op.attribute("epsilon", 1e-5)
    if len({t.shape for t in (scale, bias, mean, variance)}) > 1 or scale.shape != (x.shape[1],):
        raise op.refuse(f"expected statistics of {x.shape[1]} channels")
    return operations.batch_norm(op.build, x, scale, bias, mean, variance, eps, op.node)
