"""Networks cut into links: put together they are the network, and exact ones have the model's own numbers."""

from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import unrelu
from tests.layers.from_torch.cases import Calls
from tests.layers.links.networks import OPERATIONS, built
from tests.layers.links.through import check_links
from unrelu.layers import Network
from unrelu.layers._graph import GraphBuilder
from unrelu.layers.maps import Dense


def traced(module: nn.Module, *shape: int) -> Network:
    return unrelu.trace(module.eval(), torch.zeros(1, *shape, dtype=next(module.parameters()).dtype))


def kinds(net: Network) -> list[str]:
    return [" ".join(step.kind for step in link.steps) for link in net.link_records()]


class Block(nn.Module):
    """``x + factor * g(x)``."""

    def __init__(self, *inner: nn.Module, factor: float = 1.0) -> None:
        super().__init__()
        self.inner = nn.Sequential(*inner)
        self.register_buffer("factor", torch.tensor(factor, dtype=next(self.parameters()).dtype))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.factor * self.inner(x)


def test_a_chain_is_its_layers():
    net = traced(nn.Sequential(nn.Flatten(), nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 4), nn.ReLU()), 2, 3)
    first, second = net.links()
    assert first.layer is net[0] and second.layer is net[1]
    assert (first.name, first.node, first.source) == ("1", "relu", "input")
    assert not first.behind_relu and second.behind_relu
    assert [link.single("relu").sha256 for link in net.link_records()] == [
        r.sha256 for r in net.stacked().records()
    ]
    assert check_links(net)


def test_an_affine_end_is_a_link():
    net = traced(nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 6), nn.Linear(6, 4)), 3)
    assert kinds(net) == ["relu", "affine"]
    assert not net.link_records()[1].exact  # 4 entries of 6 are no injective map: folded, and so rounded
    assert check_links(net)


def test_a_residual_block():
    torch.manual_seed(0)
    block = Block(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 6))
    net = traced(nn.Sequential(nn.Linear(3, 6), nn.ReLU(), block, nn.Linear(6, 12), nn.ReLU()), 3)
    assert kinds(net) == ["relu", "relu affine", "relu"]
    link = net.links()[1]
    assert (link.name, link.node, link.source, link.behind_relu) == ("add", "add", "relu", True)
    assert [part.inputs for part in link.parts] == [(0,), (0, 1)]
    assert [part.name for part in link.parts] == ["2.inner.0", "add"]
    assert [layer.name for layer in net.values()] == ["0", "2.inner.0", "3"]
    assert check_links(net)


@pytest.mark.parametrize(
    ("dtype", "factor", "expected"),
    [
        (torch.float64, 0.1, "relu affine affine"),  # W z + b, then x + 0.1 of that
        (torch.float64, 0.25, "relu affine"),
        (torch.float32, 0.1, "relu affine"),  # products of single precision are exact
    ],
)
def test_factors_are_kept_apart_where_products_round(dtype: torch.dtype, factor: float, expected: str):
    torch.manual_seed(0)
    inner = [nn.Linear(6, 5, dtype=dtype), nn.ReLU(), nn.Linear(5, 6, dtype=dtype)]
    net = traced(Block(*inner, factor=factor), 6)
    assert kinds(net) == [expected]
    assert net.link_records()[0].exact
    assert check_links(net)


def test_a_relu_on_a_sum_belongs_to_it():
    torch.manual_seed(0)
    block = Block(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 6))
    net = traced(nn.Sequential(block, nn.ReLU(), nn.Linear(6, 12), nn.ReLU()), 6)
    assert kinds(net) == ["relu relu", "relu"]
    assert check_links(net)


def test_what_is_one_layer_in_several_branches():
    torch.manual_seed(0)
    module = Calls(
        lambda m, x: m.b(torch.cat([x, -x, m.a(x)], 1).relu()).relu(), a=nn.Linear(4, 5), b=nn.Linear(13, 27)
    )
    net = traced(module, 4)
    assert kinds(net) == ["relu", "relu"]
    assert net.links()[0].layer is net[0] and net.link_records()[0].exact
    assert check_links(net)


def test_an_affine_map_in_front_of_a_block_is_a_link_of_its_own():
    torch.manual_seed(0)
    net = traced(nn.Sequential(nn.Linear(3, 6), Block(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 6))), 3)
    assert kinds(net) == ["affine", "relu affine"]
    assert check_links(net)


