"""How strong a verdict is: exact for the model's own numbers, no more where folding rounded them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.layers.from_onnx.models import Graph
from tests.layers.from_onnx.models import save as save_onnx
from tests.layers.from_pt2.archives import save as save_pt2
from unrelu.layers import Network

SINGLE = np.array([[1.0, 0.5], [0.25, 1.5], [1.25, -1.0]], dtype=np.float32)
WEIGHT = np.concatenate([SINGLE, -SINGLE])  # injective, with its negative
VARIANCE = {"plain": None, "power of two": 4.0, "rounded": 3.0}


def module(variance: float | None) -> nn.Module:
    linear, norm = nn.Linear(2, 6, bias=False), nn.BatchNorm1d(6, eps=0.0)
    linear.weight.data.copy_(torch.from_numpy(WEIGHT))
    if variance is None:
        return nn.Sequential(linear, nn.ReLU())
    nn.init.constant_(norm.running_var, variance)
    return nn.Sequential(linear, norm, nn.ReLU()).eval()


def from_torch(variance: float | None, folder: Path) -> Network:
    return unrelu.trace(module(variance), torch.zeros(1, 2))


def from_pt2(variance: float | None, folder: Path) -> Network:
    return unrelu.trace(save_pt2(module(variance), torch.zeros(1, 2), folder / "model.pt2"))


def from_onnx(variance: float | None, folder: Path) -> Network:
    graph, ones = Graph((1, 2)), np.ones(6, np.float32)
    x = graph.add("MatMul", "x", WEIGHT.T)
    if variance is not None:
        x = graph.add("BatchNormalization", x, ones, 0 * ones, 0 * ones, variance * ones, epsilon=0.0)
    return unrelu.trace(save_onnx(graph.model(graph.add("Relu", x)), folder))


@pytest.mark.parametrize("importer", [from_torch, from_pt2, from_onnx])
@pytest.mark.parametrize("name", VARIANCE)
def test_verdicts(name: str, importer: Callable[[float | None, Path], Network], tmp_path: Path):
    net = importer(VARIANCE[name], tmp_path)
    grade = "float" if name == "rounded" else "exact"
    for target in (net, net[0]):
        decision = unrelu.decide(target)
        assert (decision.verdict, decision.grade) == (unrelu.Verdict.INJECTIVE, grade)
        proved = unrelu.verify(decision.certificate, target)
        assert proved.valid and proved.grade == grade
    preimage = unrelu.preimage(net[0], np.array([0.5, 2.0]))
    assert preimage.kind == "singleton"
    assert unrelu.verify(preimage.certificate, net[0]).grade == grade


@pytest.mark.parametrize("name", VARIANCE)
def test_collisions(name: str, tmp_path: Path):
    """Of a layer without the negatives: where all rows are negative, inputs share the output 0."""
    net = unrelu.trace(module(VARIANCE[name]), torch.zeros(1, 2))
    layer = unrelu.ReLULayer(unrelu.layers.compose(CHOICE, net[0].linear), rounded=net[0].rounded)
    found = unrelu.collide(layer, np.array([-3.0, -1.0]))
    assert unrelu.verify(found.certificate, layer).grade == ("float" if name == "rounded" else "exact")


CHOICE = unrelu.layers.Reindex(torch.tensor([0, 1]), (6,), (2,))


@pytest.mark.parametrize(("bias", "exact"), [(1 / 3, False), (0.5, True)])
def test_a_bias_that_is_folded_counts(bias: float, exact: bool):
    """The matrix is the model's own; the sum of two biases is not."""
    linear = nn.Linear(2, 6)
    linear.weight.data.copy_(torch.from_numpy(WEIGHT))
    nn.init.constant_(linear.bias, 1.0)
    shifted = Shift(bias)
    layer = unrelu.trace(nn.Sequential(linear, shifted, nn.ReLU()).double(), torch.zeros(1, 2).double())[0]
    assert layer.linear.exact and layer.exact is exact
    preimage = unrelu.preimage(layer, np.array([0.5, 2.0]))
    assert unrelu.verify(preimage.certificate, layer).grade == ("exact" if exact else "float")


def test_a_rounded_layer_alone_is_a_rounded_network():
    layer = unrelu.ReLULayer(WEIGHT, rounded=True)
    net = Network.of_layer(layer)
    assert not layer.record().exact and not net[0].exact and not net.link_records()[0].exact
    assert unrelu.decide(layer).grade == unrelu.decide(net).grade == "float"


class Shift(nn.Module):
    def __init__(self, bias: float) -> None:
        super().__init__()
        self.bias = bias

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.bias
