"""From a model, in memory or on disk, to a `Network`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import nn

from unrelu.errors import ArgumentError, ModelError

if TYPE_CHECKING:
    from unrelu.layers._network import Network


def trace(model: nn.Module | str | Path, example_input: Any = None) -> Network:
    """Return the ReLU layers of a model, with everything between them folded.

    Args:
        model: A torch module (read in evaluation mode; its own mode is left as it is), or the path of an
            ``.onnx`` file or of a ``.pt2`` file written by ``torch.export.save``. Files are data: nothing in
            them is executed or unpickled.
        example_input: One batch of inputs; needed for a torch module.

    Returns:
        The network. Nodes outside every layer are in ``.skipped`` with the reason.

    Raises:
        ArgumentError: If the model is of another type, or the example input is missing.
        ModelError: If the file cannot be read, or a node is unknown or has an unsupported option; the message
            names the node.
    """
    if isinstance(model, nn.Module):
        from unrelu.layers.from_torch import network_from_module

        if example_input is None:
            raise ArgumentError("example_input: a torch module needs one batch of inputs")
        return network_from_module(model, example_input)
    if not isinstance(model, str | Path):
        raise ArgumentError(f"model: expected an nn.Module or a path, got {type(model).__name__}")
    path = Path(model)
    if not path.is_file():
        raise ModelError(f"{path}: no such file")
    if path.suffix == ".onnx":
        from unrelu.layers.from_onnx import network_from_onnx

        return network_from_onnx(path)
    if path.suffix == ".pt2":
        from unrelu.layers.from_pt2 import network_from_archive

        return network_from_archive(path)
    raise ModelError(f"{path}: expected a file that ends in .onnx or .pt2")
