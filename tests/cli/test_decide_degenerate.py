"""``unrelu decide`` on ONNX files of layers at the edge of what floating point holds."""

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from unrelu.certificates import load, verify


def save(path, weight, bias):
    """Write ``relu(W x + b)`` in double precision."""
    weight, bias = np.asarray(weight, dtype=np.float64), np.asarray(bias, dtype=np.float64)
    m, n = weight.shape
    nodes = [
        helper.make_node("Gemm", ["x", "W", "b"], ["h"], name="fc", transB=1),
        helper.make_node("Relu", ["h"], ["y"], name="act"),
    ]
    ends = [
        helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["batch", size])
        for name, size in (("x", n), ("y", m))
    ]
    numbers = [numpy_helper.from_array(weight, "W"), numpy_helper.from_array(bias, "b")]
    graph = helper.make_graph(nodes, "graph", ends[:1], ends[1:], numbers)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


PAIRS = np.array([[2.0, 1.0], [-2.0, -1.0], [1.0, 1.0], [-1.0, -1.0]])
LAYERS = {
    "zero column": ([[1.0, 0.0], [-1.0, 0.0], [2.0, 0.0]], np.ones(3), 3),
    "zeros": (np.zeros((3, 2)), np.ones(3), 3),
    "one row": ([[1.0, 2.0]], [1.0], 3),
    "one input": ([[1.0], [-1.0]], [-1.0, 1.0], 0),
    "one input, a gap": ([[1.0], [-1.0]], [-0.75, 0.5], 3),
    "repeated rows": (np.repeat(PAIRS, 3, axis=0), np.zeros(12), 0),
    "products overflow": (PAIRS * 1e200, np.full(4, 1e200), 0),
    "subnormal": (PAIRS * 5e-324, np.zeros(4), 0),
}


@pytest.mark.parametrize("domain", ["space", "orthant", "box:-1,1", "box:0.5,0.75", "ball:1"])
@pytest.mark.parametrize("name", LAYERS)
def test_verdicts(unrelu, tmp_path, name, domain):
    weight, bias, code = LAYERS[name]
    model, proof = tmp_path / "model.onnx", tmp_path / "proof.json"
    save(model, weight, bias)
    done = unrelu("decide", model, "--domain", domain, "--certificate", proof, "--json", "-")
    answer = json.loads(done.out)
    assert done.code == code or domain != "space"
    assert done.code == {"injective": 0, "not injective": 3}[answer["verdict"]], done.err
    assert verify(load(proof)).valid
    checked = unrelu("verify", proof, model)
    assert checked.code == 0, checked.out


def test_numbers_that_are_not_finite(unrelu, tmp_path):
    for name, weight in (("nan", [[np.nan, 1.0]]), ("inf", [[np.inf, 1.0]])):
        model = tmp_path / f"{name}.onnx"
        save(model, weight, [0.0])
        done = unrelu("decide", model)
        assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
        assert "fc" in done.err
    save(tmp_path / "bias.onnx", [[1.0, 1.0]], [np.inf])
    done = unrelu("decide", tmp_path / "bias.onnx")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)


def test_a_domain_without_inner_points(unrelu, tmp_path):
    model = tmp_path / "model.onnx"
    save(model, [[1.0, -1.0], [-1.0, 1.0]], [0.0, 0.0])
    done = unrelu("decide", model, "--layer", "act", "--domain", "box:1,1")
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert "domain: expected a box with inner points" in done.err
