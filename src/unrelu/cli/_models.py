"""Models as they are named on the command line."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrelu.errors import ModelError

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from unrelu.layers import Network


def load_network(
    model: str, weights: Path | None, sample: np.ndarray, input_shape: tuple[int, ...] | None
) -> Network:
    """Return the network behind a name.

    Args:
        model: ``file.onnx``, ``file.pt2`` or ``package.module:callable``.
        weights: State of the module, a ``.safetensors`` file; only with a callable.
        sample: One sample of the data, which tells a callable's module its input shape.
        input_shape: Shape of one input, where it differs from the sample's.

    Raises:
        ModelError: If the model cannot be found, built or read.
    """
    from unrelu.layers import trace

    if ":" not in model or Path(model).exists():
        if weights is not None:
            raise ModelError(f"--weights: goes with package.module:callable, not with {model}")
        return trace(model)
    import torch

    module = _build(model)
    if weights is not None:
        _load_weights(module, weights)
    example = torch.as_tensor(sample, dtype=torch.float32)
    return trace(module, example.reshape(1, *(input_shape or example.shape)))


def _build(spec: str) -> nn.Module:
    """Import ``package.module:callable``, from the current folder too, and call it."""
    from torch import nn

    module_name, _, attribute = spec.partition(":")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        built: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            built = getattr(built, part)
    except (ImportError, AttributeError) as error:
        raise ModelError(f"{spec}: expected package.module:callable; {error}") from error
    if not isinstance(built, nn.Module) and callable(built):
        built = built()
    if not isinstance(built, nn.Module):
        raise ModelError(f"{spec}: expected a torch.nn.Module, got {type(built).__name__}")
    return built


def _load_weights(module: nn.Module, path: Path) -> None:
    """Fill a module from a safetensors file, every parameter of it and nothing else."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a safetensors file: {error}") from error
    except RuntimeError as error:
        raise ModelError(f"{path}: its tensors are not those of the module: {error}") from error
