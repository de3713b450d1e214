"""Torch modules of every kind against their networks."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.layers.torch_cases import CASES, IMAGE, Calls, Case
from unrelu.errors import ArgumentError, ModelError
from unrelu.layers import Network, _torch_walk, trace
from unrelu.layers._graph import Value


def batch(shape: tuple[int, ...], count: int = 3, seed: int = 1) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(seed))


def build(case: Case) -> nn.Module:
    torch.manual_seed(0)
    return case.make()


@pytest.fixture
def graph(monkeypatch) -> list:
    """The decomposed graph of the module traced last."""
    seen = []
    start = _torch_walk.Walk.__init__

    def record(walk, program, origin):
        start(walk, program, origin)
        seen[:] = [walk]

    monkeypatch.setattr(_torch_walk.Walk, "__init__", record)
    return seen


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_conformance(case: Case, graph: list):
    module = build(case)
    network = trace(module, batch(case.shape, 1))
    assert list(network) == case.layers
    x = batch(case.shape)
    with torch.no_grad():
        expected = torch.cat([module.eval()(sample[None]) for sample in x])
    got = network.forward(x)
    assert got.dtype == torch.float64
    assert got.shape == (3, *network.output_shape)
    expected = expected.reshape(got.shape)
    assert float((got - expected).abs().max()) <= 1e-5 * float(expected.abs().max())
    check_accounts(network, graph[0])
    operators = {entry.operator for entry in network.skipped} | {entry.node for entry in network.skipped}
    assert case.skipped <= operators
    if not case.skipped:
        assert {entry.operator for entry in network.skipped if "no ReLU follows" not in entry.reason} == set()


def check_accounts(network: Network, walk) -> None:
    """Every node is in a layer or skipped; only nodes that make constants are in neither."""
    layered = {node for nodes in network.nodes.values() for node in nodes}
    skipped = [entry.node for entry in network.skipped]
    assert len(skipped) == len(set(skipped))
    assert not layered.intersection(skipped)
    calls = [node for node in walk.program.graph.nodes if node.op == "call_function"]
    constant = {node.name for node in calls if not isinstance(walk.values[node], Value | dict)}
    names = {node.name for node in calls} - constant
    parameters = {entry.node for entry in network.skipped if entry.operator == "parameter"}
    assert layered.union(skipped) - constant == names | parameters


class ReLUs(TorchDispatchMode):
    """Records what every ReLU of a module reads and writes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = func.overloadpacket.__name__.removesuffix("_")
        before = None
        if name in {"relu", "clamp", "clamp_min", "maximum", "threshold"}:
            before = next(a for a in args if torch.is_tensor(a) and a.any()).clone()  # the other one is 0
        result = func(*args, **(kwargs or {}))
        if before is not None:
            self.seen.append((before.expand(result.shape), result.clone()))
        return result


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_walk_gives_each_layer_what_it_had(case: Case):
    """From the inputs it is handed, each layer makes what the module's own ReLU read and wrote."""
    module = build(case)
    network = trace(module, batch(case.shape, 1))
    x = batch(case.shape, 1, seed=2)
    module.eval()
    with ReLUs() as relus:
        module(x)  # with gradients: without them torch fuses whole transformer layers
    seen = iter((own.detach(), after.detach()) for own, after in relus.seen)
    names = []
    for layer, before in network.walk(x):
        names.append(layer.name)
        assert before.shape == (1, layer.n)
        z, y = layer.preactivation(before)[0], layer.apply(before.reshape(1, *layer.in_shape)).reshape(-1)
        # The module may have more ReLUs than the network has layers, but not in another order.
        assert any(close(z, own) and close(y, after) for own, after in seen), f"layer {layer.name}"
    assert names == case.layers


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.numel() == b.numel() and torch.allclose(a, b.double().reshape(-1), rtol=1e-4, atol=1e-5)