def test_entries_are_moved_by_the_affine_map_in_front():
    """So that a block reads its input in the order of its output."""
    torch.manual_seed(0)
    block = Block(nn.Conv2d(4, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 4, 1))
    net = traced(nn.Sequential(nn.ReLU(), unrelu.nn.InjectiveAvgPool2d(2), block), 1, 4, 4)
    assert kinds(net) == ["relu", "affine", "relu affine"]
    link = net.link_records()[2]
    shortcut = link.part(len(link.steps), 0)
    assert shortcut.columns.tolist() == list(range(link.n)) and set(shortcut.values.tolist()) == {1.0}
    assert check_links(net)


def test_affine_maps_in_a_row():
    """Split where both parts may be injective, folded where not."""
    torch.manual_seed(0)
    growing = traced(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 8), nn.ReLU()), 3)
    assert kinds(growing) == ["affine", "relu"] and all(link.exact for link in growing.link_records())
    assert growing.links()[1].layer.n == 4 and growing[0].n == 3
    small = traced(nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 7), nn.ReLU()), 3)
    assert kinds(small) == ["relu"] and not small.link_records()[0].exact
    for net in (growing, small):
        assert check_links(net)


def test_batch_norm_is_folded_and_rounds():
    torch.manual_seed(0)
    norm = nn.BatchNorm1d(8)
    nn.init.uniform_(norm.running_var, 0.5, 2)
    net = traced(nn.Sequential(nn.Linear(3, 8), norm, nn.ReLU()), 3)
    assert kinds(net) == ["relu"] and not net.link_records()[0].exact
    assert check_links(net)


def test_two_branches_from_one_tensor():
    torch.manual_seed(0)
    parts = {"a": nn.Linear(4, 6), "b": nn.Linear(6, 6), "c": nn.Linear(6, 6)}
    module = Calls(lambda m, x: m.b(m.a(x).relu()).relu() + m.c(m.a(x).relu()).relu(), **parts)
    net = traced(module, 4)
    assert kinds(net) == ["relu relu relu relu affine"]  # a(x) is computed twice: two tensors
    assert check_links(net)


def test_nothing_is_cut_where_something_looks_further_back():
    torch.manual_seed(0)
    parts = {"a": nn.Linear(4, 6), "b": nn.Linear(6, 6), "c": nn.Linear(4, 6)}
    net = traced(Calls(lambda m, x: m.b(m.a(x).relu()).relu() + m.c(x), **parts), 4)
    assert kinds(net) == ["relu relu affine"]
    assert check_links(net)


def test_a_deep_network_needs_no_recursion():
    build = GraphBuilder()
    node = ("affine", "affine")
    source = value = build.input((1, 2))
    for _ in range(1500):
        value = build.relu(build.affine(value, Dense(torch.eye(2).double()), (1, 2), node), "relu", "relu")
    assert len(Network(build, source, value, "deep").links()) == 1500


@settings(max_examples=150, deadline=None)
@given(OPERATIONS, st.sampled_from([0, 16]))
def test_any_network(operations, digits: int):
    net = built(operations, digits)
    assert check_links(net)
    if all(link.exact for link in net.link_records()):
        x = [Fraction(7, 3), Fraction(-1, 5), Fraction(2)]
        u = x
        for link in net.link_records():
            u = _in_fractions(link, u)
        assert u == _network_in_fractions(net, x)


def _in_fractions(link, u: list[Fraction]) -> list[Fraction]:
    results = [u]
    for step in link.steps:
        z = [v for source in step.inputs for v in results[source]]
        rows, starts = step.map.rows, step.map.starts
        x = [
            sum(
                (
                    Fraction(w) * z[j]
                    for w, j in zip(rows.values[s:e].tolist(), rows.columns[s:e].tolist(), strict=True)
                ),
                Fraction(b),
            )
            for s, e, b in zip(starts[:-1], starts[1:], step.map.bias.tolist(), strict=True)
        ]
        results.append([max(v, Fraction(0)) for v in x] if step.kind == "relu" else x)
    return results[-1]


def _network_in_fractions(net: Network, x: list[Fraction]) -> list[Fraction]:
    """Every operation of the graph by itself, never two folded into one."""
    known = {net.input_name: x}

    def value_of(value):
        parts = [(p, linear) for p, linear in value.made.parts] if value.made else value.terms
        constant = value.offset if value.made is None else value.made.constant
        total = [Fraction(0)] * 3 if constant is None else [Fraction(c) for c in constant.tolist()]
        for part, linear in parts:
            inner = known[part] if isinstance(part, str) else value_of(part)
            matrix = linear.dense().tolist()
            total = [
                t + sum(Fraction(w) * v for w, v in zip(row, inner, strict=True))
                for t, row in zip(total, matrix, strict=True)
            ]
        return total

    for step in net.steps:
        z = value_of(step.inputs[0])
        known[step.name] = z if step.is_sum else [max(v, Fraction(0)) for v in z]
    return value_of(net.output)
