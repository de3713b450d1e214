"""What happens to a module while it is traced, and what its network keeps of it."""

import pytest
import torch
from torch import nn

from tests.layers.from_torch.cases import CASES, IMAGE, Calls
from tests.layers.from_torch.samples import batch
from unrelu.errors import ModelError
from unrelu.layers import trace


def test_mode_is_restored():
    module = CASES["batch norm"].build()
    module.train()
    module[1].eval()
    modes = {name: part.training for name, part in module.named_modules()}
    statistics = {name: tensor.clone() for name, tensor in module.named_buffers()}
    trace(module, batch(IMAGE, 2))
    assert modes == {name: part.training for name, part in module.named_modules()}
    assert all(torch.equal(tensor, statistics[name]) for name, tensor in module.named_buffers())
    with pytest.raises(ModelError):
        trace(module, batch((7,)))
    assert module.training
    assert not module[1].training


def test_parameters_keep_their_gradients():
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    trace(module, batch((3,)))
    assert all(p.requires_grad and p.grad is None for p in module.parameters())
    module(batch((3,))).sum().backward()


@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [(torch.float64, 1e-12), (torch.float32, 1e-5), (torch.bfloat16, 0.05), (torch.float16, 0.01)],
    ids=str,
)
def test_dtypes(dtype: torch.dtype, tolerance: float):
    torch.manual_seed(0)
    module = nn.Sequential(
        nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(36, 4), nn.ReLU()
    )
    module = module.to(dtype).eval()
    network = trace(module, batch((2, 6, 5), 1))
    x = batch((2, 6, 5)).to(dtype)
    with torch.no_grad():
        expected = module(x).double()
    assert float((network.forward(x) - expected).abs().max()) <= tolerance * float(expected.abs().max())
    assert torch.equal(network["4"].dense(), module[4].weight.detach().double())


def test_a_network_is_a_snapshot():
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU()).double()
    network = trace(module, batch((3,)))
    before = network["0"].dense().clone(), network["0"].bias.clone()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.zero_()
    assert torch.equal(network["0"].dense(), before[0])
    assert torch.equal(network["0"].bias, before[1])


def test_mixed_precision():
    def function(m, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return m.a(x).relu().float()

    network = trace(Calls(function, a=nn.Linear(3, 2)), batch((3,)))
    assert list(network) == ["a"]


def test_constants_among_the_outputs():
    network = trace(Calls(lambda m, x: {"scale": torch.ones(()), "y": x.relu() * 2}), batch((3,)))
    assert torch.equal(network.forward(-torch.ones(3)), torch.zeros(3, dtype=torch.float64))


def test_output_of_integers():
    network = trace(Calls(lambda m, x: x.relu().argmax(dim=1)), batch((3,)))
    assert network.forward(torch.tensor([[1.0, 3.0, 2.0]])).tolist() == [[1.0]]


def test_what_a_module_warns_is_not_the_callers_business(recwarn):
    trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.ones(1, 3))
    assert not recwarn.list
