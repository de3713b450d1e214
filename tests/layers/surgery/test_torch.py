"""Rows appended to torch modules."""

import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from unrelu import trace
from unrelu.errors import ModelError
from unrelu.layers.surgery import AppendedRows, NewRows, append_to_module, appended


class Functional(nn.Module):
    """ReLUs that are no modules, one of them in place, and a residual connection."""

    def __init__(self):
        super().__init__()
        self.body = nn.ModuleDict({"a": nn.Linear(6, 4), "b": nn.Linear(4, 4)})

    def forward(self, x):
        h = functional.relu(self.body["a"](torch.flatten(x, 1)))
        return torch.relu_(self.body["b"](h)) + h


class Images(nn.Module):
    """Shared ReLU module, batch norm, flattening by size."""

    def __init__(self):
        super().__init__()
        self.conv1, self.norm = nn.Conv2d(2, 4, 2, stride=2, padding=1), nn.BatchNorm2d(4)
        self.conv2, self.relu = nn.Conv2d(4, 3, 2), nn.ReLU(inplace=True)
        self.norm.running_mean.data.uniform_(-1, 1)
        self.fc = nn.Linear(12, 5)

    def forward(self, x):
        x = self.relu(self.norm(self.conv1(x)))
        x = self.relu(self.conv2(x))
        return self.fc(x.view(x.size(0), -1)).relu()


MODELS = {
    "sequential": (lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)), (2, 3)),
    "functional": (Functional, (2, 3)),
    "images": (Images, (2, 4, 4)),
}


def rounded(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32).astype(np.float64)


def bits(x: torch.Tensor) -> bytes:
    return x.detach().numpy().tobytes()


def rows_for(rng, layer, module) -> NewRows:
    shape = (layer.n,)
    if isinstance(module, nn.Conv2d):
        shape = (layer.in_shape[0], *module.kernel_size)
    return NewRows(np.array([0, 2]), rounded(rng, 2, *shape), rounded(rng, 2), 1)


@pytest.mark.parametrize("name", MODELS)
def test_every_layer(rng, name):
    torch.manual_seed(0)
    build, shape = MODELS[name]
    model = build().eval()
    x = torch.randn(30, *shape)
    for layer in trace(model, x[:1]).values():
        new = rows_for(rng, layer, model.get_submodule(layer.name))
        before = copy.deepcopy(model.state_dict())
        done = append_to_module(model, layer, new)
        found = trace(done, x[:1])[layer.name]
        assert found.record().sha256 == appended(layer, new).record().sha256
        assert bits(done(x)) == bits(model(x))
        assert all(torch.equal(done.state_dict()[key], value) for key, value in before.items())


def test_twice(rng):
    torch.manual_seed(0)
    model = Images().eval()
    x = torch.randn(10, 2, 4, 4)
    net = trace(model, x[:1])
    once = append_to_module(model, net[0], rows_for(rng, net[0], model.conv1))
    layer = trace(once, x[:1])[1]
    new = NewRows(np.array([1]), rounded(rng, 2, 9, 2, 2)[:, :9], rounded(rng, 2), 2)
    new = NewRows(new.partners, rounded(rng, 2, layer.n // 9, 2, 2), new.bias, 2)
    twice = append_to_module(once, layer, new)
    found = trace(twice, x[:1])[1]
    assert found.record().sha256 == appended(layer, new).record().sha256
    assert bits(twice(x)) == bits(model(x))


def test_what_a_module_must_bear(rng, tmp_path):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 4), nn.Dropout(), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(5, 6)
    layer = trace(model, x[:1])[0]
    done = append_to_module(model, layer, rows_for(rng, layer, model[0]))
    assert done.training and done.get_submodule("1").training
    done.eval()
    twin = copy.deepcopy(done)
    twin.get_submodule("0_completion").rows.zero_()
    twin.load_state_dict(done.state_dict())
    part = twin.get_submodule("0_completion")
    assert isinstance(part, AppendedRows) and part.rows.any()
    assert "partners=2, rows=2, pairs=1" in repr(part) and "count=4" in repr(twin)
    seen = []
    done.get_submodule("0_leading").register_forward_hook(lambda _, inputs, __: seen.append(inputs[0]))
    done(x)
    assert torch.allclose(seen[0].double(), trace(twin, x[:1])[0].apply(x.double()), rtol=0, atol=1e-6)
    torch.save(done.state_dict(), tmp_path / "state.pt")
    twin.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    assert done.double()(x.double()).dtype == torch.float64


def test_rows_stay_opposite_while_the_layer_is_trained(rng):
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    x = torch.randn(20, 3)
    layer = trace(model, x[:1])[0]
    done = append_to_module(model, layer, NewRows(np.arange(4), np.zeros((0, 3)), np.zeros(0), 0))
    done(x).square().sum().backward()
    with torch.no_grad():
        for parameter in done.parameters():
            parameter -= 0.1 * parameter.grad
    weight = trace(done, x[:1])[0].dense()
    assert torch.equal(weight[4:], -weight[:4]) and not torch.equal(weight[:4], layer.dense())


def test_memory_layout(rng):
    torch.manual_seed(0)
    model = Images().eval().to(memory_format=torch.channels_last)
    x = torch.randn(6, 2, 4, 4).to(memory_format=torch.channels_last)
    head = nn.Sequential(model.conv1, model.norm, nn.ReLU())
    layer = trace(head, x[:1])[0]
    done = append_to_module(head, layer, rows_for(rng, layer, model.conv1))
    assert done(x).stride() == head(x).stride() and torch.equal(done(x), head(x))


class Branching(nn.Module):
    """Its graph depends on the data."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        if x.ndim == 2 and torch.compiler.is_exporting():
            return torch.relu(self.fc(x))
        return torch.relu(self.fc(x)) if x.sum() > 0 else x


class Repeated(nn.Module):
    """One module, called twice."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        return torch.relu(self.fc(torch.relu(self.fc(x))))


class Bare(nn.Module):
    """A weight that no nn.Linear holds."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.eye(3))

    def forward(self, x):
        return torch.relu(x @ self.w)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (Branching, "torch.fx cannot take its graph"),
        (Repeated, "a Linear called 2 times"),
        (Bare, "got no module"),
        (lambda: nn.Sequential(nn.Linear(3, 3), nn.Flatten(), nn.ReLU()), "expected a ReLU behind"),
    ],
)
def test_refused(rng, build, message):
    x = torch.ones(1, 3)
    model = build()
    layer = trace(model, x)[0]
    with pytest.raises(ModelError, match=message):
        append_to_module(model, layer, NewRows(np.array([0]), rounded(rng, 1, 3), rounded(rng, 1), 1))
