"""Jacobians of a function of single samples, for a batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from unrelu.layers import derivative

_CHUNK_BYTES = 256 << 20


def jacobians(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """Return the Jacobians of a function that treats the samples of a batch one by one.

    Args:
        function: From ``(N, *in_shape)`` to ``(N, *out_shape)``; must allow `torch.vmap`.
        x: Samples, shape ``(N, *in_shape)``.

    Returns:
        Shape ``(N, m, n)``, both shapes flattened; differentiable in ``x`` and in what the function holds.
    """
    n = math.prod(x.shape[1:])
    with _ComposedNorms():
        push, _ = derivative(function, x)
        with torch.no_grad():
            m = math.prod(function(x).shape[1:])
        units = torch.eye(n, dtype=x.dtype, device=x.device).reshape(n, 1, *x.shape[1:]).expand(n, *x.shape)
        chunk = max(1, _CHUNK_BYTES // (16 * max(1, len(x)) * (n + m)))
        columns: torch.Tensor = torch.func.vmap(push, chunk_size=chunk)(units)
    return columns.reshape(n, len(x), m).permute(1, 2, 0)


class _ComposedNorms(TorchFunctionMode):
    """Computes layer and instance normalisation from elementary operations.

    Of torch's own only two derivatives are right: the third takes the statistics for constants.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        return _COMPOSED.get(func, func)(*args, **(kwargs or {}))


def _layer_norm(
    input: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    eps: float = 1e-5,
) -> torch.Tensor:
    axes = tuple(range(-len(normalized_shape), 0))
    return _standardized(input, axes, eps, weight, bias)


def _instance_norm(
    input: torch.Tensor,
    running_mean: torch.Tensor | None = None,
    running_var: torch.Tensor | None = None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> torch.Tensor:
    if not use_input_stats:
        stored = running_mean, running_var, weight, bias, use_input_stats, momentum, eps
        return functional.instance_norm(input, *stored)
    shape = (-1, *(1,) * (input.dim() - 2))
    gain, offset = (None if part is None else part.reshape(shape) for part in (weight, bias))
    return _standardized(input, tuple(range(2, input.dim())), eps, gain, offset)


def _standardized(
    x: torch.Tensor,
    axes: tuple[int, ...],
    eps: float,
    gain: torch.Tensor | None,
    offset: torch.Tensor | None,
) -> torch.Tensor:
    centred = x - x.mean(dim=axes, keepdim=True)
    out = centred / torch.sqrt(centred.square().mean(dim=axes, keepdim=True) + eps)
    out = out if gain is None else out * gain
    return out if offset is None else out + offset


_COMPOSED: dict[Any, Callable[..., torch.Tensor]] = {
    functional.layer_norm: _layer_norm,
    functional.instance_norm: _instance_norm,
}
