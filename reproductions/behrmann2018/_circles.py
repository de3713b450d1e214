"""Figure 1's data and networks: samples of two circles, one hidden layer of three neurons."""

from __future__ import annotations

import torch
from torch import nn

from unrelu.layers import ReLULayer

RADII, NOISE = (1.0, 0.5), 0.05  # of the circles, and the deviation of a sample's own radius
_RATE = 0.02


def circles(count: int = 500, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return samples, shape ``(count, 2)``, half of them of each circle, and 1.0 for the inner one."""
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * torch.pi * torch.rand(count, generator=generator)
    inner = torch.arange(count) % 2
    radius = torch.tensor(RADII)[inner] + NOISE * torch.randn(count, generator=generator)
    return radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=1), inner.float()


class SmallNetworks(nn.Module):
    """Networks 2 → 3 → 1 with one hidden ReLU layer, trained side by side.

    Their parameters do not meet, and Adam works entry by entry: each is trained as if it were alone.
    """

    def __init__(self, count: int, neurons: int = 3, seed: int = 0) -> None:
        """Draw all parameters of a layer uniformly, as PyTorch does for one."""
        super().__init__()
        generator = torch.Generator().manual_seed(seed)

        def uniform(*shape: int, fan_in: int) -> nn.Parameter:
            return nn.Parameter((2 * torch.rand(shape, generator=generator) - 1) / fan_in**0.5)

        self.weight = uniform(count, neurons, 2, fan_in=2)
        self.bias = uniform(count, neurons, fan_in=2)
        self.out_weight = uniform(count, neurons, fan_in=neurons)
        self.out_bias = uniform(count, fan_in=neurons)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits of points of shape ``(points, 2)``, shape ``(networks, points)``."""
        hidden = torch.relu(x @ self.weight.mT + self.bias[:, None])
        return (hidden @ self.out_weight[:, :, None])[..., 0] + self.out_bias[:, None]

    def fit(self, x: torch.Tensor, inner: torch.Tensor, steps: int) -> None:
        """Train by Adam on all samples at once."""
        optimizer = torch.optim.Adam(self.parameters(), lr=_RATE)
        target = inner.expand(len(self.weight), -1)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy_with_logits(self(x), target, reduction="none")
            loss.mean(dim=1).sum().backward()
            optimizer.step()

    @torch.no_grad()
    def accuracy(self, x: torch.Tensor, inner: torch.Tensor) -> torch.Tensor:
        """Return the share of samples that each network tells right."""
        return ((self(x) > 0) == (inner > 0)).double().mean(dim=1)

    def layer(self, k: int) -> ReLULayer:
        """Return the hidden layer of a network."""
        return ReLULayer(self.weight[k].detach(), self.bias[k].detach())
