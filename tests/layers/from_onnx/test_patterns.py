"""Normalisations written as several nodes."""

from pathlib import Path

import numpy as np
import pytest

from tests.layers.from_onnx.checks import check
from tests.layers.from_onnx.models import Graph, numbers, save
from tests.layers.links.through import check_links
from unrelu.layers import Network

GAIN = numbers(4)


def rms(graph: Graph, x: str, *, power: float = 2, eps: float = 1e-3, axes=(-1,), keep: int = 1) -> str:
    """Return ``sqrt(mean(x ** power) + eps)``."""
    squares = graph.add("Pow", x, np.float32(power), name="squares")
    mean = graph.add("ReduceMean", squares, axes=list(axes), keepdims=keep, name="mean")
    return graph.add("Sqrt", graph.add("Add", np.float32(eps), mean, name="sum"), name="root")


def network(graph: Graph, result: str, folder: Path) -> Network:
    return check(save(graph.model(graph.through_relus(graph.add("Mul", result, GAIN))), folder))


@pytest.mark.parametrize("axes", [(-1,), (1, 2), (2, -2)])
@pytest.mark.parametrize("form", ["divided", "multiplied", "multiplied from the left"])
def test_recognised(form: str, axes: tuple[int, ...], tmp_path: Path):
    graph = Graph((1, 3, 4))
    root = rms(graph, "x", axes=axes)
    if form == "divided":
        result = graph.add("Div", "x", root, name="norm")
    else:
        inverse = graph.add("Reciprocal", root, name="inverse")
        operands = ("x", inverse) if form == "multiplied" else (inverse, "x")
        result = graph.add("Mul", *operands, name="norm")
    net = network(graph, result, tmp_path)
    assert [step.name for step in net.steps if step.function is not None and not step.is_sum] == ["norm"]
    known = net.steps[0].normalisation
    assert known is not None and not known.centred and known.eps == pytest.approx(1e-3)
    assert known.groups == (3 if axes == (-1,) else 1)
    assert check_links(net)


OTHERS = {
    "another power": {"power": 4.0},
    "another tensor": {},
    "first axis": {"axes": (1,)},
    "fewer axes": {"axes": (1, 2), "keep": 0},
    "negative eps": {"eps": -1e-3, "axes": (-1,)},
}


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_not(name: str, tmp_path: Path):
    graph, options = Graph((1, 4, 4)), OTHERS[name]
    x = graph.add("Mul", "x", np.float32(2)) if not options else "x"
    net = network(graph, graph.add("Div", "x", rms(graph, x, **options), name="norm"), tmp_path)
    assert all(step.normalisation is None for step in net.steps)
    assert not check_links(net)


def test_what_is_read_elsewhere_stays(tmp_path: Path):
    graph = Graph((1, 3, 4))
    root = rms(graph, "x")
    joined = graph.add("Concat", graph.add("Div", "x", root, name="norm"), root, axis=2)
    net = check(save(graph.model(graph.through_relus(joined)), tmp_path))
    assert {"norm", "root", "squares"} <= {step.name for step in net.steps}
