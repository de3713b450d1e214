"""Normalisations that divide by statistics of the activation itself (Puthawala et al. 2022, Definition 3)."""

from __future__ import annotations

import math
from typing import Any

import torch

from unrelu.layers._converters import Converters
from unrelu.layers._graph import Value
from unrelu.layers._normalisation import Normalisation
from unrelu.layers.from_torch._call import Call, Converter, convert_unknown, opaque

CONVERTERS = Converters[Converter]()

_REASON = "divides by a statistic of the activation"


@CONVERTERS.register("aten.native_layer_norm.default")
def _layer_norm(call: Call) -> Any:
    shape, weight, bias, eps = call.args[1:5]
    return _normalised(call, weight, bias, math.prod(shape), eps)


@CONVERTERS.register("aten.native_group_norm.default")
def _group_norm(call: Call) -> Any:
    weight, bias, _, channels, pixels, groups, eps = call.args[1:8]
    count = channels * pixels // groups
    return _normalised(call, _by_channel(call, weight), _by_channel(call, bias), count, eps)


@CONVERTERS.register("aten._native_batch_norm_legit.no_stats")
def _instance_norm(call: Call) -> Any:
    """Normalise each channel: what instance normalisation becomes, with one image in the batch."""
    x, weight, bias, _, _, eps = call.args[:6]
    count = math.prod(x.shape[2:])
    return _normalised(call, _by_channel(call, weight), _by_channel(call, bias), count, eps)


@CONVERTERS.register("aten._fused_rms_norm.default")
def _rms_norm(call: Call) -> Any:
    """Divide by the root of the mean square; without ``eps`` that of the module's own dtype is added."""
    x, shape, weight, eps = call.args
    if not isinstance(x, Value) or isinstance(weight, Value) or call.positions != [0]:
        return convert_unknown(call, _REASON)
    dtype = call.fx_node.meta["val"][0].dtype
    eps = torch.finfo(dtype).eps if eps is None else eps
    known = Normalisation.of(x.shape, weight, None, math.prod(shape), eps, centred=False)
    return {0: call.build.opaque([x], known.apply, call.node, _REASON, known)}


def _by_channel(call: Call, parameter: Any) -> Any:
    """Return a parameter with an axis for every pixel axis behind it."""
    if not isinstance(parameter, torch.Tensor):
        return parameter
    return parameter.reshape(-1, *(1,) * (len(call.args[0].shape) - 2))


def _normalised(call: Call, weight: Any, bias: Any, count: int, eps: float) -> Any:
    """Evaluate the operator by torch; say what it does where gain and offset are constants."""
    x = call.args[0]
    constant = not isinstance(weight, Value) and not isinstance(bias, Value)
    if not isinstance(x, Value) or not constant or call.positions != [0]:
        return convert_unknown(call, _REASON)
    return {0: opaque(call, _REASON, 0, Normalisation.of(x.shape, weight, bias, count, eps))}
