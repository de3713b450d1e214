"""Shapes as a file declares them."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from unrelu.errors import ModelError
from unrelu.layers.from_onnx._interface import declared_shapes


def save(path, inputs, outputs):
    """Write a model whose tensors are copies of its first input."""
    ends = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in side.items()]
        for side in (inputs, outputs)
    ]
    nodes = [helper.make_node("Identity", [next(iter(inputs))], [name]) for name in outputs]
    constant = numpy_helper.from_array(np.ones(3, dtype=np.float32), "W")
    onnx.save(helper.make_model(helper.make_graph(nodes, "graph", *ends, [constant])), path)
    return path


@pytest.mark.parametrize(
    ("shape", "known"),
    [
        ([1, 3, 4], (1, 3, 4)),
        (["batch", 3, 4], (1, 3, 4)),
        ([None, 5], (1, 5)),
        ([2, 5], (2, 5)),
        ([5], (5,)),
        ([], ()),
    ],
)
def test_shapes(shape, known, tmp_path):
    path = save(tmp_path / "model.onnx", {"x": shape, "W": [3]}, {"y": shape})
    assert declared_shapes(path) == declared_shapes(str(path)) == (known, known)


@pytest.mark.parametrize(
    ("inputs", "outputs", "told"),
    [
        ({"x": [1]}, {"y": [1], "z": [1]}, "got 1 and 2"),
        ({"x": [1], "u": [1]}, {"y": [1]}, "got 2 and 1"),
    ],
)
def test_one_input_and_one_output(inputs, outputs, told, tmp_path):
    with pytest.raises(ModelError, match=f"model.onnx: expected one input and one output, {told}"):
        declared_shapes(save(tmp_path / "model.onnx", inputs, outputs))


def test_no_model(tmp_path):
    (tmp_path / "junk.onnx").write_bytes(b"junk")
    for name in ("junk.onnx", "missing.onnx"):
        with pytest.raises(ModelError, match=f"{name}: not a readable ONNX model"):
            declared_shapes(tmp_path / name)
