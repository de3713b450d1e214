"""Models built operator by operator, exported ones and real ones, against onnxruntime; files that are refused."""

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper
from torch import nn

from tests.layers.onnx_models import Graph, evaluate, integers, numbers, save
from unrelu.errors import MissingExtraError, ModelError
from unrelu.layers import Network, trace
from unrelu.layers._onnx_registry import converts

INPUTS = {"input", "x:0", "0", "input.1"}  # of the real models
REAL = (
    "ACASXU_run2a_1_1_batch_2000",
    "Convnet_avgpool",
    "cifar10_small",
    "mnist-net_256x2",
    "resnet_2b",
)


@dataclass
class Case:
    """One node on the input ``x`` with constant operands behind it."""

    operator: str
    shape: tuple[int | str, ...]
    constants: tuple[Any, ...]
    opset: int
    kind: str  # 'affine', 'opaque' or 'relu'
    options: dict[str, Any]
    positive: bool
    outputs: int

    def __str__(self) -> str:
        options = ",".join(f"{k}={v}" for k, v in self.options.items() if not isinstance(v, TensorProto))
        shapes = "".join(f"-{np.shape(c)}" for c in self.constants)
        return f"{self.operator}{self.opset}-{self.shape}{shapes}-{options}".replace(" ", "")


def case(
    operator: str,
    shape: tuple[int | str, ...],
    *constants: Any,
    opset: int = 17,
    kind: str = "affine",
    positive: bool = False,
    outputs: int = 1,
    **options: Any,
) -> Case:
    return Case(operator, shape, constants, opset, kind, options, positive, outputs)


IMAGE = (1, 3, 7, 8)

CONVOLUTIONS = [
    case("Conv", IMAGE, numbers(4, 3, 3, 3)),
    case("Conv", IMAGE, numbers(4, 3, 3, 3), numbers(4), kernel_shape=[3, 3], strides=[2, 1]),
    case("Conv", IMAGE, numbers(4, 3, 3, 2), numbers(4), pads=[1, 0, 2, 1], strides=[2, 3]),
    case("Conv", IMAGE, numbers(4, 3, 3, 2), dilations=[2, 3], pads=[1, 1, 1, 1]),
    case("Conv", (1, 4, 6, 6), numbers(6, 2, 3, 3), numbers(6), group=2),
    case("Conv", (1, 4, 6, 6), numbers(4, 1, 3, 3), group=4, pads=[1, 1, 1, 1]),
    case("Conv", ("N", 3, 7, 8), numbers(4, 3, 2, 2), auto_pad="SAME_UPPER"),
    case("Conv", IMAGE, numbers(4, 3, 2, 3), auto_pad="SAME_UPPER", strides=[2, 3]),
    case("Conv", IMAGE, numbers(4, 3, 2, 3), auto_pad="SAME_LOWER", strides=[2, 3]),
    case("Conv", IMAGE, numbers(4, 3, 4, 2), auto_pad="SAME_LOWER"),
    case("Conv", IMAGE, numbers(4, 3, 3, 3), auto_pad="VALID", opset=9),
    case("Conv", IMAGE, numbers(4, 3, 1, 1), auto_pad="SAME_UPPER", strides=[3, 3]),
    case("Conv", (1, 3, 9), numbers(5, 3, 4), numbers(5), pads=[2, 1]),
    case(
        "Conv",
        (1, 2, 5, 4, 6),
        numbers(3, 2, 2, 3, 2),
        numbers(3),
        pads=[1, 0, 0, 1, 1, 2],
        strides=[1, 2, 2],
    ),
    case("ConvTranspose", IMAGE, numbers(3, 4, 3, 3)),
    case("ConvTranspose", IMAGE, numbers(3, 4, 3, 3), numbers(4), strides=[2, 2], pads=[1, 0, 0, 1]),
    case(
        "ConvTranspose", IMAGE, numbers(3, 2, 3, 2), strides=[2, 3], output_padding=[1, 2], dilations=[2, 1]
    ),
    case("ConvTranspose", (1, 4, 5, 5), numbers(4, 3, 2, 2), numbers(6), group=2, strides=[2, 2]),
    case("ConvTranspose", IMAGE, numbers(3, 2, 3, 3), strides=[2, 2], output_shape=[14, 15]),
    case("ConvTranspose", IMAGE, numbers(3, 2, 3, 3), strides=[2, 2], auto_pad="SAME_UPPER"),
    case("ConvTranspose", IMAGE, numbers(3, 2, 3, 3), strides=[2, 2], auto_pad="SAME_LOWER"),
    case("ConvTranspose", IMAGE, numbers(3, 2, 3, 3), auto_pad="VALID"),
    case("ConvTranspose", (1, 3, 6), numbers(3, 2, 4), numbers(2), strides=[3], pads=[1, 1]),
    case("ConvTranspose", (1, 2, 3, 3, 3), numbers(2, 2, 2, 2, 2), strides=[2, 2, 2]),
]

PRODUCTS = [
    case("Gemm", (1, 5), numbers(5, 4)),
    case("Gemm", ("N", 5), numbers(4, 5), numbers(4), transB=1),
    case("Gemm", ("N", 5), numbers(4, 5), numbers(1, 4), transB=1, alpha=0.5, beta=-2.0),
    case("Gemm", (1, 5), numbers(5, 4), numbers(4), beta=0.0),
    case("Gemm", (5, 1), numbers(5, 4), numbers(1), transA=1),
    case("Gemm", (3, 5), numbers(5, 4), numbers(3, 1)),
    case("MatMul", ("N", 5), numbers(5, 4)),
    case("MatMul", (1, 2, 3, 5), numbers(5, 4)),
    case("MatMul", (1, 3, 5), numbers(1, 1, 5, 4)),
    case("MatMul", (1, 3, 5), numbers(2, 5, 4)),
    case("MatMul", (2, 3, 5), numbers(2, 5, 4)),
    case("MatMul", (1, 2, 3, 5), numbers(4, 1, 5, 2)),
    case("MatMul", (1, 3, 5), numbers(5)),
    case("MatMul", (5,), numbers(5, 4)),
    case("MatMul", (5,), numbers(2, 5, 4)),
    case("MatMul", (5,), numbers(5)),
]

