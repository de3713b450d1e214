"""Operators one by one against onnxruntime."""

from pathlib import Path

import numpy as np
import pytest

from tests.layers.from_onnx.cases import CASES, Case
from tests.layers.from_onnx.checks import check
from tests.layers.from_onnx.models import Graph, numbers, save
from tests.layers.links.through import check_links
from unrelu.layers import trace


@pytest.mark.parametrize("case", CASES, ids=str)
def test_operator(case: Case, tmp_path: Path):
    graph = Graph(case.shape, case.opset)
    result = graph.add(case.operator, "x", *case.constants, name="node", outputs=case.outputs, **case.options)
    if case.outputs > 1:
        result = graph.add("Concat", *result[::-1], name="join", axis=1)
    output = graph.through_relus(result)
    network = check(save(graph.model(output), tmp_path), case.positive)
    assert check_links(network) or case.kind == "opaque"
    skipped = {entry.node: entry for entry in network.skipped}
    if case.kind == "opaque":
        assert skipped["node"].operator == case.operator
        assert "affine" in skipped["node"].reason or "depend on the input" in skipped["node"].reason
    elif case.kind == "relu":
        assert network["node"].source == "input"
    else:
        assert network["positive"].source == network["negative"].source == "input"
        assert "node" in network.nodes["positive"]


WINDOWS = ("pads", "auto_pad", "dilations", "ceil_mode")
MAXIMA = ("MaxPool", "GlobalMaxPool", "ReduceMax")
NORMALISATIONS = ("LayerNormalization", "RMSNormalization", "InstanceNormalization")
ENTRIES = ("Asinh", "Atan", "Celu", "Elu", "LeakyRelu", "Sigmoid", "Softplus", "Softsign", "Tanh")
KNOWN = (*MAXIMA, *NORMALISATIONS, *ENTRIES)


@pytest.mark.parametrize("case", [case for case in CASES if case.operator in KNOWN], ids=str)
def test_links_know_the_function(case: Case, tmp_path: Path):
    """But for windows that overlap or reach beyond the border."""
    graph = Graph(case.shape, case.opset)
    result = graph.add(case.operator, "x", *case.constants, **case.options)
    network = trace(save(graph.model(graph.through_relus(result)), tmp_path))
    widths, steps = case.options.get("kernel_shape", []), case.options.get("strides", [1, 1, 1])
    overlap = any(step < width for step, width in zip(steps, widths, strict=False))
    assert check_links(network) is not (overlap or any(option in case.options for option in WINDOWS))


def test_even_response_windows(tmp_path: Path):
    """The standard's own formula: onnxruntime takes odd windows only."""
    graph = Graph((1, 6, 3, 2))
    output = graph.through_relus(graph.add("LRN", "x", size=4, alpha=0.5, beta=0.6, bias=2.0))
    x = numbers(1, 6, 3, 2, seed=3).astype(np.float64)
    expected = np.empty_like(x)
    for c in range(6):
        total = (x[:, max(0, c - 1) : min(5, c + 2) + 1] ** 2).sum(axis=1)
        expected[:, c] = x[:, c] / (2.0 + 0.5 / 4 * total) ** 0.6
    assert np.allclose(trace(save(graph.model(output), tmp_path)).forward(x), expected)
