"""Layers written as ONNX, read back by both readers and run by the reference evaluator of onnx."""

import sys

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator
from torch import nn

import unrelu
from tests.recipes import RECIPES
from unrelu import ReLULayer
from unrelu.certificates import read_onnx
from unrelu.errors import ArgumentError, MissingExtraError
from unrelu.layers.from_onnx._interface import declared_shapes
from unrelu.layers.to_onnx import layer_model, model_shapes

CONVOLUTIONS = {
    "plain": (nn.Conv2d(2, 3, 3), (2, 5, 6)),
    "options": (nn.Conv2d(4, 6, (2, 3), stride=(2, 1), padding=(1, 2), dilation=(1, 2), groups=2), (4, 6, 7)),
    "line": (nn.Conv1d(2, 3, 4, padding="same"), (2, 7)),
    "space": (nn.Conv3d(1, 2, 2, bias=False), (1, 3, 4, 3)),
}


def written(layer, folder):
    path = folder / "layer.onnx"
    path.write_bytes(layer_model(layer))
    return path


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "no_rows"])
def test_numbers_come_back(name, tmp_path):
    layer = RECIPES[name]().layer
    path = written(layer, tmp_path)
    for read in (unrelu.trace(path)[0].record(), read_onnx(path)["relu"]):
        again = ReLULayer(dense(read), read.bias)
        assert torch.equal(again.dense(), layer.dense())
        assert torch.equal(again.bias, layer.bias)
    assert declared_shapes(path) == model_shapes(layer)


def dense(record):
    matrix = np.zeros((record.m, record.n))
    matrix[np.repeat(np.arange(record.m), np.diff(record.starts)), record.columns] = record.values
    return matrix


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_convolutions(name, tmp_path):
    module, shape = CONVOLUTIONS[name]
    layer = ReLULayer.from_module(module, shape)
    layer.bias = layer.bias + torch.arange(layer.m) / 8  # one for each place
    model = onnx.load(written(layer, tmp_path))
    assert [node.op_type for node in model.graph.node] == ["Conv", "Add", "Relu"]
    kind = onnx.helper.tensor_dtype_to_np_dtype(model.graph.input[0].type.tensor_type.elem_type)
    x = np.random.default_rng(0).standard_normal((1, *shape)).astype(kind)
    (y,) = ReferenceEvaluator(model).run(None, {"x": x})
    np.testing.assert_allclose(y, layer.apply(x), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("weight", "kind"),
    [(0.5, onnx.TensorProto.FLOAT), (0.1, onnx.TensorProto.DOUBLE), (1e300, onnx.TensorProto.DOUBLE)],
)
def test_as_narrow_as_the_numbers_allow(weight, kind, tmp_path):
    graph = onnx.load(written(ReLULayer(np.full((2, 3), weight)), tmp_path)).graph
    kinds = {tensor.data_type for tensor in graph.initializer}
    kinds |= {entry.type.tensor_type.elem_type for entry in [*graph.input, *graph.output]}
    assert kinds == {kind}


def test_the_same_bytes_each_time():
    layer = RECIPES["generic"]().layer
    assert layer_model(layer) == layer_model(layer)


def test_without_onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"unrelu\[onnx\]"):
        layer_model(RECIPES["generic"]().layer)


def test_no_rows():
    with pytest.raises(ArgumentError, match="at least one row"):
        layer_model(RECIPES["no_rows"]().layer)
