"""Matrix products: where the weight comes from, and along which axis it acts."""

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

from tests.layers.from_torch.cases.case import VECTOR, Calls, Cases, weight

CASES = Cases()


@CASES.add("functional weights", VECTOR, "a b.w")
def _():
    inner = Calls(lambda m, x: functional.linear(x, m.w, m.bias).relu(), w=weight(3, 4), bias=weight(3))
    return Calls(lambda m, x: m.b(functional.relu(functional.linear(x, m.a))), a=weight(4, 5), b=inner)


@CASES.add("matrix products", VECTOR, "a c relu_2")
def _():
    def function(m, x):
        h = functional.relu(x @ m.a + m.b)
        h = functional.relu((m.c @ h.unsqueeze(-1)).squeeze(-1))
        return functional.relu(h @ torch.eye(3)[:, :2])

    return Calls(function, a=weight(5, 4), b=weight(4), c=weight(3, 4))


@CASES.add("matrix times vector", VECTOR, "a")
def _():
    def function(m, x):
        return functional.relu(torch.addmm(m.b, x, m.a, alpha=2.0, beta=0.5)) @ m.c

    return Calls(function, a=weight(5, 4), b=weight(4), c=weight(4))


@CASES.add("tied weights", VECTOR, "a b")
def _():
    a, b = nn.Linear(5, 5), nn.Linear(5, 5)
    b.weight = a.weight
    return nn.Sequential().append(Calls(lambda m, x: m.b(m.a(x).relu()).relu(), a=a, b=b))[0]


@CASES.add("weight norm", VECTOR, "0")
def _():
    normed = nn.utils.parametrizations.weight_norm(nn.Linear(5, 4))
    nn.init.uniform_(normed.parametrizations.weight.original0, 0.5, 3)
    return nn.Sequential(normed, nn.ReLU())


@CASES.add("weights in one tensor", VECTOR, "w")
def _():
    def function(m, x):
        a, b = m.w.chunk(2)
        return functional.relu(functional.linear(x, a) + functional.linear(x, b))

    return Calls(function, w=weight(8, 5))


@CASES.add("pruned", VECTOR, "0")
def _():
    module = nn.Sequential(nn.Linear(5, 4), nn.ReLU())
    prune.l1_unstructured(module[0], "weight", 0.5)
    return module


@CASES.add("einsum", VECTOR, "a")
def _():
    return Calls(lambda m, x: functional.relu(torch.einsum("bi,oi->bo", x, m.a)), a=weight(4, 5))


@CASES.add("one matrix for every row", (4, 5), "w")
def _():
    def function(m, x):
        return functional.relu(x.permute(1, 0, 2).bmm(m.w.expand(4, 5, 3)) @ m.w.mT)

    return Calls(function, w=weight(5, 3))


@CASES.add("a matrix a row", (4, 5), "b")
def _():
    def function(m, x):
        rows = x.permute(1, 0, 2)
        return functional.relu(rows.bmm(m.a) + m.b.bmm(rows.mT).mT)

    return Calls(function, a=weight(4, 5, 3), b=weight(4, 3, 5))


@CASES.add("tokens", (4, 5), "0 2")
def _():
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 3), nn.ReLU())


@CASES.add("one token", (1, 5), "0")
def _():
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU())


@CASES.add("tokens on a grid", (2, 3, 5), "0")
def _():
    return nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2, bias=False))


@CASES.add("whole input at once", (2, 3, 4), "fc")
def _():
    return Calls(lambda m, x: m.fc(x.flatten(1)).relu().reshape(-1, 2, 2), fc=nn.Linear(24, 4))
