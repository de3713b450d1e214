"""How far inputs that came back are from what they were."""

import torch


def relative(found: torch.Tensor, x: torch.Tensor) -> float:
    error = (found - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)
    return float(error.detach().max())
