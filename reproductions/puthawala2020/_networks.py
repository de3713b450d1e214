"""Networks of injective layers, and their twins of ordinary ones."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from unrelu.nn import InjectiveLinear

_LR = 0.01
_RANK = 1e-6  # singular values of the hidden layer below this share of the largest are not used


def network(sizes: Sequence[int], injective: bool, seed: int) -> nn.Sequential:
    """Return layers with a ReLU after each, in float64, that leave the global random state as it was.

    Args:
        sizes: ``n`` and the rows of every layer.
        injective: Whether the layers are `unrelu.nn.InjectiveLinear`; else ``nn.Linear``.
        seed: Of the weights.
    """
    kind = InjectiveLinear if injective else nn.Linear
    parts: list[nn.Module] = []
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for n, m in pairwise(sizes):
            parts += [kind(n, m, dtype=torch.float64), nn.ReLU()]
    return nn.Sequential(*parts)


def with_output(layers: nn.Sequential, n: int, m: int, seed: int) -> nn.Sequential:
    """Return the layers followed by an affine map from ``n`` to ``m`` numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(*layers, nn.Linear(n, m, dtype=torch.float64))


def fit(model: nn.Sequential, x: torch.Tensor, y: torch.Tensor, steps: int) -> None:
    """Train a network with an affine output on all samples at once, the output last by least squares."""
    optimizer = torch.optim.Adam(model.parameters(), lr=_LR)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        hidden = model[:-1](x)
        affine = torch.cat([hidden, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
        solution = torch.linalg.lstsq(affine, y, rcond=_RANK, driver="gelsd").solution
        model[-1].weight.copy_(solution[:-1].T)
        model[-1].bias.copy_(solution[-1])
