"""What all trainings share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import nn

from unrelu.output import write_bytes

Tell = Callable[[str], None]  # told in a line what is being done

_AT_ONCE = 10_000  # samples


def accuracy(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Share of inputs whose class is told right."""
    with torch.no_grad():
        parts = zip(x.split(_AT_ONCE), y.split(_AT_ONCE), strict=True)
        return sum(int((model(a).argmax(dim=1) == b).sum()) for a, b in parts) / len(x)


def keras_start(model: nn.Module) -> None:
    """Give all layers Keras' initial weights: Glorot uniform, biases 0."""
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)


def keep_weights(path: Path, model: nn.Module, mark: str) -> None:
    """Write a model's weights, with a mark that tells how it was trained."""
    write_bytes(path, save(model.state_dict(), {"recipe": mark}), force=True)


def read_weights(path: Path, model: nn.Module, mark: str) -> bool:
    """Fill a model from a file, if there is one with this mark."""
    if not path.exists():
        return False
    with safe_open(path, "pt") as file:
        if (file.metadata() or {}).get("recipe") != mark:
            return False
    model.load_state_dict(load_file(path))
    return True
