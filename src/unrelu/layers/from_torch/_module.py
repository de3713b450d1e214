"""From a torch module to a `Network`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unrelu.errors import ArgumentError
from unrelu.layers.from_torch._capture import read_captured

if TYPE_CHECKING:
    from torch import nn

    from unrelu.layers._network import Network


def network_from_module(module: nn.Module, example_input: Any) -> Network:
    """Capture a module in evaluation mode and read its graph.

    Raises:
        ArgumentError: If ``example_input`` is not a batch of numbers.
        ModelError: If the module cannot be captured, has several inputs, or a node cannot be read.
    """
    example = _example(module, example_input)
    was_training = [child for child in module.modules() if child.training]
    module.eval()
    try:
        name = type(module).__name__
        return read_captured(module, example, name=name, origin=name)
    finally:
        for child in was_training:
            child.training = True


def _example(module: nn.Module, example_input: Any) -> torch.Tensor:
    if isinstance(example_input, tuple | list) and len(example_input) == 1:
        example_input = example_input[0]
    if not isinstance(example_input, torch.Tensor | np.ndarray):
        kind = type(example_input).__name__
        raise ArgumentError(f"example_input: expected one tensor or array with a batch axis, got {kind}")
    reference = next((p for p in module.parameters() if p.is_floating_point()), None)
    example = torch.as_tensor(example_input)
    if example.dim() < 1 or len(example) < 1:
        raise ArgumentError(f"example_input: expected at least one sample, got shape {tuple(example.shape)}")
    if reference is not None:
        example = example.to(device=reference.device, dtype=reference.dtype)
    return example[:1]
