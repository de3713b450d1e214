"""Networks as the plain numbers that they are."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def frozen(model: nn.Sequential) -> nn.Sequential:
    """Return a copy in float64 made of ``nn.Linear`` and ``nn.ReLU``: the same numbers."""
    parts: list[nn.Module] = []
    for module in model:
        if isinstance(module, nn.ReLU):
            parts.append(nn.ReLU())
            continue
        (m, n), bias = module.weight.shape, getattr(module, "bias", None)
        parts.append(nn.utils.skip_init(nn.Linear, n, m, bias is not None, dtype=torch.float64))
        parts[-1].weight.copy_(module.weight)
        if bias is not None:
            parts[-1].bias.copy_(bias)
    return nn.Sequential(*parts).requires_grad_(False)