ARITHMETIC = [
    *(case(operator, (1, 3, 4), numbers(3, 4)) for operator in ("Add", "Sub", "Mul", "Div", "Sum")),
    *(case(operator, (1, 3, 1), numbers(2, 1, 4)) for operator in ("Add", "Sub", "Mul", "Div")),
    case("Sum", (1, 4), numbers(4), numbers(1), np.float32(2)),
    case("Sum", (1, 4)),
    case("Mul", (1, 4), np.zeros(4, dtype=np.float32)),
    case("Neg", (1, 4)),
    case("Pow", (1, 4), np.float32(3), kind="opaque"),
    case("Pow", (1, 4), np.float32([0.5, 1, 2, 3]), kind="opaque", positive=True),
    case("Max", (1, 4), np.float32(0), kind="relu"),
    case("Max", (1, 4), np.zeros((3, 4), dtype=np.float32), kind="relu"),
    case("Max", (1, 4), np.float32([0, 1, 0, 0]), kind="opaque"),
    case("Max", (1, 4)),
    case("Min", (1, 4), np.float32(0), kind="opaque"),
    case("Min", (1, 4), numbers(4), numbers(4, seed=1), kind="opaque"),
    *(
        case("BatchNormalization", shape, *numbers(3, 3), np.float32([0.5, 1, 2]), opset=opset, epsilon=1e-3)
        for shape in (IMAGE, ("N", 3), (1, 3, 5))
        for opset in (9, 17)
    ),
]

ACTIVATIONS = [
    case("Relu", IMAGE, kind="relu"),
    case("Clip", (1, 4), np.float32(0), kind="relu"),
    case("Clip", (1, 4), np.float32(0), np.float32(np.inf), kind="relu"),
    case("Clip", (1, 4), np.float32(0), np.finfo(np.float32).max, kind="relu"),
    case("Clip", (1, 4), kind="relu", opset=8, min=0.0),
    case("Clip", (1, 4)),
    case("Clip", (1, 4), np.float32(0), np.float32(0.5), kind="opaque"),
    case("Clip", (1, 4), None, np.float32(0.5), kind="opaque"),
    case("Clip", (1, 4), np.float32(1), np.float32(-1), kind="opaque"),
    case("Clip", (1, 4), kind="opaque", opset=10, min=-0.5, max=0.5),
    case("LeakyRelu", (1, 4), kind="opaque", alpha=0.3),
    case("LeakyRelu", (1, 4), kind="relu", alpha=0.0),
    case("PRelu", IMAGE, numbers(3, 1, 1), kind="opaque"),
    case("Elu", (1, 4), kind="opaque"),
    case("Elu", (1, 4), kind="opaque", alpha=0.7),
    case("Celu", (1, 4), kind="opaque", alpha=0.7),
    case("Selu", (1, 4), kind="opaque"),
    case("HardSigmoid", (1, 4), kind="opaque"),
    case("HardSigmoid", (1, 4), kind="opaque", alpha=0.4, beta=0.1),
    case("ThresholdedRelu", (1, 9), kind="opaque", alpha=0.4),
    case("ThresholdedRelu", (1, 9), kind="relu", alpha=0.0),
    case("Gelu", (1, 9), kind="opaque", opset=20),
    case("Gelu", (1, 9), kind="opaque", opset=20, approximate="tanh"),
    case("Mish", (1, 9), kind="opaque", opset=18),
    *(
        case(operator, (1, 9), kind="opaque")
        for operator in (
            *("Abs", "Ceil", "Cos", "Erf", "Exp", "Floor", "HardSwish", "Round", "Sigmoid", "Sign", "Sin"),
            *("Softplus", "Softsign", "Tanh"),
        )
    ),
    *(case(operator, (1, 9), kind="opaque", positive=True) for operator in ("Log", "Sqrt", "Reciprocal")),
    *(
        case(operator, (1, 3, 4), kind="opaque", opset=opset, **options)
        for operator in ("Softmax", "LogSoftmax")
        for opset in (9, 13)
        for options in ({}, {"axis": 1}, {"axis": 2})
    ),
    case("LayerNormalization", (1, 3, 4), numbers(4), numbers(4, seed=1), kind="opaque", epsilon=1e-2),
    case("LayerNormalization", (1, 3, 4), numbers(3, 4), kind="opaque", axis=1),
    case("InstanceNormalization", IMAGE, numbers(3), numbers(3, seed=1), kind="opaque", epsilon=1e-2),
    case("LRN", (1, 6, 3, 2), kind="opaque", size=3, alpha=0.5),
    case("LRN", (1, 2, 3, 2), kind="opaque", size=5, alpha=0.5, beta=0.6, bias=2.0),
]

