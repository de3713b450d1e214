"""ReLUs by other names, and what is neither affine nor a ReLU."""

import torch
from torch import nn

from tests.layers.from_torch.cases.case import IMAGE, VECTOR, Calls, Cases

CASES = Cases()


@CASES.add("clamp", VECTOR, "a b c")
def _():
    def function(m, x):
        h = m.a(x).clamp(min=0)
        h = torch.clamp_min(m.b(h), 0.0)
        return m.c(h).clamp(0, float("inf"))

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 4), c=nn.Linear(4, 4))


@CASES.add("maximum", VECTOR, "a b c")
def _():
    def function(m, x):
        h = torch.maximum(m.a(x), torch.zeros(()))
        h = torch.maximum(torch.zeros_like(h), m.b(h))
        return torch.maximum(m.c(h), m.zero)

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 4), c=nn.Linear(4, 1), zero=torch.zeros(3))


@CASES.add("maximum that is no relu", VECTOR, "a", "maximum maximum_1 addmm_1")
def _():
    def function(m, x):
        h = m.a(x).relu()
        return torch.maximum(torch.maximum(m.b(h), h), torch.ones(()))

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 4))


@CASES.add("threshold", VECTOR, "0", "threshold_1 addmm_1")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.Threshold(0, 0), nn.Linear(4, 3), nn.Threshold(0.1, 0))


@CASES.add("where", VECTOR, "a", "where gt addmm_1")
def _():
    def function(m, x):
        h = m.b(m.a(x).relu())
        return torch.where(h > 0, h, torch.zeros_like(h))

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 3))


@CASES.add("other activations", VECTOR, "0 9", "addmm_1 addmm_2 addmm_3 hardtanh leaky_relu gelu tanh")
def _():
    return nn.Sequential(
        nn.Linear(5, 4),
        nn.ReLU(),
        nn.Linear(4, 4),
        nn.ReLU6(),
        nn.Linear(4, 4),
        nn.LeakyReLU(0.1),
        nn.Linear(4, 4),
        nn.GELU(),
        nn.Tanh(),
        nn.Linear(4, 3),
        nn.ReLU(),
    )


@CASES.add("softmax head", VECTOR, "0", "addmm_1 _softmax")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.Softmax(dim=1))


@CASES.add("log-softmax head", VECTOR, "0", "addmm_1 _log_softmax")
def _():
    return nn.Sequential(nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3), nn.LogSoftmax(dim=1))


@CASES.add("infinite mask", VECTOR, "a", "addmm_1 add _softmax")
def _():
    def function(m, x):
        return torch.softmax(m.b(m.a(x).relu()) + m.mask, dim=1)

    mask = torch.tensor([0.0, -torch.inf, 0.0])
    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 3), mask=mask)


@CASES.add("layer norm", VECTOR, "0 3", "native_layer_norm")
def _():
    return nn.Sequential(
        nn.Linear(5, 6), nn.ReLU(), nn.LayerNorm(6), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)
    )


@CASES.add("layer norm before relu", VECTOR, "3", "native_layer_norm addmm relu")
def _():
    return nn.Sequential(nn.Linear(5, 6), nn.LayerNorm(6), nn.ReLU(), nn.Linear(6, 4), nn.ReLU())


@CASES.add("group norm", IMAGE, "0 3", "native_group_norm")
def _():
    return nn.Sequential(nn.Conv2d(2, 4, 1), nn.ReLU(), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 1), nn.ReLU())


@CASES.add("attention", (4, 6), "linear1", "bmm _softmax native_layer_norm")
def _():
    return nn.TransformerEncoderLayer(6, 2, dim_feedforward=8, batch_first=True)


@CASES.add("products of activations", VECTOR, "a b", "mul sigmoid addmm_1 addmm_3 div add")
def _():
    def function(m, x):
        h = m.a(x).relu()
        h = m.b(h * m.gate(h).sigmoid()).relu()
        return m.gate(h) / (h + 1)

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(4, 4), gate=nn.Linear(4, 4))
