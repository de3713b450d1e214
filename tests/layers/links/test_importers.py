"""What the importers know of maxima, and which numbers are the model's own."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.layers.from_onnx.models import Graph, numbers
from tests.layers.from_onnx.models import save as save_onnx
from tests.layers.from_pt2.archives import save as save_pt2
from tests.layers.from_torch.cases import Calls
from tests.layers.links.through import check_links
from unrelu.layers import Network, trace


@pytest.mark.parametrize(
    ("pool", "known"),
    [
        (nn.MaxPool2d((2, 3), (3, 3)), True),
        (nn.MaxPool2d(3, stride=2), False),
        (nn.MaxPool2d(2, padding=1), False),
        (nn.MaxPool2d(2, dilation=2), False),
        (nn.MaxPool2d(4, ceil_mode=True), False),
    ],
    ids=str,
)
def test_max_pooling_of_torch(pool: nn.Module, known: bool):
    net = trace(nn.Sequential(nn.ReLU(), pool), torch.zeros(1, 2, 6, 6))
    assert check_links(net) is known


@pytest.mark.parametrize("function", ["amax", "max", "position"])
def test_maxima_of_torch(function: str):
    functions = {
        "amax": lambda m, x: x.relu().amax(dim=(1, 2)),
        "max": lambda m, x: x.relu().max(dim=1).values,
        "position": lambda m, x: x.relu().max(dim=1).indices.double() + x.sum(dim=(1, 2))[:, None],
    }
    net = trace(Calls(functions[function], w=nn.Parameter(torch.zeros(1))), torch.randn(1, 2, 3))
    assert check_links(net) is (function != "position")


@pytest.mark.parametrize(
    ("function", "known"),
    [
        (nn.Tanh(), True),
        (nn.Sigmoid(), True),
        (nn.LeakyReLU(0.2), True),
        (nn.ELU(0.3), True),
        (nn.CELU(3.0), True),
        (nn.SELU(), False),
        (nn.Softplus(), False),  # the identity from 20 on
        (nn.GELU(), False),
        (Calls(lambda m, x: x.atan() + x.asinh()), True),
    ],
    ids=lambda value: str(value).partition("(")[0],
)
def test_functions_of_entries_of_torch(function: nn.Module, known: bool):
    net = trace(nn.Sequential(nn.ReLU(), nn.Linear(5, 5), function), torch.zeros(1, 5))
    assert check_links(net) is known


def stored_norm(exact: bool) -> nn.BatchNorm1d:
    """Divides by 2, or by something that no float64 number is."""
    norm = nn.BatchNorm1d(12, eps=0.0 if exact else 1e-5)
    nn.init.constant_(norm.running_var, 4.0)
    nn.init.normal_(norm.running_mean)
    return norm


MODULES = {
    "linear": (lambda: nn.Linear(6, 12), True),
    "without bias": (lambda: nn.Linear(6, 12, bias=False), True),
    "norm": (lambda: nn.Sequential(nn.Linear(6, 12), stored_norm(False)), False),
    "norm by powers of two": (lambda: nn.Sequential(nn.Linear(6, 12, bias=False), stored_norm(True)), True),
    "two biases": (lambda: Calls(lambda m, x: m.a(x) + 1 / 3, a=nn.Linear(6, 12)), False),
    "quarter": (lambda: Calls(lambda m, x: m.a(x) / 4, a=nn.Linear(6, 12)), True),
    "third": (lambda: Calls(lambda m, x: m.a(x) / 3, a=nn.Linear(6, 12)), False),
    "average of two": (lambda: Calls(lambda m, x: nn.functional.avg_pool1d(x, 2), w=nn.Linear(1, 1)), True),
    "average of three": (
        lambda: Calls(lambda m, x: nn.functional.avg_pool1d(x, 3), w=nn.Linear(1, 1)),
        False,
    ),
}


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("stored", [False, True], ids=["torch", "pt2"])
def test_exactness_of_torch(name: str, stored: bool, tmp_path: Path):
    torch.manual_seed(0)
    make, exact = MODULES[name]
    module, x = nn.Sequential(make(), nn.ReLU()).eval(), torch.zeros(1, 6)
    check_exact(trace(save_pt2(module, x, tmp_path / "model.pt2")) if stored else trace(module, x), exact)


WEIGHT, BIAS, ONES = numbers(6, 12), numbers(12), np.ones(12, np.float32)


def batch_norm(graph: Graph, x: str, variance: float, eps: float) -> str:
    return graph.add("BatchNormalization", x, ONES, BIAS, 0 * ONES, variance * ONES, epsilon=eps)


GRAPHS = {
    "linear": (lambda g: g.add("Gemm", "x", WEIGHT, BIAS), True),
    "alpha": (lambda g: g.add("Gemm", "x", WEIGHT, BIAS, alpha=0.3, beta=0.7), True),
    "norm": (lambda g: batch_norm(g, g.add("MatMul", "x", WEIGHT), 4.0, 1e-5), False),
    "norm by powers of two": (lambda g: batch_norm(g, g.add("MatMul", "x", WEIGHT), 4.0, 0.0), True),
    "quarter": (lambda g: g.add("Div", g.add("MatMul", "x", WEIGHT), np.float32(4)), True),
    "third": (lambda g: g.add("Div", g.add("MatMul", "x", WEIGHT), np.float32(3)), False),
    "mean": (lambda g: g.add("ReduceMean", "x"), False),
    "sum": (lambda g: g.add("ReduceSum", "x"), True),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_exactness_of_onnx(name: str, tmp_path: Path):
    build, exact = GRAPHS[name]
    graph = Graph((1, 6))
    model = graph.model(graph.add("Relu", build(graph)))
    check_exact(trace(save_onnx(model, tmp_path)), exact)


def check_exact(net: Network, exact: bool) -> None:
    (layer,) = net.values()
    assert layer.exact is layer.record().exact is layer.to(dtype=torch.float32).exact is exact
    assert all(record.exact is exact for record in net.link_records())
    assert all(record.exact is exact for record in net.stacked().records())


def test_one_model_in_three_files_has_the_same_links(tmp_path: Path):
    """Numbers and steps are the same; names are not part of the digests."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        unrelu.nn.InjectiveMaxPool2d(2),
        nn.Flatten(),
        unrelu.nn.ContractiveResidual(nn.Sequential(nn.Linear(64, 9), nn.ReLU(), nn.Linear(9, 64))),
        nn.LayerNorm(64),
        nn.Linear(64, 130),
        nn.ReLU(),
    ).eval()
    x = torch.zeros(1, 1, 4, 4)
    path = tmp_path / "model.onnx"
    torch.onnx.export(model, (x,), path, dynamo=True, external_data=False, verbose=False)
    nets = [trace(model, x), trace(save_pt2(model, x, tmp_path / "model.pt2")), trace(path)]
    kinds = [[[step.kind for step in record.steps] for record in net.link_records()] for net in nets]
    assert kinds[0] == [["relu"], ["maximum", "affine"], ["relu", "affine"], ["normalised"], ["relu"]]
    assert all(check_links(net) for net in nets)
    digests = [[record.sha256 for record in net.link_records()] for net in nets]
    # The factor of the residual block is computed from the weights, with another rounding every time, and
    # ONNX holds the epsilon of the normalisation in single precision.
    assert [digests[1][k] for k in (0, 1, 3, 4)] == [digests[0][k] for k in (0, 1, 3, 4)]
    assert [digests[2][k] for k in (0, 1, 4)] == [digests[0][k] for k in (0, 1, 4)]
