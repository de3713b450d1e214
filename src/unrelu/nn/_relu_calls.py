"""The ReLU calls of a running model, in order: functional, in place and reused, without hooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, final

import torch
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from torch import nn

    from unrelu.layers import Network

# Functions that are ReLUs, or may be by their arguments; numbers tell which calls belong to a layer.
_NAMES = {
    name + ending
    for name in ("relu", "clamp", "clip", "clamp_min", "maximum", "threshold", "_threshold")
    for ending in ("", "_")
}
_AGREEMENT = 1e-3  # relative, as between a traced network and its module


@final
class ReLUCalls(TorchFunctionMode):
    """While active, hands the input of every call that may be a ReLU to a listener, before the call.

    Attributes:
        count: Calls so far.
    """

    def __init__(self, listener: Callable[[int, torch.Tensor], None]) -> None:
        """Take a function of the number of the call and its input, which the call may overwrite."""
        super().__init__()
        self._listener = listener
        self.count = 0

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in _NAMES:
            tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, torch.Tensor)]
            # The maximum with a constant has two tensors: the constant is the smaller one.
            self._listener(self.count, max(tensors, key=torch.numel))
            self.count += 1
        return func(*args, **kwargs)


def locate_layers(model: nn.Module, network: Network, example: torch.Tensor) -> tuple[dict[str, int], int]:
    """Find out which call of a model is the ReLU of which layer, by the numbers that they get.

    Args:
        model: The model; run once in evaluation mode.
        network: The same model, traced.
        example: At least one sample.

    Returns:
        The number of the call for every layer that has one, and the number of calls in all.
    """
    reference = next((p for p in model.parameters() if p.is_floating_point()), example)
    sample = torch.as_tensor(example)[:1].to(device=reference.device, dtype=reference.dtype)
    seen: list[torch.Tensor] = []
    _run_in_eval(model, sample, lambda _, z: seen.append(z.detach().to("cpu", copy=True)))
    tolerance = max(_AGREEMENT, 16 * torch.finfo(sample.dtype).eps)
    calls: dict[str, int] = {}
    start = 0
    for layer, x in network.walk(sample.double().cpu()):
        expected = layer.preactivation(x)
        found = (k for k in range(start, len(seen)) if _agree(seen[k], expected, tolerance))
        number = next(found, None)
        if number is not None:
            calls[layer.name], start = number, number + 1
    return calls, len(seen)


def _run_in_eval(
    model: nn.Module, sample: torch.Tensor, listener: Callable[[int, torch.Tensor], None]
) -> None:
    was_training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        with torch.no_grad(), ReLUCalls(listener):
            model(sample)
    finally:
        for module in was_training:
            module.training = True


def _agree(z: torch.Tensor, expected: torch.Tensor, tolerance: float) -> bool:
    if z.numel() != expected.numel() or not z.is_floating_point():
        return False
    error = (z.double().reshape(expected.shape) - expected).abs().max()
    return bool(error <= tolerance * expected.abs().max().clamp(min=1e-30))
