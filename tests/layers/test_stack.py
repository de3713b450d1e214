"""Networks with skip connections as chains that pass on what skips a layer."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from unrelu.certificates import forward
from unrelu.errors import ArgumentError


class Skips(nn.Module):
    """Sums and joins of activations, the input among them."""

    def __init__(self, kind: str):
        super().__init__()
        torch.manual_seed(0)
        self.kind = kind
        self.first, self.second, self.third = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(6, 2)

    def forward(self, x):
        hidden = torch.relu(self.first(x))
        if self.kind == "residual":
            return hidden + torch.relu(self.second(hidden))
        if self.kind == "input":
            return x + torch.relu(self.second(hidden))
        if self.kind == "joined":
            return self.third(torch.cat([x, torch.relu(self.second(hidden + x))], dim=1))
        if self.kind == "sum behind a layer":
            return torch.relu(self.second(hidden) + x)
        if self.kind == "long":
            deep = torch.relu(self.second(torch.relu(self.second(hidden))))
            return 2 * hidden - deep + x
        return self.second(hidden + self.second(hidden))


KINDS = ["residual", "input", "joined", "sum behind a layer", "long", "affine"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_is_the_network(kind, rng):
    net = unrelu.trace(Skips(kind), torch.zeros(1, 3))
    chain = net.stacked()
    layers, last = [layer.record() for layer in chain.layers], chain.last_record()
    for x in rng.standard_normal((5, 3)):
        exact = [float(v) for v in forward(layers, last, x)]
        np.testing.assert_allclose(exact, net.forward(x), rtol=1e-12, atol=1e-14)
    assert [layer.name for layer in chain.layers] == [net.name_of(s) for s in net.steps if s.function is None]


@pytest.mark.parametrize(("kind", "exact"), [("residual", True), ("input", True), ("affine", False)])
def test_rounded_numbers_are_told_apart(kind, exact):
    chain = unrelu.trace(Skips(kind), torch.zeros(1, 3)).stacked()
    assert all(record.exact for record in chain.records()) == exact


def test_a_chain_stays_as_it_is():
    net = unrelu.trace(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), torch.zeros(1, 3))
    assert [r.sha256 for r in net.stacked().records()] == [r.sha256 for r in net.chain().records()]


def test_only_what_is_read_later_is_passed_on():
    net = unrelu.trace(Skips("residual"), torch.zeros(1, 3))
    assert [layer.m for layer in net.stacked().layers] == [3, 6]
    both_signs = unrelu.trace(Skips("input"), torch.zeros(1, 3))
    assert [layer.m for layer in both_signs.stacked().layers] == [9, 9]


def test_what_is_no_relu_is_refused():
    net = unrelu.trace(nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Tanh()), torch.zeros(1, 3))
    with pytest.raises(ArgumentError, match="'tanh' is tanh"):
        net.stacked()


def test_large_stacks_are_refused(monkeypatch):
    from unrelu.layers import _stack

    monkeypatch.setattr(_stack, "_ENTRIES", 17)
    with pytest.raises(ArgumentError, match="at most 17 entries"):
        unrelu.trace(Skips("residual"), torch.zeros(1, 3)).stacked()