def hooked(module: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the inputs of every submodule."""
    inputs: dict[str, torch.Tensor] = {}
    handles = [
        part.register_forward_pre_hook(lambda _, args, name=name: inputs.update({name: args[0].detach()}))
        for name, part in module.named_modules()
    ]
    with torch.no_grad():
        module(x)
    for handle in handles:
        handle.remove()
    return inputs


@pytest.mark.parametrize(
    "name",
    [
        "sequential",
        "reused relu",
        "conv2d",
        "resnet block",
        "pre-activation resnet",
        "densenet",
        "residual, two sources",
    ],
)
def test_walk_against_forward_hooks(name: str):
    """A layer that begins with its module's own weight has that module's input."""
    case = CASES[name]
    module = build(case).eval()
    network = trace(module, batch(case.shape, 1))
    x = batch(case.shape)
    inputs = hooked(module, x)
    compared = 0
    for layer, before in network.walk(x):
        if layer.name in inputs:
            assert torch.allclose(before, inputs[layer.name].double().reshape(3, -1), rtol=1e-4, atol=1e-5)
            compared += 1
    assert compared >= len(case.layers) - 1


def test_mode_is_restored():
    module = build(CASES["batch norm"])
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


EXAMPLES = {
    "numpy": np.zeros((1, 3)),
    "float64": torch.zeros(2, 3, dtype=torch.float64),
    "tuple": (torch.zeros(1, 3),),
    "list": [torch.zeros(1, 3)],
    "large batch": torch.zeros(64, 3),
}


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_example_inputs(example):
    network = trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), example)
    assert network.input_shape == (3,)
    assert network.output_shape == (2,)


BAD_EXAMPLES = {
    "missing": (None, "a torch module needs one batch"),
    "text": ("x", "expected one tensor or array with a batch axis, got str"),
    "two tensors": ((torch.zeros(1, 3), torch.zeros(1, 3)), "got tuple"),
    "number": (torch.tensor(1.0), "at least one sample"),
    "empty": (torch.zeros(0, 3), "at least one sample"),
}


@pytest.mark.parametrize(("example", "message"), BAD_EXAMPLES.values(), ids=BAD_EXAMPLES.keys())
def test_bad_examples(example, message):
    with pytest.raises(ArgumentError, match=f"example_input: .*{message}"):
        trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), example)


class TwoInputs(nn.Module):
    def forward(self, x, y):
        return torch.relu(x + y)


class TwoOutputs(nn.Module):
    def forward(self, x):
        return torch.relu(x), x + 1


class NoInput(nn.Module):
    def forward(self, x):
        return torch.relu(torch.ones(3))


class Branches(nn.Module):
    def forward(self, x):
        return torch.relu(x) if x.sum() > 0 else -x


class Random(nn.Module):
    def forward(self, x):
        return torch.relu(x) + torch.rand(3)


class Undefined(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 2)
        nn.init.constant_(self.fc.bias, float("nan"))

    def forward(self, x):
        return self.fc(x).relu()


REFUSED = {
    "two inputs": (TwoInputs(), "TwoInputs: torch.export cannot capture it for an input of shape"),
    "two outputs": (TwoOutputs(), "TwoOutputs: expected one output that depends on the input, got 2"),
    "no input": (NoInput(), "NoInput: expected one output that depends on the input, got 0"),
    "branches": (Branches(), "Branches: torch.export cannot capture it"),
    "NaN": (Undefined(), "parameter 'fc.bias': expected finite numbers"),
    "random": (Random(), "Random: the module is random"),
    "no relu": (nn.Linear(3, 2), "Linear: the network has no ReLU"),
    "wrong shape": (nn.Sequential(nn.Linear(4, 2), nn.ReLU()), "Sequential: torch.export cannot capture it"),
}


@pytest.mark.parametrize(("module", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(module: nn.Module, message: str):
    with pytest.raises(ModelError, match=message) as caught:
        trace(module, batch((3,)))
    assert "\n" not in str(caught.value)


def test_constants_among_the_outputs():
    network = trace(Calls(lambda m, x: {"scale": torch.ones(()), "y": x.relu() * 2}), batch((3,)))
    assert torch.equal(network.forward(-torch.ones(3)), torch.zeros(3, dtype=torch.float64))


def test_output_of_integers():
    network = trace(Calls(lambda m, x: x.relu().argmax(dim=1)), batch((3,)))
    assert network.forward(torch.tensor([[1.0, 3.0, 2.0]])).tolist() == [[1.0]]


def test_mixed_precision():
    def function(m, x):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return m.a(x).relu().float()

    network = trace(Calls(function, a=nn.Linear(3, 2)), batch((3,)))
    assert list(network) == ["a"]


def test_a_misread_graph_is_noticed(monkeypatch):
    from unrelu.layers import _operations

    linear = _operations.linear
    monkeypatch.setattr(_operations, "linear", lambda build, x, w, *rest: linear(build, x, 2 * w, *rest))
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    nn.init.ones_(module[0].weight)
    with pytest.raises(ModelError, match=r"differs from the module by .* please report"):
        trace(module, torch.ones(1, 3))


def test_what_a_module_warns_is_not_the_callers_business(recwarn):
    trace(nn.Sequential(nn.Linear(3, 2), nn.ReLU()), torch.ones(1, 3))
    assert not recwarn.list
