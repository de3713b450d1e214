"""Rows appended to a layer of an ONNX model.

No node of the model is changed but the layer's ReLU, which acts on the old rows with the new ones behind
them. A slice of its output has the old name: whatever reads the layer computes the same bits as before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from unrelu.errors import ModelError
from unrelu.layers.from_onnx._file import FileNode, free_name, named_nodes, onnx_package

if TYPE_CHECKING:
    from unrelu.layers._network import Network
    from unrelu.layers._relu_layer import ReLULayer
    from unrelu.layers.surgery._new_rows import NewRows

_KEPT = ("auto_pad", "dilations", "pads", "strides")  # of a convolution's attributes, for new kernels
_THROUGH = {"Add", "BatchNormalization", "Div", "Identity", "Mul", "Sub"}  # between convolution and ReLU


def append_to_onnx(model: Any, network: Network, layer: ReLULayer, new: NewRows) -> Any:
    """Return a model with rows appended to a layer.

    Args:
        model: An ``onnx.ModelProto``; it is left as it is.
        network: The network traced from it.
        layer: One of the network's layers.
        new: The rows.

    Returns:
        The new ``ModelProto``.

    Raises:
        MissingExtraError: If the ``onnx`` package is not installed.
        ModelError: If the layer's tensors have no axis for the batch, or are neither float32 nor float64; or
            new channels are asked for where no single convolution makes the layer.
    """
    onnx = onnx_package()
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    _Surgery(onnx, changed, network, layer).append(new)
    onnx.checker.check_model(changed)
    return changed


@dataclass
class _Surgery:
    """A model, the layer in it, and the nodes made so far."""

    onnx: Any
    model: Any
    network: Network
    layer: ReLULayer

    def __post_init__(self) -> None:
        graph = self.model.graph
        constants = {tensor.name for tensor in graph.initializer}
        (self.input,) = [entry for entry in graph.input if entry.name not in constants]
        self.nodes = named_nodes(graph.node, {"input", self.input.name})
        self.taken = {name for node in graph.node for name in (*node.input, *node.output, node.name)}
        self.taken |= constants | {entry.name for entry in (*graph.input, *graph.output)}
        self.made: list[Any] = []

    def append(self, new: NewRows) -> None:
        """Put the new nodes in front of the ReLU, and the slice behind it."""
        layer, graph = self.layer, self.model.graph
        self._check()
        relu = self._node(layer.node).proto
        before, after = relu.input[0], relu.output[0]
        parts = [before]
        if len(new.partners):
            every = len(new.partners) == layer.out_shape[0]
            chosen = before if every else self._add("Gather", before, new.partners, axis=1)
            parts.append(self._add("Neg", chosen))
        if len(new.weight):
            parts.append(self._new(new, before))
        if new.pairs:
            whole = new.pairs == len(new.weight)
            parts.append(self._add("Neg", parts[-1] if whole else self._first(parts[-1], new.pairs)))
        joined = self._add("Concat", *parts, axis=1)
        position = list(graph.node).index(relu)
        full = self._free("rows")
        del relu.input[0]
        relu.input.insert(0, joined)
        relu.output[0] = full
        front, self.made = self.made, []
        self._first(full, layer.out_shape[0], after)
        rest = list(graph.node)
        del graph.node[:]
        graph.node.extend([*rest[:position], *front, *rest[position : position + 1], *self.made])
        graph.node.extend(rest[position + 1 :])

    def _check(self) -> None:
        """Refuse what has no batch axis, and other types of numbers than float32 and float64."""
        step = next(step for step in self.network.steps if step.name == self.layer.node)
        dims = self.input.type.tensor_type.shape.dim
        batched = len(dims) > 1 and dims[0].dim_value in {0, 1}
        if not batched or step.shape != (1, *self.layer.out_shape):
            raise ModelError(
                f"layer {self.layer.name!r}: expected tensors whose first axis is the batch, of length 1 or "
                f"open, and of shape (1, rows) or (1, channels, ...), got {step.shape}"
            )
        kinds = {self.onnx.TensorProto.FLOAT: np.float32, self.onnx.TensorProto.DOUBLE: np.float64}
        kind = self.input.type.tensor_type.elem_type
        if kind not in kinds:
            name = self.onnx.TensorProto.DataType.Name(kind)
            raise ModelError(f"input {self.input.name!r}: expected float32 or float64 numbers, got {name}")
        self.dtype = kinds[kind]

    def _new(self, new: NewRows, before: str) -> str:
        weight, bias = new.weight.astype(self.dtype), new.bias.astype(self.dtype)
        if not new.of_channels:
            flat = self._add("Flatten", self._source(), axis=1)
            return self._add("Gemm", flat, weight, bias, transB=1)
        conv = self._convolution(before)
        options = {a.name: self.onnx.helper.get_attribute_value(a) for a in conv.attribute if a.name in _KEPT}
        widened = weight.shape[1] > self._channels(conv)
        return self._add("Conv", self._source() if widened else conv.input[0], weight, bias, **options)

    def _channels(self, conv: Any) -> int:
        """Return the number of input channels of a convolution."""
        group = next((a.i for a in conv.attribute if a.name == "group"), 1)
        shapes = {tensor.name: tensor.dims for tensor in self.model.graph.initializer}
        if conv.input[1] not in shapes:
            raise ModelError(f"layer {self.layer.name!r}: the kernels of its convolution are computed")
        return int(shapes[conv.input[1]][1]) * group

    def _convolution(self, tensor: str) -> Any:
        """Return the convolution behind whose output only constants are added and multiplied."""
        makers = {name: node for node in self.model.graph.node for name in node.output}
        constants = {entry.name for entry in self.model.graph.initializer}
        constants |= {name for name, node in makers.items() if node.op_type == "Constant"}
        while tensor in makers and makers[tensor].op_type in _THROUGH:
            tensor = next((name for name in makers[tensor].input if name not in constants), "")
        if tensor not in makers or makers[tensor].op_type != "Conv":
            raise ModelError(f"layer {self.layer.name!r}: no single convolution makes it")
        return makers[tensor]

    def _source(self) -> str:
        """Return the tensor that the layer's columns belong to."""
        if self.layer.source == self.network.input_name:
            return str(self.input.name)
        return str(self._node(self.layer.source).proto.output[0])

    def _node(self, name: str) -> FileNode:
        found = next((node for node in self.nodes if node.name == name), None)
        if found is None:
            raise ModelError(f"layer {self.layer.name!r}: the model has no node {name!r}")
        return found

    def _first(self, tensor: str, count: int, output: str | None = None) -> str:
        """Return the first rows, or channels, of a tensor."""
        opset = max(entry.version for entry in self.model.opset_import if entry.domain in {"", "ai.onnx"})
        if opset < 10:
            return self._add("Slice", tensor, output=output, starts=[0], ends=[count], axes=[1])
        return self._add("Slice", tensor, np.array([0]), np.array([count]), np.array([1]), output=output)

    def _add(
        self, operator: str, *inputs: str | np.ndarray, output: str | None = None, **options: Any
    ) -> str:
        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        result = output or self._free(operator.lower())
        name = self._free(f"{operator.lower()}_node")
        self.made.append(self.onnx.helper.make_node(operator, names, [result], name=name, **options))
        return result

    def _constant(self, array: np.ndarray) -> str:
        name, graph = self._free("constant"), self.model.graph
        tensor = self.onnx.numpy_helper.from_array(array, name)
        graph.initializer.append(tensor)
        if self.model.ir_version < 4:  # stored tensors are inputs, too
            graph.input.append(self.onnx.helper.make_tensor_value_info(name, tensor.data_type, array.shape))
        return name

    def _free(self, what: str) -> str:
        name = free_name(f"{self.layer.name}.completion.{what}", self.taken)
        self.taken.add(name)
        return name
