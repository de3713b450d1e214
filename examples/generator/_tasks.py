"""What is done to the digits, and how far from them what comes back is."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ._models import PIXELS


@dataclass(frozen=True, eq=False)
class Task:
    """A way to damage images.

    Attributes:
        name: What is done.
        seen: Which pixels are left, shape ``(784,)``.
        noise: Standard deviation of Gaussian noise on them.
    """

    name: str
    seen: torch.Tensor
    noise: float = 0.0

    def damage(self, images: torch.Tensor, seed: int) -> torch.Tensor:
        """Return damaged images; pixels that are not seen are 0."""
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(images.shape, generator=generator, dtype=images.dtype)
        return (images + self.noise * noise) * self.seen


def tasks(seed: int) -> list[Task]:
    """Return what is tried: whole digits, a missing half, few pixels, noise."""
    whole = torch.ones(PIXELS, dtype=torch.bool)
    upper = torch.arange(PIXELS) < PIXELS // 2
    few = torch.rand(PIXELS, generator=torch.Generator().manual_seed(seed)) < 0.1
    return [
        Task("reconstruction", whole),
        Task("lower half missing", upper),
        Task("90 % of pixels missing", few),
        Task("noise of 0.5", whole, 0.5),
    ]


def psnr(images: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the peak signal-to-noise ratio of images with pixels in [0, 1], cut off there, in dB."""
    return -10 * (images.clamp(0, 1) - truth).square().mean(dim=1).log10()
