"""Torch modules of every kind against their networks."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from tests.layers.from_torch.cases import CASES, Case
from tests.layers.from_torch.samples import batch
from tests.layers.links.through import check_links
from unrelu.layers import Network, trace
from unrelu.layers._graph import Value
from unrelu.layers.from_torch import _walk


@pytest.fixture
def graph(monkeypatch) -> list:
    """The decomposed graph of the module traced last."""
    seen = []
    start = _walk.Walk.__init__

    def record(walk, program, origin):
        start(walk, program, origin)
        seen[:] = [walk]

    monkeypatch.setattr(_walk.Walk, "__init__", record)
    return seen


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_conformance(case: Case, graph: list):
    module = case.build()
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
    assert check_links(network) or case.skipped
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
    module = case.build()
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
    module = case.build().eval()
    network = trace(module, batch(case.shape, 1))
    x = batch(case.shape)
    inputs = hooked(module, x)
    compared = 0
    for layer, before in network.walk(x):
        if layer.name in inputs:
            assert torch.allclose(before, inputs[layer.name].double().reshape(3, -1), rtol=1e-4, atol=1e-5)
            compared += 1
    assert compared >= len(case.layers) - 1
