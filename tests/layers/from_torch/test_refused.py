"""Example inputs, and modules that are not understood: one clear line each."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.layers.from_torch.samples import batch
from unrelu.errors import ArgumentError, ModelError
from unrelu.layers import trace

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


def constant_norm() -> nn.Module:
    norm = nn.BatchNorm1d(3, eps=0.0)
    nn.init.zeros_(norm.running_var)
    return nn.Sequential(norm, nn.ReLU())


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
    "no variance": (constant_norm(), "node '_native_batch_norm.*: expected a positive variance"),
    "random": (Random(), "Random: the module is random"),
    "no relu": (nn.Linear(3, 2), "Linear: the network has no ReLU"),
    "wrong shape": (nn.Sequential(nn.Linear(4, 2), nn.ReLU()), "Sequential: torch.export cannot capture it"),
}


@pytest.mark.parametrize(("module", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(module: nn.Module, message: str):
    with pytest.raises(ModelError, match=message) as caught:
        trace(module, batch((3,)))
    assert "\n" not in str(caught.value)


def test_a_misread_graph_is_noticed(monkeypatch):
    from unrelu.layers import _operations

    linear = _operations.linear
    monkeypatch.setattr(_operations, "linear", lambda build, x, w, *rest: linear(build, x, 2 * w, *rest))
    module = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    nn.init.ones_(module[0].weight)
    with pytest.raises(ModelError, match=r"differs from the module by .* please report"):
        trace(module, torch.ones(1, 3))
