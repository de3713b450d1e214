"""One layer as an ONNX model: ``Gemm`` or ``Conv``, then ``Relu``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from unrelu.errors import ArgumentError
from unrelu.layers.from_onnx._file import onnx_package
from unrelu.layers.maps import Convolution

if TYPE_CHECKING:
    from types import ModuleType

    from unrelu.layers._relu_layer import ReLULayer

_OPSET, _IR_VERSION = 13, 8  # old enough for any reader
_MOST_BYTES = (1 << 31) - (1 << 20)  # protobuf allows 2 GiB


def model_shapes(layer: ReLULayer) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of input and output in `layer_model`, with a first axis of length 1, the batch.

    Raises:
        ArgumentError: If the layer has no rows: then there is no such model.
    """
    if layer.m == 0:
        raise ArgumentError(f"layer: expected at least one row, got none in {layer.name!r}")
    if isinstance(layer.linear, Convolution):
        return (1, *layer.in_shape), (1, *layer.out_shape)
    return (1, layer.n), (1, layer.m)


def layer_model(layer: ReLULayer) -> bytes:
    """Return a layer as an ONNX model that holds the layer's numbers, none of them rounded.

    A convolution stays one; of any other layer the matrix is written, rounded to float64 where it is a
    product of several maps (`LinearMap.exact`). Numbers are float32 where that holds them all, else float64.

    Args:
        layer: The layer.

    Returns:
        The content of an ONNX file; its input ``x`` and output ``y`` have the shapes of `model_shapes`.

    Raises:
        ArgumentError: If the layer has no rows, or more numbers than an ONNX file may hold.
        MissingExtraError: If the ``onnx`` package is not installed.

    Example:
        >>> import numpy as np
        >>> from unrelu.layers import ReLULayer
        >>> len(layer_model(ReLULayer(np.eye(3)))) > 9 * 4
        True
    """
    onnx, shapes = onnx_package(), model_shapes(layer)
    layer = layer.to(device="cpu", dtype=torch.float64)
    if isinstance(layer.linear, Convolution):
        nodes, constants = _convolution(layer, layer.linear, onnx)
    else:
        nodes, constants = _product(layer, onnx)
    dtype = _narrowest(constants.values())
    kind = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    ends = [
        onnx.helper.make_tensor_value_info(name, kind, shape)
        for name, shape in zip("xy", shapes, strict=True)
    ]
    graph = onnx.helper.make_graph(
        [*nodes, onnx.helper.make_node("Relu", ["z"], ["y"], name="relu")],
        "layer",
        ends[:1],
        ends[1:],
        [onnx.numpy_helper.from_array(array.astype(dtype), name) for name, array in constants.items()],
    )
    opsets = [onnx.helper.make_opsetid("", _OPSET)]
    model = onnx.helper.make_model(
        graph, producer_name="unrelu", opset_imports=opsets, ir_version=_IR_VERSION
    )
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def _product(layer: ReLULayer, onnx: ModuleType) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Write ``W x + b`` as one ``Gemm``."""
    if 8 * (layer.n + 1) * layer.m > _MOST_BYTES:
        raise ArgumentError(
            f"layer: {layer.name!r} has {layer.m} rows of {layer.n} numbers; ONNX files are limited to 2 GiB"
        )
    constants = {"W": layer.dense().numpy(), "b": layer.bias.numpy()}
    return [onnx.helper.make_node("Gemm", ["x", "W", "b"], ["z"], name="affine", transB=1)], constants


def _convolution(
    layer: ReLULayer, linear: Convolution, onnx: ModuleType
) -> tuple[list[Any], dict[str, np.ndarray]]:
    """Write a convolution and a sum: the biases of one channel may differ from place to place."""
    conv = onnx.helper.make_node(
        "Conv",
        ["x", "W"],
        ["h"],
        name="convolution",
        kernel_shape=list(linear.weight.shape[2:]),
        strides=list(linear.stride),
        dilations=list(linear.dilation),
        pads=[pad[end] for end in (0, 1) for pad in linear.padding],
        group=linear.groups,
    )
    bias = layer.bias.reshape(1, *layer.out_shape).numpy()
    constants = {"W": linear.weight.numpy(), "b": bias}
    return [conv, onnx.helper.make_node("Add", ["h", "b"], ["z"], name="bias")], constants


def _narrowest(arrays: Any) -> type[np.floating[Any]]:
    """Return the narrowest of float32 and float64 that holds all numbers."""
    with np.errstate(over="ignore", under="ignore"):
        fits = all(np.array_equal(array.astype(np.float32), array) for array in arrays)
    return np.float32 if fits else np.float64
