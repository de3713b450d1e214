"""Models of every kind as something that rows can be appended to."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from unrelu.errors import ArgumentError, ModelError
from unrelu.layers._messages import first_line
from unrelu.layers._network import Network
from unrelu.layers._relu_layer import ReLULayer
from unrelu.layers._trace import trace
from unrelu.layers.from_onnx._file import onnx_package
from unrelu.layers.surgery._network import append_to_network
from unrelu.layers.surgery._onnx import append_to_onnx
from unrelu.layers.surgery._torch import append_to_module

if TYPE_CHECKING:
    from unrelu.layers.surgery._new_rows import NewRows


class Editable(Protocol):
    """A model, and the network that was traced from it."""

    @property
    def network(self) -> Network:
        """Its layers."""

    @property
    def model(self) -> Any:
        """The model itself, of the kind that was given."""

    def append(self, layer: ReLULayer, new: NewRows) -> Self:
        """Return the model with rows appended to a layer of its network."""

    def bits(self, x: Any) -> bytes:
        """Return what the model makes of one batch of inputs, as it stands in memory."""


@dataclass(frozen=True)
class _Traced:
    network: Network
    is_layer: bool

    @property
    def model(self) -> Network | ReLULayer:
        return self.network[0] if self.is_layer else self.network

    def append(self, layer: ReLULayer, new: NewRows) -> Self:
        return type(self)(append_to_network(self.network, layer, new), self.is_layer)

    def bits(self, x: Any) -> bytes:
        return _bits(self.network.forward(x))


@dataclass(frozen=True)
class _Module:
    model: nn.Module
    network: Network
    example: Any

    def append(self, layer: ReLULayer, new: NewRows) -> Self:
        changed = append_to_module(self.model, layer, new)
        return type(self)(changed, trace(changed, self.example), self.example)

    def bits(self, x: Any) -> bytes:
        with torch.no_grad():
            outputs = self.model(x)
        return b"".join(_bits(t) for t in tree_leaves(outputs) if isinstance(t, torch.Tensor))


@dataclass(frozen=True)
class _Onnx:
    model: Any
    network: Network

    def append(self, layer: ReLULayer, new: NewRows) -> Self:
        changed = append_to_onnx(self.model, self.network, layer, new)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / self.network.origin
            path.write_bytes(changed.SerializeToString())
            return type(self)(changed, trace(path))

    def bits(self, x: Any) -> bytes:
        evaluator = import_module("onnx.reference").ReferenceEvaluator(self.model)
        constants = {tensor.name for tensor in self.model.graph.initializer}
        (name,) = [entry.name for entry in self.model.graph.input if entry.name not in constants]
        return b"".join(_bits(y) for y in evaluator.run(None, {name: x}))


def _bits(y: Any) -> bytes:
    return y.detach().cpu().numpy().tobytes() if isinstance(y, torch.Tensor) else np.asarray(y).tobytes()


def editable(model: Any, example_input: Any = None) -> Editable:
    """Return a model as something that rows can be appended to.

    Args:
        model: A torch module, the path of an ``.onnx`` file, a `Network` or a `ReLULayer`.
        example_input: One batch of inputs, which a torch module needs.

    Raises:
        ArgumentError: If it is of another kind, or the example is missing.
        ModelError: If it cannot be read.
    """
    if isinstance(model, ReLULayer):
        return _Traced(Network.of_layer(model), is_layer=True)
    if isinstance(model, Network):
        return _Traced(model, is_layer=False)
    if isinstance(model, nn.Module):
        return _Module(model, trace(model, example_input), example_input)
    if not isinstance(model, str | Path):
        raise ArgumentError(
            f"model: expected an nn.Module, a path, a Network or a ReLULayer, got {type(model).__name__}"
        )
    if Path(model).suffix != ".onnx":
        raise ModelError(f"{model}: expected an ONNX file to append rows to; load other models in Python")
    network = trace(model)
    onnx = onnx_package()
    try:
        return _Onnx(onnx.load(model, format="protobuf"), network)
    except Exception as error:  # protobuf and onnx raise errors of their own
        raise ModelError(f"{model}: not a readable ONNX model ({first_line(error)})") from error
