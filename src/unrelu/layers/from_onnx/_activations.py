"""ONNX nodes that act entry by entry, normalise or compare along an axis: ReLUs, and what is not analysed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from unrelu.certificates import EntryFunction
from unrelu.layers._converters import Converters
from unrelu.layers._normalisation import Normalisation
from unrelu.layers.from_onnx._node import Converter, Operand, Operation

if TYPE_CHECKING:
    from collections.abc import Callable

CONVERTERS = Converters[Converter]()

_LARGEST = 3.4028234663852886e38  # float32's largest number: how early opsets write "no bound"

_WITHOUT_OPTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "Abs": torch.abs,
    "Asinh": torch.asinh,
    "Atan": torch.atan,
    "Ceil": torch.ceil,
    "Cos": torch.cos,
    "Erf": torch.erf,
    "Exp": torch.exp,
    "Floor": torch.floor,
    "HardSwish": functional.hardswish,
    "Log": torch.log,
    "Mish": functional.mish,
    "Reciprocal": torch.reciprocal,
    "Round": torch.round,
    "Sigmoid": torch.sigmoid,
    "Sign": torch.sign,
    "Sin": torch.sin,
    # Without torch's switch to the identity above a threshold.
    "Softplus": lambda t: torch.logaddexp(t, torch.zeros_like(t)),
    "Softsign": functional.softsign,
    "Sqrt": torch.sqrt,
    "Tanh": torch.tanh,
}


# What the verifier calls those of which it knows more.
_KNOWN = {
    "Asinh": "arcsinh",
    "Atan": "arctan",
    "Sigmoid": "sigmoid",
    "Softplus": "softplus",
    "Softsign": "softsign",
    "Tanh": "tanh",
}


def _opaque(
    op: Operation, function: Callable[[torch.Tensor], torch.Tensor], known: EntryFunction | None = None
) -> Operand:
    return op.opaque([op.operand(0)], function, f"{op.operator} is neither affine nor a ReLU", known)


@CONVERTERS.register(*_WITHOUT_OPTIONS)
def function_of_entries(op: Operation) -> Operand:
    """Apply a function without options."""
    known = EntryFunction(_KNOWN[op.operator]) if op.operator in _KNOWN else None
    return _opaque(op, _WITHOUT_OPTIONS[op.operator], known)


@CONVERTERS.register("Relu")
def relu(op: Operation) -> Operand:
    """Apply a ReLU."""
    return op.relu(op.operand(0))


@CONVERTERS.register("Clip")
def clip(op: Operation) -> Operand:
    """Clip to an interval; from 0 to infinity, that is a ReLU."""
    low = _bound(op, 1, "min", -math.inf)
    high = _bound(op, 2, "max", math.inf)
    low = -math.inf if low <= -_LARGEST else low
    high = math.inf if high >= _LARGEST else high
    if (low, high) == (0, math.inf):
        return op.relu(op.operand(0))
    if (low, high) == (-math.inf, math.inf):
        return op.move(op.operand(0), lambda t: t)
    reason = f"clips to [{low:g}, {high:g}]: neither affine nor a ReLU"
    # The upper bound wins where it is below the lower one.
    return op.opaque([op.operand(0)], lambda t: t.clamp(min=low).clamp(max=high), reason)


def _bound(op: Operation, position: int, name: str, default: float) -> float:
    bound = op.attribute(name)
    if op.has(position):
        tensor = op.constant(position, name)
        if tensor.numel() != 1:
            raise op.refuse(f"{name}: expected one number, got shape {tuple(tensor.shape)}")
        bound = tensor.item()
    return default if bound is None else float(bound)


@CONVERTERS.register("LeakyRelu")
def leaky_relu(op: Operation) -> Operand:
    """Scale negative entries; by 0, that is a ReLU."""
    slope = op.attribute("alpha", 0.01)
    if slope == 0:
        return op.relu(op.operand(0))
    known = EntryFunction("leaky_relu", slope)
    return _opaque(op, lambda t: torch.where(t < 0, slope * t, t), known)


@CONVERTERS.register("PRelu")
def prelu(op: Operation) -> Operand:
    """Scale negative entries by learned slopes."""
    return op.opaque(
        [op.operand(0), op.operand(1)],
        lambda t, slope: torch.where(t < 0, slope * t, t),
        "PRelu is neither affine nor a ReLU",
    )


@CONVERTERS.register("Elu", "Celu", "Selu")
def exponential_unit(op: Operation) -> Operand:
    """Replace negative entries by an exponential."""
    alpha = op.attribute("alpha", 1.6732632423543772 if op.operator == "Selu" else 1.0)
    gamma = op.attribute("gamma", 1.0507009873554805 if op.operator == "Selu" else 1.0)
    width = alpha if op.operator == "Celu" else 1.0
    plain = op.operator != "Selu" and gamma == 1
    known = EntryFunction(op.operator.lower(), alpha) if plain else None
    return _opaque(
        op, lambda t: gamma * torch.where(t > 0, t, alpha * torch.expm1(t.clamp(max=0) / width)), known
    )


@CONVERTERS.register("HardSigmoid")
def hard_sigmoid(op: Operation) -> Operand:
    """Clip ``alpha x + beta`` to [0, 1]."""
    alpha, beta = op.attribute("alpha", 0.2), op.attribute("beta", 0.5)
    return _opaque(op, lambda t: (alpha * t + beta).clamp(0, 1))


@CONVERTERS.register("ThresholdedRelu")
def thresholded_relu(op: Operation) -> Operand:
    """Set entries up to a threshold to zero; with threshold 0, that is a ReLU."""
    threshold = op.attribute("alpha", 1.0)
    if threshold == 0:
        return op.relu(op.operand(0))
    return _opaque(op, lambda t: t * (t > threshold))


@CONVERTERS.register("Gelu")
def gelu(op: Operation) -> Operand:
    """Multiply by the normal distribution function, or by its approximation."""
    approximate = op.attribute("approximate", "none")
    return _opaque(op, lambda t: functional.gelu(t, approximate=approximate))


@CONVERTERS.register("Softmax", "LogSoftmax")
def softmax(op: Operation) -> Operand:
    """Normalise exponentials along an axis; before opset 13, along all axes from one on."""
    x = op.operand(0)
    function = torch.softmax if op.operator == "Softmax" else torch.log_softmax
    if op.opset >= 13:
        axis = op.axis(op.attribute("axis", -1), len(x.shape))
        return _opaque(op, lambda t: function(t, dim=axis))
    first = op.axis(op.attribute("axis", 1), len(x.shape))
    return _opaque(op, lambda t: function(t.flatten(first), dim=-1).reshape(t.shape))


@CONVERTERS.register("LayerNormalization")
def layer_normalization(op: Operation) -> Operand:
    """Normalise all axes from one on by their own mean and variance."""
    x = op.operand(0)
    first = op.axis(op.attribute("axis", -1), len(x.shape))
    eps = op.attribute("epsilon", 1e-5)
    op.attribute("stash_type")  # precision of the statistics
    bias = op.weight(2, "bias") if op.has(2) else None
    known = Normalisation.of(x.shape, op.weight(1, "scale"), bias, math.prod(x.shape[first:]), eps)
    return normalised(op, x, known)


@CONVERTERS.register("RMSNormalization")
def rms_normalization(op: Operation) -> Operand:
    """Divide all axes from one on by the root of their mean square."""
    x = op.operand(0)
    first = op.axis(op.attribute("axis", -1), len(x.shape))
    eps = op.attribute("epsilon", 1e-5)
    op.attribute("stash_type")  # precision of the mean square
    count = math.prod(x.shape[first:])
    known = Normalisation.of(x.shape, op.weight(1, "scale"), None, count, eps, centred=False)
    return normalised(op, x, known)


@CONVERTERS.register("InstanceNormalization")
def instance_normalization(op: Operation) -> Operand:
    """Normalise every channel of an image by its own mean and variance."""
    x = op.operand(0)
    eps = op.attribute("epsilon", 1e-5)
    shape = (-1, *(1,) * (len(x.shape) - 2))
    scale, bias = op.weight(1, "scale").reshape(shape), op.weight(2, "bias").reshape(shape)
    return normalised(op, x, Normalisation.of(x.shape, scale, bias, math.prod(x.shape[2:]), eps))


def normalised(op: Operation, x: Operand, known: Normalisation) -> Operand:
    """Divide by statistics of the tensor itself."""
    reason = "normalises by statistics that depend on the input"
    return op.opaque([x], known.apply, reason, known)


@CONVERTERS.register("LRN")
def local_response_normalization(op: Operation) -> Operand:
    """Divide by a power of the sum of squares over neighbouring channels."""
    size = op.attribute("size")
    alpha, beta, bias = op.attribute("alpha", 1e-4), op.attribute("beta", 0.75), op.attribute("bias", 1.0)
    channels = op.operand(0).shape[1]
    before, after = min((size - 1) // 2, channels), min(size // 2, channels)

    def normalize(t: torch.Tensor) -> torch.Tensor:
        padding = (0, 0) * (t.dim() - 2) + (before, after)
        squares = functional.pad(t.square(), padding)
        total = sum(squares[:, k : k + channels] for k in range(before + after + 1))
        return t / (bias + alpha / size * total) ** beta

    return _opaque(op, normalize)
