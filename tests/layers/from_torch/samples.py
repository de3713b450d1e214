"""Random inputs for modules."""

import torch


def batch(shape: tuple[int, ...], count: int = 3, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))