_POOL_OPTIONS: list[dict[str, Any]] = [
    {"kernel_shape": [2, 3]},
    {"kernel_shape": [2, 2], "strides": [2, 2]},
    {"kernel_shape": [3, 3], "strides": [2, 3], "pads": [1, 0, 2, 1]},
    {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    {"kernel_shape": [3, 3], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    {"kernel_shape": [3, 2], "strides": [2, 2], "auto_pad": "SAME_UPPER"},
    {"kernel_shape": [2, 2], "strides": [2, 3], "auto_pad": "SAME_LOWER"},
    {"kernel_shape": [3, 2], "auto_pad": "VALID"},
    {"kernel_shape": [2, 3], "dilations": [2, 2], "pads": [1, 1, 0, 0]},
]
_AXES: list[tuple[Any, ...]] = [(), ([1],), ([-1, 1],), ([2, 3],)]

POOLING = [
    *(case("MaxPool", IMAGE, kind="opaque", **options) for options in _POOL_OPTIONS),
    case("MaxPool", (1, 3, 9), kind="opaque", kernel_shape=[3], strides=[2]),
    case("MaxPool", (1, 2, 5, 4, 6), kind="opaque", kernel_shape=[2, 2, 3], pads=[1, 0, 0, 0, 1, 1]),
    *(case("AveragePool", IMAGE, opset=19, **options) for options in _POOL_OPTIONS),
    *(case("AveragePool", IMAGE, opset=19, count_include_pad=1, **options) for options in _POOL_OPTIONS),
    case("AveragePool", ("N", 3, 9), opset=9, kernel_shape=[3], strides=[2], pads=[1, 1]),
    case("AveragePool", (1, 2, 5, 4, 6), kernel_shape=[2, 2, 3], pads=[1, 0, 0, 0, 1, 1]),
    case("GlobalAveragePool", IMAGE),
    case("GlobalAveragePool", ("N", 3, 5)),
    case("GlobalMaxPool", IMAGE, kind="opaque"),
    *(
        case(operator, IMAGE, opset=11, keepdims=keep, kind=kind, **({"axes": axes[0]} if axes else {}))
        for operator, kind in (("ReduceMean", "affine"), ("ReduceSum", "affine"), ("ReduceMax", "opaque"))
        for axes in _AXES
        for keep in (0, 1)
    ),
    *(
        case(operator, IMAGE, *(integers(*a) for a in axes), opset=18, keepdims=keep, kind=kind)
        for operator, kind in (("ReduceMean", "affine"), ("ReduceSum", "affine"), ("ReduceMax", "opaque"))
        for axes in _AXES
        for keep in (0, 1)
    ),
    case("ReduceSum", IMAGE, noop_with_empty_axes=1),
    *(
        case(operator, IMAGE, kind="opaque", axes=[1, 3])
        for operator in (
            "ReduceMin",
            "ReduceProd",
            "ReduceL1",
            "ReduceL2",
            "ReduceSumSquare",
            "ReduceLogSumExp",
        )
    ),
]

MOVEMENT = [
    *(case("Flatten", (1, 3, 4, 2), axis=axis) for axis in (0, 1, 2, 3, 4, -1, -3)),
    *(
        case("Reshape", (1, 3, 4, 2), integers(*shape))
        for shape in ((1, 24), (-1, 24), (1, -1, 2), (0, 0, -1), (0, 4, 3, 2), (24,))
    ),
    case("Reshape", (1, 3, 4), integers(1, 12), allowzero=1),
    case("Transpose", (1, 3, 4, 2)),
    case("Transpose", ("N", 3, 4, 2), perm=[0, 2, 3, 1]),
    case("Squeeze", (1, 3, 1, 4, 1)),
    case("Squeeze", (1, 3, 1, 4, 1), integers(2, -1)),
    case("Squeeze", (1, 3, 1, 4, 1), opset=11, axes=[2]),
    case("Unsqueeze", (1, 3, 4), integers(1, -1)),
    case("Unsqueeze", (1, 3, 4), integers(3, 1)),
    case("Unsqueeze", (1, 3, 4), opset=11, axes=[0, 2]),
    case("Pad", (1, 3, 4), opset=9, pads=[0, 1, 2, 0, 0, 1]),
    case("Pad", (1, 3, 4), opset=9, pads=[0, 1, 2, 0, 0, 1], value=1.5),
    case("Pad", (1, 3, 4), integers(0, 1, 2, 0, 0, 1)),
    case("Pad", (1, 3, 4), integers(0, 1, 2, 0, 0, 1), np.float32(-2)),
    case("Pad", (1, 3, 4), integers(0, -1, 2, 0, 0, -2), np.float32(-2)),
    case("Pad", (1, 3, 4), integers(2, 1), np.float32(1), integers(-1), opset=18),
    *(case("Pad", (1, 3, 4), integers(0, 1, 2, 0, 2, 3), mode=mode) for mode in ("reflect", "edge")),
    case("Pad", (1, 3, 1), integers(0, 0, 2, 0, 0, 1), mode="edge"),
    case("Pad", (1, 3, 4), integers(0, 1, 2, 0, 2, 3), mode="wrap", opset=19),
    case("Slice", (1, 6, 5), integers(1), integers(4), integers(1)),
    case("Slice", (1, 6, 5), integers(0, 1, 0), integers(1, 99, 3)),
    case("Slice", (1, 6, 5), integers(-4, 4), integers(-1, -99), integers(1, -1), integers(2, -1)),
    case("Slice", (1, 6, 5), integers(99), integers(np.iinfo(np.int64).min), integers(1), integers(-2)),
    case("Slice", (1, 6, 5), integers(0), integers(np.iinfo(np.int64).max), integers(2), integers(3)),
    case("Slice", (1, 6, 5), opset=9, starts=[1, 0], ends=[-1, 3], axes=[1, 2]),
    case("Slice", (1, 6, 5), opset=9, starts=[0, 2], ends=[1, 5]),
    case("Gather", (1, 6, 5), integers(2, 0, -1, 2), axis=1),
    case("Gather", (1, 6, 5), np.array(3), axis=2),
    case("Gather", (1, 6, 5), np.array([[0, 1], [2, -2]], dtype=np.int32), axis=-1),
    case("Expand", (1, 3, 1), integers(2, 1, 4)),
    case("Expand", (3, 1), integers(2, 1, 4)),
    case("Tile", (1, 3, 2), integers(1, 2, 3)),
    case("DepthToSpace", (1, 8, 2, 3), blocksize=2),
    case("DepthToSpace", (1, 8, 2, 3), blocksize=2, mode="CRD"),
    case("SpaceToDepth", (1, 2, 4, 6), blocksize=2),
    case("Identity", (1, 3)),
    case("Dropout", (1, 3), opset=11, ratio=0.3),
    case("Dropout", (1, 3), np.float32(0.3), np.array(False)),
    case("Cast", (1, 3), to=TensorProto.FLOAT),
    case("Split", (1, 6, 2), outputs=3, axis=1),
    case("Split", (1, 6, 2), opset=11, outputs=2, axis=1, split=[1, 5]),
    case("Split", (1, 6, 2), integers(4, 2), outputs=2, axis=-2),
    case("Split", (1, 7, 2), opset=18, outputs=3, axis=1, num_outputs=3),
]

_SCALES = np.float32([1, 1, 2, 1.5])
RESIZING = [
    case("Upsample", (1, 2, 3, 4), _SCALES, opset=9, mode="nearest"),
    case("Upsample", (1, 2, 3, 4), opset=7, scales=[1.0, 1.0, 2.0, 2.0]),
    case("Upsample", (1, 2, 3, 4), _SCALES, opset=9, mode="linear"),
    case("Resize", (1, 2, 3, 4), np.float32([1, 1, 2, 2]), opset=10),
    case("Resize", (1, 2, 5, 6), np.float32([1, 1, 0.6, 0.5]), opset=10, mode="linear"),
    *(
        case("Resize", (1, 2, 3, 5), None, _SCALES, mode=mode, coordinate_transformation_mode=rule)
        for mode in ("nearest", "linear")
        for rule in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
    ),
    *(
        case("Resize", (1, 2, 3, 5), None, None, integers(1, 2, 4, 8), mode=mode, nearest_mode=rounding)
        for mode in ("nearest", "linear")
        for rounding in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    ),
    case("Resize", (1, 2, 3, 5), None, None, integers(1, 2, 2, 3), mode="linear"),
    case(
        *("Resize", (1, 2, 3, 5), None, np.float32([2.3, 1.7])),
        opset=19,
        axes=[2, 3],
        mode="linear",
        coordinate_transformation_mode="half_pixel_symmetric",
    ),
]

CASES = [*CONVOLUTIONS, *PRODUCTS, *ARITHMETIC, *ACTIVATIONS, *POOLING, *MOVEMENT, *RESIZING]


def samples(network: Network, positive: bool = False) -> np.ndarray:
    x = numbers(3, *network.input_shape, seed=7)
    return np.abs(x) + np.float32(0.1) if positive else x


def check(path: Path, positive: bool = False) -> Network:
    """Compare a network with onnxruntime and account for all of its nodes."""
    network = trace(path)
    x = samples(network, positive)
    source = next(entry for entry in onnx.load(path).graph.input if entry.name in {"x", *INPUTS})
    shape = [dim.dim_value for dim in source.type.tensor_type.shape.dim]
    if shape[0]:
        expected = np.stack([evaluate(path, sample.reshape(shape)) for sample in x])
    else:
        expected = evaluate(path, x)
    got = network.forward(x)
    assert got.shape == (3, *network.output_shape)
    assert np.abs(got - expected.reshape(got.shape)).max() <= 1e-5 * np.abs(expected).max()
    check_layers(network, x)
    counts = accounts(network, path)
    assert set(counts.values()) <= {0, 1}
    return network


def check_layers(network: Network, x: np.ndarray) -> None:
    """Every layer takes its samples in its own shape."""
    for layer, before in network.walk(x):
        shaped = layer.apply(before.reshape(-1, *layer.in_shape))
        assert shaped.shape == (3, *(layer.out_shape if len(layer.in_shape) > 1 else (layer.m,)))
        assert torch.equal(shaped.reshape(3, -1), layer.apply(before))


def accounts(network: Network, path: Path) -> dict[str, int]:
    """Count the places in which each node of a file is listed."""
    model = onnx.load(path)
    names = [node.name for node in model.graph.node if node.op_type != "Constant"]
    listed = [name for nodes in network.nodes.values() for name in nodes]
    listed = [*dict.fromkeys(listed), *(entry.node for entry in network.skipped)]
    return {name: listed.count(name) for name in names}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_operator(case: Case, tmp_path: Path):
    graph = Graph(case.shape, case.opset)
    result = graph.add(case.operator, "x", *case.constants, name="node", outputs=case.outputs, **case.options)
    if case.outputs > 1:
        result = graph.add("Concat", *result[::-1], name="join", axis=1)
    output = graph.through_relus(result)
    network = check(save(graph.model(output), tmp_path), case.positive)
    skipped = {entry.node: entry for entry in network.skipped}
    if case.kind == "opaque":
        assert skipped["node"].operator == case.operator
        assert "affine" in skipped["node"].reason or "depend on the input" in skipped["node"].reason
    elif case.kind == "relu":
        assert network["node"].source == "input"
    else:
        assert network["positive"].source == network["negative"].source == "input"
        assert "node" in network.nodes["positive"]
    # The last subtraction joins two activations.
    assert all(accounts(network, tmp_path / "model.onnx")[name] == 1 for name in ("node", "positive"))


def residual(graph: Graph) -> str:
    hidden = graph.add("Relu", graph.add("Conv", "x", numbers(3, 3, 3, 3), pads=[1, 1, 1, 1]))
    branch = graph.add("Conv", hidden, numbers(3, 3, 1, 1))
    return graph.add("Relu", graph.add("Add", branch, hidden))


def two_sources(graph: Graph) -> str:
    first = graph.add("Relu", "x")
    second = graph.add("Relu", graph.add("Conv", first, numbers(3, 3, 1, 1)))
    joined = graph.add("Concat", first, numbers(1, 2, 7, 8), second, "x", axis=1)
    return graph.add("Relu", graph.add("Sub", joined, graph.add("Mul", joined, np.float32(2))))


def products_of_values(graph: Graph) -> str:
    h = graph.add("Relu", "x")
    turned = graph.add("Transpose", h, perm=[0, 1, 3, 2])
    product = graph.add("MatMul", h, turned)
    gate = graph.add("Sigmoid", product)
    gated = graph.add("Mul", product, gate)
    quotient = graph.add("Div", gated, graph.add("Add", gate, np.float32(1)))
    inverse = graph.add("Div", np.float32(3), graph.add("Exp", quotient))
    return graph.add("Max", graph.add("Min", inverse, quotient), gate, np.float32(0.1))


def gemm_of_values(graph: Graph) -> str:
    h = graph.add("Relu", graph.add("Reshape", "x", integers(6, 28)))
    return graph.add("Gemm", h, h, transB=1, alpha=0.5)


def weight_on_the_left(graph: Graph) -> str:
    h = graph.add("Relu", graph.add("MatMul", numbers(5, 7), "x"))
    h = graph.add("MatMul", numbers(3, 4, 5), h)
    h = graph.add("MatMul", numbers(4), h)
    return graph.add("MatMul", numbers(2, 3), graph.add("Relu", h))


def weight_on_the_left_of_a_vector(graph: Graph) -> str:
    h = graph.add("Reshape", "x", integers(-1))
    h = graph.add("Relu", graph.add("MatMul", numbers(5, 168), h))
    return graph.add(
        "Gemm", numbers(4, 5), graph.add("Reshape", h, integers(5, 1)), graph.add("MatMul", numbers(5), h)
    )


def bias_that_depends(graph: Graph) -> str:
    h = graph.add("Relu", graph.add("Flatten", "x"))
    small = graph.add("MatMul", h, numbers(168, 4))
    return graph.add("Relu", graph.add("Gemm", h, numbers(168, 4, seed=1), small, beta=2.0))


def computed_shapes(graph: Graph) -> str:
    """What exporters write for ``x.view(len(x), -1)`` and ``expand``."""
    h = graph.add("Relu", "x")
    shape = graph.add("Shape", h)
    batch = graph.add("Gather", shape, np.array(0), axis=0)
    rows = graph.add("Concat", graph.add("Unsqueeze", batch, integers(0)), integers(-1), axis=0)
    flat = graph.add("Reshape", h, rows)
    tail = graph.add("Slice", shape, integers(1), integers(4), integers(0))
    size = graph.add("ReduceProd", graph.add("Cast", tail, to=TensorProto.INT32), keepdims=0)
    count = graph.add("Cast", graph.add("Div", size, np.array(2, dtype=np.int32)), to=TensorProto.INT64)
    places = graph.add("Range", np.array(0), graph.add("Add", count, np.array(1)), np.array(2))
    h = graph.add("Gather", flat, places, axis=1)
    fill = graph.add(
        "ConstantOfShape", integers(2), value=helper.make_tensor("v", TensorProto.INT64, [1], [-1])
    )
    wanted = graph.add("Where", graph.add("Equal", fill, integers(-1, -1)), integers(1, 1), fill)
    h = graph.add("Expand", h, graph.add("Mul", wanted, integers(3, 1)))
    return graph.add(
        "Relu", graph.add("Sub", h, graph.add("Cast", graph.add("Size", "x"), to=TensorProto.FLOAT))
    )


def computed_weights(graph: Graph) -> str:
    scale = graph.add("Exp", numbers(4))
    weight = graph.add("Transpose", graph.add("Mul", numbers(5, 4), scale))
    weight = graph.add("Cast", graph.add("Cast", weight, to=TensorProto.DOUBLE), to=TensorProto.FLOAT)
    weight = graph.add("MatMul", graph.add("Softmax", numbers(168, 4)), weight)
    bias = graph.add("GlobalAveragePool", graph.add("Conv", numbers(1, 2, 4, 4), numbers(5, 2, 2, 2)))
    h = graph.add("Add", graph.add("MatMul", graph.add("Flatten", "x"), weight), graph.add("Flatten", bias))
    return graph.add("Relu", graph.add("Clip", h, graph.add("Neg", np.float32(np.inf))))


def constants_by_nodes(graph: Graph) -> str:
    h = graph.add("Add", "x", graph.add("Constant", value_float=0.5))
    h = graph.add("Mul", h, graph.add("Constant", value_floats=[1.0] * 8))
    value = helper.make_tensor("v", TensorProto.FLOAT, [1, 3, 1, 1], [1.0, 2.0, -1.0])
    h = graph.add("Mul", h, graph.add("Constant", value=value))
    h = graph.add("Reshape", h, graph.add("Constant", value_ints=[1, 3, 56]))
    h = graph.add("Squeeze", graph.add("Unsqueeze", h, graph.add("Constant", value_ints=[0])), integers(0))
    return graph.add("Relu", graph.add("Gather", h, graph.add("Constant", value_int=1), axis=1))


def patterns(graph: Graph) -> str:
    pattern = graph.add("And", graph.add("Less", numbers(7, 8), np.float32(0.5)), np.array(True))
    h = graph.add("Where", pattern, "x", numbers(1, 3, 1, 8))
    h = graph.add("Relu", h)
    return graph.add("Where", graph.add("Not", pattern), h, graph.add("Neg", h))


def pieces(graph: Graph) -> str:
    first, _, third = graph.add("Split", "x", integers(1, 1, 1), axis=1, outputs=3)
    other = graph.add("Relu", graph.add("Add", first, third))
    return graph.add(
        "Relu", graph.add("Concat", other, graph.add("MaxPool", third, kernel_shape=[1, 1]), axis=2)
    )


def half_precision(graph: Graph) -> str:
    h = graph.add("Cast", graph.add("Mul", "x", np.float32(0.3)), to=TensorProto.FLOAT16)
    h = graph.add("Cast", h, to=TensorProto.FLOAT)
    return graph.add("Relu", graph.add("Neg", h))


GRAPHS = [
    residual,
    two_sources,
    products_of_values,
    gemm_of_values,
    weight_on_the_left,
    weight_on_the_left_of_a_vector,
    bias_that_depends,
    computed_shapes,
    computed_weights,
    constants_by_nodes,
    patterns,
    pieces,
    half_precision,
]


@pytest.mark.parametrize("build", GRAPHS, ids=lambda build: build.__name__)
def test_graph(build: Callable[[Graph], str], tmp_path: Path):
    graph = Graph(IMAGE)
    check(save(graph.model(build(graph)), tmp_path))


@pytest.mark.parametrize("name", REAL)
def test_real_model(name: str, data_folder: Path):
    path = data_folder / "onnx" / f"{name}.onnx"
    network = check(path)
    assert network.origin == path.name
    assert len(network) >= 1


@pytest.mark.parametrize("name", REAL)
def test_real_models_are_accounted_for(name: str, data_folder: Path):
    path = data_folder / "onnx" / f"{name}.onnx"
    network = trace(path)
    nodes = onnx.load(path).graph.node
    layered = {node for names in network.nodes.values() for node in names}
    skipped = [entry.node for entry in network.skipped]
    assert len(skipped) == len(set(skipped))
    assert not layered & set(skipped)
    assert len(layered) + len(skipped) == len(nodes)
    if all(node.name for node in nodes):
        assert layered | set(skipped) == {node.name for node in nodes}


def exported(model: nn.Module, x: torch.Tensor, path: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model, (x,), path, dynamo=True, external_data=False, verbose=False)
    return path


class SmallCNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1, stride=2)
        self.norm = nn.BatchNorm2d(4)
        self.conv2 = nn.Conv2d(4, 6, 3, groups=2, bias=False)
        self.pool = nn.AvgPool2d(2, ceil_mode=True)
        self.drop = nn.Dropout()
        self.fc1 = nn.Linear(54, 20)
        self.fc2 = nn.Linear(20, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.norm(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        x = self.drop(torch.relu(self.fc1(x.reshape(x.shape[0], -1))))
        return torch.softmax(self.fc2(x), dim=1)


def test_exported_cnn(tmp_path: Path):
    torch.manual_seed(0)
    model = SmallCNN().eval()
    model.norm.running_mean += 0.5
    path = exported(model, torch.zeros(1, 1, 14, 14), tmp_path / "cnn.onnx")
    network = check(path)
    assert list(network) == ["conv1", "conv2", "fc1"]
    assert [entry.operator for entry in network.skipped] == ["Gemm", "Softmax"]
    x = torch.randn(4, 1, 14, 14)
    difference = network.forward(x) - model(x)
    assert difference.abs().max() < 1e-5


def test_exported_sequence_model(tmp_path: Path):
    """Linear maps along the last axis, whose exported weights are transposed."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 9), nn.ReLU(), nn.LayerNorm(9), nn.Linear(9, 4), nn.ReLU()).eval()
    network = check(exported(model, torch.zeros(1, 5, 6), tmp_path / "sequence.onnx"))
    assert [layer.m for layer in network.values()] == [45, 20]


def test_reference_where_onnxruntime_gives_up(tmp_path: Path):
    """Even windows of LRN, against the evaluator of the onnx package."""
    from onnx.reference import ReferenceEvaluator

    graph = Graph((1, 6, 3, 2))
    output = graph.through_relus(graph.add("LRN", "x", size=4, alpha=0.5, beta=0.6, bias=2.0))
    path = save(graph.model(output), tmp_path)
    x = numbers(1, 6, 3, 2, seed=3)
    expected = ReferenceEvaluator(path).run(None, {"x": x})[0]
    assert np.allclose(trace(path).forward(x), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("batch", ["N", "", 0, None])
def test_unknown_batch_axis_becomes_one(batch: str | int | None, tmp_path: Path):
    graph = Graph((batch, 3))
    path = save(graph.model(graph.add("Relu", graph.add("Gemm", "x", numbers(3, 2)))), tmp_path)
    network = trace(path)
    assert (network.input_shape, network.output_shape) == ((3,), (2,))


def test_fixed_first_axis_is_part_of_the_sample(tmp_path: Path):
    graph = Graph((4, 3))
    network = check(save(graph.model(graph.add("Relu", graph.add("Gemm", "x", numbers(3, 2)))), tmp_path))
    assert (network.input_shape, network["relu_0"].m) == ((4, 3), 8)


def test_owner_of_a_weight_names_the_layer(tmp_path: Path):
    graph = Graph((1, 3))
    weight = graph.constant(numbers(4, 3), "encoder.fc.weight")
    hidden = graph.add("Relu", graph.add("MatMul", "x", graph.add("Transpose", weight)), name="act")
    other = graph.constant(numbers(4, 4), "weights")
    network = check(
        save(graph.model(graph.add("Relu", graph.add("MatMul", hidden, other), name="last")), tmp_path)
    )
    assert list(network) == ["encoder.fc", "last"]
    assert network["act"] is network["encoder.fc"]


def test_names_are_unique(tmp_path: Path):
    graph = Graph((1, 3))
    t = graph.add("Relu", "x", name="input")
    t = graph.add("Relu", graph.add("Neg", t, name="relu_1"), name="x")
    t = graph.add("Relu", graph.add("Neg", t), name="same")
    t = graph.add("Relu", graph.add("Neg", t, name="same"))
    network = check(save(graph.model(t), tmp_path))
    assert list(network) == ["input_1", "x_1", "same", "relu_3"]
    assert [network.nodes[name] for name in ("x_1", "same")] == [("relu_1", "x_1"), ("neg_1", "same")]
    assert network.nodes["relu_3"] == ("same_1", "relu_3")


def test_what_the_first_output_does_not_need(tmp_path: Path):
    graph = Graph((1, 3))
    graph.constant(numbers(2), "spare")
    hidden = graph.add("Relu", "x", name="first")
    aside = graph.add("Tanh", hidden, name="aside")
    graph.add("Exp", aside, name="dead")
    measured = graph.add("Shape", graph.add("Neg", hidden, name="measured"))
    output = graph.add("Reshape", graph.add("Relu", graph.add("Neg", hidden)), measured, name="last")
    path = save(graph.model(output, aside), tmp_path)
    network = trace(path)
    reasons = {entry.node: (entry.operator, entry.reason) for entry in network.skipped}
    assert reasons["aside"] == ("Tanh", "leads only to output 't1_0'")
    assert reasons["dead"] == ("Exp", "nothing reads its result")
    assert reasons["measured"] == ("Neg", "only the shape of its result is used")
    assert reasons["spare"] == ("initializer", "no node reads it")
    assert reasons["last"][1] == "affine, but no ReLU follows it"
    assert len(reasons) == 5


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE])
def test_weights_are_copied_exactly(kind: int, tmp_path: Path):
    graph = Graph((1, 3))
    weight = numbers(3, 4).astype(helper.tensor_dtype_to_np_dtype(kind))
    path = save(graph.model(graph.add("Relu", graph.add("MatMul", "x", weight)), kind=kind), tmp_path)
    assert np.array_equal(trace(path)["relu_0"].dense().numpy(), weight.astype(np.float64).T)


def simple(tmp_path: Path) -> Path:
    graph = Graph((1, 3))
    return save(graph.model(graph.add("Relu", graph.add("MatMul", "x", numbers(3, 500)))), tmp_path)


def test_external_data(tmp_path: Path):
    path = simple(tmp_path)
    expected = trace(path).forward(numbers(2, 3))
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights", size_threshold=0)
    assert np.array_equal(trace(path).forward(numbers(2, 3)), expected)
    (tmp_path / "weights").unlink()
    with refused("model.onnx: not a readable ONNX model"):
        trace(path)


def test_external_data_outside_the_folder(tmp_path: Path):
    (tmp_path / "secret").write_bytes(bytes(6000))
    folder = tmp_path / "inside"
    folder.mkdir()
    path = simple(folder)
    model = onnx.load(path)
    onnx.external_data_helper.set_external_data(model.graph.initializer[0], "../secret")
    model.graph.initializer[0].ClearField("raw_data")
    path.write_bytes(model.SerializeToString())
    with refused("model.onnx: not a readable ONNX model"):
        trace(path)


def refused(*parts: str) -> Any:
    """Expect a `ModelError` of one line that contains all parts."""

    class Refused:
        def __enter__(self) -> None:
            pass

        def __exit__(self, kind: Any, error: BaseException, trace: Any) -> bool:
            assert isinstance(error, ModelError), f"expected a ModelError, got {error!r}"
            assert "\n" not in str(error)
            assert not [part for part in parts if part not in str(error)], str(error)
            return True

    return Refused()


@pytest.mark.parametrize("keep", [0, 1, 10, 100, 3000, -10, -1])
def test_truncated_file(keep: int, tmp_path: Path):
    path = simple(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with refused("model.onnx: not a", "ONNX model ("):
        trace(path)


@pytest.mark.parametrize("seed", range(20))
def test_damaged_file(seed: int, tmp_path: Path):
    """Whatever bytes change, the answer is a network or one clear error."""
    path = simple(tmp_path)
    data = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    header = [k for k in range(len(data)) if k < 80 or k > len(data) - 150]
    for place in rng.choice(header, size=3):
        data[place] = rng.integers(256)
    path.write_bytes(data)
    try:
        trace(path)
    except ModelError as error:
        assert "\n" not in str(error)
        assert str(error).startswith(str(path)) or str(error).startswith("model.onnx")


def test_garbage(tmp_path: Path):
    path = tmp_path / "model.onnx"
    path.write_bytes(np.random.default_rng(0).bytes(5000))
    with refused("model.onnx: not a readable ONNX model"):
        trace(path)


def test_missing_file_and_wrong_suffix(tmp_path: Path):
    with refused("absent.onnx: no such file"):
        trace(tmp_path / "absent.onnx")
    path = tmp_path / "model.h5"
    path.write_bytes(b"")
    with refused("model.h5", ".onnx or .pt2"):
        trace(path)


def test_missing_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = simple(tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'unrelu\[onnx\]'"):
        trace(path)


def test_two_inputs(tmp_path: Path):
    graph = Graph((1, 3))
    second = helper.make_tensor_value_info("mask", TensorProto.FLOAT, [1, 3])
    path = save(graph.model(graph.add("Relu", graph.add("Add", "x", "mask")), inputs=[second]), tmp_path)
    with refused("model.onnx", "exactly one input", "'x', 'mask'"):
        trace(path)


def nan_weight(graph: Graph) -> str:
    weight = graph.constant(np.float32([[1, np.nan], [2, np.inf], [0, 1]]), "w")
    return graph.add("MatMul", "x", weight, name="product")


def inf_computed(graph: Graph) -> str:
    return graph.add("Add", "x", graph.add("Div", np.float32(1), np.float32(0)), name="sum")


def unknown_operator(graph: Graph) -> str:
    return graph.add("Det", graph.add("Reshape", "x", integers(1, 1, 1, 3)), name="det")


def foreign_operator(graph: Graph) -> str:
    return graph.add("FusedGemm", "x", numbers(3, 3), name="fused", domain="com.example")


def training_norm(graph: Graph) -> str:
    statistics = [numbers(3), numbers(3), numbers(3), np.ones(3, dtype=np.float32)]
    return graph.add("BatchNormalization", "x", *statistics, name="norm", outputs=3, training_mode=1)[0]


def negative_variance(graph: Graph) -> str:
    statistics = [numbers(3), numbers(3), numbers(3), -np.ones(3, dtype=np.float32)]
    return graph.add("BatchNormalization", "x", *statistics, name="norm")


def training_dropout(graph: Graph) -> str:
    return graph.add("Dropout", "x", np.float32(0.5), np.array(True), name="drop")


def computed_weight(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    return graph.add("Conv", image, image, name="conv")


def int8_weight(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    return graph.add("Conv", image, np.ones((1, 1, 2), dtype=np.int8), name="conv")


def large_kernel(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    return graph.add("Conv", image, numbers(1, 1, 5), name="conv")


def wrong_channels(graph: Graph) -> str:
    return graph.add("Conv", graph.add("Reshape", "x", integers(1, 1, 3)), numbers(1, 2, 2), name="conv")


def wrong_length(graph: Graph) -> str:
    return graph.add("MatMul", "x", numbers(4, 2), name="product")


def wrong_reshape(graph: Graph) -> str:
    return graph.add("Reshape", "x", integers(1, 4), name="view")


def wrong_broadcast(graph: Graph) -> str:
    return graph.add("Add", "x", numbers(2), name="sum")


def huge_tile(graph: Graph) -> str:
    return graph.add("Tile", "x", integers(10**6, 10**6), name="tile")


def huge_fill(graph: Graph) -> str:
    return graph.add("Add", "x", graph.add("ConstantOfShape", integers(10**9, 3), name="fill"))


def huge_pads(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    return graph.add("Conv", image, numbers(1, 1, 2), pads=[10**9, 10**9], name="conv")


def indices_of_pool(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 3))
    _, places = graph.add("MaxPool", image, kernel_shape=[2], outputs=2, name="pool")
    return graph.add("Relu", graph.add("Cast", places, to=TensorProto.FLOAT), name="reader")


def integer_cast(graph: Graph) -> str:
    return graph.add("Cast", graph.add("Cast", "x", to=TensorProto.INT64, name="cast"), to=TensorProto.FLOAT)


def computed_indices(graph: Graph) -> str:
    return graph.add(
        "Slice", "x", integers(0), graph.add("ReduceMax", "x", keepdims=0), integers(1), name="cut"
    )


def cubic(graph: Graph) -> str:
    image = graph.add("Reshape", "x", integers(1, 1, 1, 3))
    return graph.add("Resize", image, None, np.float32([1, 1, 2, 2]), mode="cubic", name="resize")


def empty(graph: Graph) -> str:
    return graph.add("Slice", "x", integers(2), integers(2), integers(1), name="cut")


def zero_divisor(graph: Graph) -> str:
    return graph.add("Div", "x", np.float32([1, 0, 1]), name="quotient")


def control_flow(graph: Graph) -> str:
    branch = helper.make_graph(
        [helper.make_node("Neg", ["x"], ["b"])],
        "branch",
        [],
        [helper.make_tensor_value_info("b", TensorProto.FLOAT, [1, 3])],
    )
    return graph.add("If", np.array(True), then_branch=branch, else_branch=branch, name="if")


REFUSED = [
    (nan_weight, ("node 'product' (MatMul)", "initializer 'w'", "2 NaN or infinite")),
    (inf_computed, ("node 'sum' (Add)", "constant 't0_0'", "NaN or infinite")),
    (unknown_operator, ("node 'det' has the unknown operator 'Det'; known operators: Abs, Add, ",)),
    (foreign_operator, ("node 'fused'", "'FusedGemm'", "'com.example'")),
    (training_norm, ("node 'norm' (BatchNormalization)", "training mode")),
    (negative_variance, ("node 'norm' (BatchNormalization)", "positive variance")),
    (training_dropout, ("node 'drop' (Dropout)", "training mode")),
    (computed_weight, ("node 'conv' (Conv)", "constant weight")),
    (int8_weight, ("node 'conv' (Conv)", "int8")),
    (large_kernel, ("node 'conv' (Conv)", "smaller than the kernel")),
    (wrong_channels, ("node 'conv' (Conv)", "(2, 1 spatial axes)")),
    (wrong_length, ("node 'product' (MatMul)", "(4, 2)")),
    (wrong_reshape, ("node 'view' (Reshape)", "[1, 4]")),
    (wrong_broadcast, ("node 'sum' (Add)",)),
    (huge_tile, ("node 'tile'", "at most")),
    (huge_fill, ("node 'fill'", "at most")),
    (huge_pads, ("node 'conv'", "at most")),
    (indices_of_pool, ("no supported node writes",)),
    (integer_cast, ("node 'cast' (Cast)", "int64")),
    (computed_indices, ("node 'cut' (Slice)", "constant ends")),
    (cubic, ("node 'resize' (Resize)", "'cubic'")),
    (empty, ("node 'cut' (Slice)", "empty")),
    (zero_divisor, ("node 'quotient' (Div)", "divides by zero")),
    (control_flow, ("node 'if'", "'If'")),
]


@pytest.mark.parametrize(("build", "parts"), REFUSED, ids=lambda entry: getattr(entry, "__name__", ""))
def test_refused(build: Callable[[Graph], str], parts: tuple[str, ...], tmp_path: Path):
    graph = Graph((1, 3))
    model = graph.model(graph.add("Relu", build(graph)), infer=False)
    with refused("model.onnx: ", *parts):
        trace(save(model, tmp_path))


@pytest.mark.parametrize(
    ("shape", "kind", "parts"),
    [
        ((1, "length"), TensorProto.FLOAT, ("input 'x'", "axis 1", "length")),
        ((1, 10**10), TensorProto.FLOAT, ("input 'x'", "at most")),
        ((1, 3), TensorProto.INT64, ("input 'x'", "INT64")),
        (None, TensorProto.FLOAT, ("input 'x'", "shape")),
    ],
)
def test_refused_input(shape: Any, kind: int, parts: tuple[str, ...], tmp_path: Path):
    graph = Graph(shape)
    with refused("model.onnx: ", *parts):
        trace(save(graph.model(graph.add("Relu", "x"), kind=kind, infer=False), tmp_path))


def test_refused_graphs(tmp_path: Path):
    graph = Graph((1, 3))
    with refused("model.onnx: the network has no ReLU"):
        trace(save(graph.model(graph.add("Neg", "x")), tmp_path))
    with refused("model.onnx: output", "does not depend on the input"):
        trace(save(graph.model(graph.add("Relu", numbers(2))), tmp_path))
    graph = Graph((1, 3), opset=6)
    with refused("model.onnx: ", "opset 7"):
        trace(save(graph.model(graph.add("Relu", "x")), tmp_path))
    graph = Graph((1, 3))
    model = graph.model(graph.add("Relu", "x"))
    model.graph.sparse_initializer.add().values.name = "thin"
    with refused("model.onnx: "):
        trace(save(model, tmp_path))


def test_a_converter_is_registered_once():
    with pytest.raises(ValueError, match="'Relu' has a converter already"):
        converts("Relu")(lambda op: op.value(0))
