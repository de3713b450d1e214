"""Layers one after another: containers, functions, in place, reused parts."""

import torch
from torch import nn
from torch.nn import functional

from tests.layers.from_torch.cases.case import VECTOR, Calls, Cases

CASES = Cases()


@CASES.add("sequential", VECTOR, "0 2")
def _():
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))


@CASES.add("ends with relu", VECTOR, "0")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU())


@CASES.add("nested containers", VECTOR, "0.0 1.0.0")
def _():
    inner = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
    return nn.Sequential(nn.Sequential(nn.Linear(5, 4), nn.ReLU()), nn.ModuleList([nn.Sequential(inner)])[0])


@CASES.add("functional", VECTOR, "fc1 fc2")
def _():
    return Calls(
        lambda m, x: m.fc3(functional.relu(m.fc2(torch.relu(m.fc1(x))))),
        fc1=nn.Linear(5, 4),
        fc2=nn.Linear(4, 4),
        fc3=nn.Linear(4, 2),
    )


@CASES.add("in place", VECTOR, "0 2")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(inplace=True), nn.Linear(4, 3), nn.ReLU(inplace=True))


@CASES.add("in place functions", VECTOR, "fc relu_1", "select_1")
def _():
    def function(m, x):
        h = m.fc(x)
        functional.relu_(h)
        h *= 2
        h += 1
        h[:, 0] = 0.5
        return h.sub_(3).relu_()

    return Calls(function, fc=nn.Linear(5, 4))


@CASES.add("reused relu", VECTOR, "a b")
def _():
    return Calls(lambda m, x: m.act(m.b(m.act(m.a(x)))), a=nn.Linear(5, 4), b=nn.Linear(4, 3), act=nn.ReLU())


@CASES.add("reused layer", VECTOR, "fc fc_2 fc_1")
def _():
    return Calls(
        lambda m, x: m.fc_1(m.fc(m.fc(x).relu()).relu()).relu(), fc=nn.Linear(5, 5), fc_1=nn.Linear(5, 2)
    )


@CASES.add("two layers of one weight", VECTOR, "fc fc_1", "cat")
def _():
    def function(m, x):
        h = m.fc(x)
        return torch.cat([h.relu(), (-h).relu()], dim=1)

    return Calls(function, fc=nn.Linear(5, 4))


@CASES.add("dead ends", VECTOR, "a", "parameter")
def _():
    def function(m, x):
        m.unused(x)
        return m.a(x).relu()

    return Calls(function, a=nn.Linear(5, 4), unused=nn.Linear(5, 2))


@CASES.add("block without gradients", VECTOR, "a b")
def _():
    def function(m, x):
        with torch.no_grad():
            h = m.a(x).relu()
        return m.b(h).relu()

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 3))


@CASES.add("graph module", VECTOR, "0 2")
def _():
    return torch.fx.symbolic_trace(
        nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.ReLU(inplace=True))
    )


@CASES.add("buffers and constants", VECTOR, "fc relu_1")
def _():
    def function(m, x):
        h = functional.relu(m.fc((x - m.mean) / m.std) * m.mask + torch.tensor([1.0, 2.0, 3.0, 4.0]))
        return functional.relu(h - m.temporary)

    module = Calls(
        function,
        fc=nn.Linear(5, 4),
        mean=torch.randn(5),
        std=torch.rand(5) + 0.5,
        mask=torch.tensor([1.0, 0.0, 1.0, -1.0]),
    )
    module.register_buffer("temporary", torch.ones(4), persistent=False)
    return module


@CASES.add("scalars", VECTOR, "fc relu_1 relu_2")
def _():
    def function(m, x):
        h = functional.relu(2 * m.fc(x) / 3 - 1)
        h = functional.relu(1 - h)
        return functional.relu(torch.sub(-h, h, alpha=2) + torch.add(h, 1, alpha=3).neg()) * 0.5 + 2

    return Calls(function, fc=nn.Linear(5, 4))


@CASES.add("casts", VECTOR, "0", "_assert_tensor_metadata")
def _():
    return nn.Sequential(nn.Linear(5, 4), Calls(lambda m, x: x.double().relu().float()), nn.Linear(4, 2))
