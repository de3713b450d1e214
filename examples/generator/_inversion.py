"""Codes from images, whole or damaged: least squares over the code, from several starts."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from unrelu.nn.modules import levenberg_marquardt

from ._models import CODE


@dataclass(frozen=True, eq=False)
class Search:
    """Where searches from several starts ended, in float64.

    Attributes:
        codes: Shape ``(starts, N, 16)``.
        costs: ``|seen pixels of g(z) - y|² + λ² |z|²`` there, shape ``(starts, N)``.
    """

    codes: torch.Tensor
    costs: torch.Tensor

    @property
    def best(self) -> torch.Tensor:
        """The codes of least cost, shape ``(N, 16)``."""
        return self.codes[self.costs.argmin(dim=0), torch.arange(self.codes.shape[1])]


@torch.no_grad()
def search(
    model: nn.Sequential,
    images: torch.Tensor,
    starts: torch.Tensor,
    seen: torch.Tensor | None = None,
    prior: float = 0.0,
    steps: int = 30,
) -> Search:
    """Minimise ``|seen pixels of g(z) - y|² + λ² |z|²`` by Levenberg and Marquardt's steps.

    Args:
        model: The generator ``g``, in float64.
        images: ``y``, shape ``(N, 784)``.
        starts: Where to begin, shape ``(starts, N, 16)``.
        seen: Which pixels count; all of them if ``None``.
        prior: ``λ``, 0 to ask the pixels alone.
        steps: Of each search.
    """
    kept = torch.ones(images.shape[1], dtype=torch.bool) if seen is None else seen
    *hidden, last = model
    inner = nn.Sequential(*hidden)
    # In a basis of the range of the output map 784 residuals are 256; what is beyond no code can change.
    basis, triangle = torch.linalg.qr(last.weight[kept])
    goal = images[:, kept] - last.bias[kept]
    within = goal @ basis
    beyond = (goal.square().sum(dim=1) - within.square().sum(dim=1)).clamp_min(0)

    def values(codes: torch.Tensor) -> torch.Tensor:
        return torch.cat([inner(codes) @ triangle.T, prior * codes], dim=1)

    wanted = torch.cat([within, torch.zeros(len(images), CODE, dtype=images.dtype)], dim=1)
    found = levenberg_marquardt(values, wanted.repeat(len(starts), 1), starts.reshape(-1, CODE), steps)
    off = (found.residual * wanted.norm(dim=1).repeat(len(starts))).square()
    return Search(found.x.reshape(starts.shape), off.reshape(len(starts), -1) + beyond)
