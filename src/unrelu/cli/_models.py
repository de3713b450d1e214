"""Models as they are named on the command line."""

from __future__ import annotations

import importlib
import logging
import math
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unrelu.errors import ArgumentError, ModelError

if TYPE_CHECKING:
    import numpy as np
    from torch import nn

    from unrelu.layers import Network


def load_network(
    model: str, weights: Path | None, sample: np.ndarray | None, input_shape: tuple[int, ...] | None
) -> Network:
    """Return the network behind a name.

    Args:
        model: ``file.onnx``, ``file.pt2`` or ``package.module:callable``.
        weights: State of the module, a ``.safetensors`` file; only with a callable.
        sample: One sample of the data, which tells a callable's module its input shape; ``None`` for no data.
        input_shape: Shape of one input, where it differs from the sample's.

    Raises:
        ArgumentError: If the shape does not fit the sample, or there is neither.
        ModelError: If the model cannot be found, built or read.
    """
    from unrelu.layers import trace

    if ":" not in model or Path(model).exists():
        if weights is not None:
            raise ModelError(f"--weights: goes with package.module:callable, not with {model}")
        if ":" not in model and not Path(model).exists():
            raise ModelError(
                f"{model}: no such file; expected file.onnx, file.pt2 or package.module:callable"
            )
        return trace(model)
    import numpy as np
    import torch

    module = _build(model)
    if weights is not None:
        _load_weights(module, weights)
    if sample is None:
        if input_shape is None:
            raise ArgumentError(f"--input-shape: expected the shape of one input of {model}, got none")
        sample = np.zeros(input_shape, dtype=np.float32)
    shape = input_shape or sample.shape
    if math.prod(shape) != sample.size:
        raise ArgumentError(
            f"--input-shape: expected as many entries as a sample of shape {sample.shape} has, got {shape}"
        )
    logging.getLogger("torch").setLevel(logging.CRITICAL)  # what goes wrong there is told in our own error
    network = trace(module, torch.as_tensor(sample, dtype=torch.float32).reshape(1, *shape))
    network.origin = model
    return network


def _build(spec: str) -> nn.Module:
    """Import ``package.module:callable``, from the current folder too, and call it."""
    from torch import nn

    module_name, _, attribute = spec.partition(":")
    if not all(name.isidentifier() for name in (*module_name.split("."), *attribute.split("."))):
        raise ModelError(f"{spec}: expected file.onnx, file.pt2 or package.module:callable")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        built: Any = importlib.import_module(module_name)
        for part in attribute.split("."):
            built = getattr(built, part)
        if not isinstance(built, nn.Module) and callable(built):
            built = built()
    except (Exception, SystemExit) as error:  # code that is not ours runs here
        raise ModelError(f"{spec}: cannot be built: {_told(error)}") from error
    if not isinstance(built, nn.Module):
        raise ModelError(f"{spec}: expected a torch.nn.Module, got {type(built).__name__}")
    return built


def _told(error: BaseException) -> str:
    """Return the error in a line, and where it happened if that was in a file that was imported."""
    line = f"{type(error).__name__}: {error}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    inside = last.filename in {__file__, importlib.__file__} or last.filename.startswith("<frozen")
    return line if inside else f"{line} ({last.filename}, line {last.lineno})"


def _load_weights(module: nn.Module, path: Path) -> None:
    """Fill a module from a safetensors file, every parameter of it and nothing else."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    if path.suffix != ".safetensors":
        raise ModelError(f"{path}: expected a .safetensors file; other formats are not opened")
    try:
        module.load_state_dict(load_file(path))
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: not a safetensors file: {error}") from error
    except RuntimeError as error:
        raise ModelError(f"{path}: its tensors are not those of the module: {error}") from error
