"""What ``torch.export.save`` writes, against the modules themselves."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.export import Dim

from tests.layers.from_pt2.archives import save
from tests.layers.from_torch.cases import CASES, Calls
from unrelu.errors import ModelError
from unrelu.layers import trace

BLOCKS = {"block without gradients"}  # stored as graphs of their own, which are not read


@pytest.mark.parametrize("name", [name for name in CASES if name not in BLOCKS])
def test_conformance(name: str, tmp_path: Path):
    """A stored module gives the same network as the module itself."""
    case = CASES[name]
    module = case.build()
    x = torch.randn(3, *case.shape)
    path = save(module, x[:1], tmp_path / "model.pt2")
    network = trace(path)
    assert len(network) == len(case.layers)
    with torch.no_grad():
        expected = torch.cat([module(sample[None]) for sample in x])
    got = network.forward(x)
    assert float((got - expected.reshape(got.shape)).abs().max()) <= 1e-5 * float(expected.abs().max())


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_are_refused(name: str, tmp_path: Path):
    path = save(CASES[name].make(), torch.zeros(1, *CASES[name].shape), tmp_path / "model.pt2")
    message = r"torch.ops.higher_order.*: this operator is not known; trace the module"
    with pytest.raises(ModelError, match=message):
        trace(path)


def test_names(archive: Path):
    network = trace(archive)
    assert list(network) == ["a"]
    assert network.origin == "model.pt2"
    assert torch.equal(network["a"].linear.n * torch.ones(1), torch.tensor([3.0]))


@pytest.mark.parametrize("batch", [1, 2, 5])
def test_variable_batch(tmp_path: Path, batch: int):
    module = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24, 2), nn.ReLU())
    x = torch.randn(max(batch, 2), 2, 6, 4)
    path = save(module, x, tmp_path / "model.pt2", dynamic_shapes=({0: Dim("batch")},))
    network = trace(path)
    assert list(network) == ["0", "3"]
    assert torch.allclose(network.forward(x).float(), module(x).detach(), atol=1e-5)


def test_batch_in_the_arithmetic_of_shapes(tmp_path: Path):
    def function(m, x):
        return m.fc(x.reshape(x.shape[0] * 2, 3)).relu().view(x.size(0), -1)

    module = Calls(function, fc=nn.Linear(3, 4))
    x = torch.randn(4, 6)
    network = trace(save(module, x, tmp_path / "model.pt2", dynamic_shapes=({0: Dim("batch")},)))
    assert torch.allclose(network.forward(x).float(), module(x).detach(), atol=1e-5)


def test_fixed_batch(tmp_path: Path):
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    x = torch.randn(4, 3)
    network = trace(save(module, x, tmp_path / "model.pt2"))
    assert torch.allclose(network.forward(x).float(), module(x).detach(), atol=1e-6)


@pytest.mark.parametrize(
    "function",
    [
        lambda m, x: m.fc(x.view(4, 6)).relu(),
        lambda m, x: m.fc(x.view(4, 3, 2).flatten(1)).relu(),
        lambda m, x: m.fc(x.reshape(-1, 3).reshape(4, 6)).relu(),
        lambda m, x: m.fc(x.T.reshape(6, 4).T).relu(),
    ],
)
def test_graph_bound_to_its_batch(function, tmp_path: Path):
    x = torch.randn(4, 6)
    bound = Calls(function, fc=nn.Linear(6, 4))
    with pytest.raises(ModelError, match=r"for one sample; it was exported for batches of 4, export it with"):
        trace(save(bound, x, tmp_path / "model.pt2"))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_dtypes(dtype: torch.dtype, tmp_path: Path):
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU()).to(dtype)
    network = trace(save(module, torch.zeros(1, 3, dtype=dtype), tmp_path / "model.pt2"))
    assert torch.equal(network["0"].dense(), module[0].weight.detach().double())


def test_tied_and_transposed_weights(tmp_path: Path):
    a, b = nn.Linear(3, 3), nn.Linear(3, 3)
    b.weight = a.weight
    c = nn.Linear(3, 3)
    c.weight = nn.Parameter(torch.randn(3, 3).T)
    module = nn.Sequential(a, nn.ReLU(), b, nn.ReLU(), c, nn.ReLU())
    x = torch.randn(5, 3)
    network = trace(save(module, x[:1], tmp_path / "model.pt2"))
    assert len(network) == 3
    assert torch.allclose(network.forward(x).float(), module(x).detach(), atol=1e-6)


def test_decomposed_program(tmp_path: Path):
    module = CASES["batch norm"].make().eval()
    x = torch.randn(1, 2, 8, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(module, (x,)).run_decompositions()
        torch.export.save(program, tmp_path / "model.pt2")
    assert torch.allclose(trace(tmp_path / "model.pt2").forward(x).float(), module(x).detach(), atol=1e-5)
