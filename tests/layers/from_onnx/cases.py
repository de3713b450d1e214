"""Operators of ONNX with their options: one node each, to be compared with onnxruntime."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from onnx import TensorProto

from tests.layers.from_onnx.models import integers, numbers


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
            *(
                "Abs",
                "Asinh",
                "Atan",
                "Ceil",
                "Cos",
                "Erf",
                "Exp",
                "Floor",
                "HardSwish",
                "Round",
                "Sigmoid",
                "Sign",
                "Sin",
            ),
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
    case("RMSNormalization", (1, 3, 4), numbers(4), kind="opaque", opset=23, epsilon=1e-2),
    case("RMSNormalization", (1, 3, 4), numbers(3, 4), kind="opaque", opset=23, axis=1),
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
