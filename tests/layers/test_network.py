"""The mapping from names to layers, and what lies between them."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch
from torch import nn

from tests.layers.from_torch.cases import CASES, Calls
from unrelu.errors import ArgumentError, ModelError
from unrelu.layers import Convolution, Network, ReLULayer, Skipped, trace


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    module = Calls(
        lambda m, x: m.head(m.fc2(m.fc1(x).relu()).relu()),
        fc1=nn.Linear(3, 5),
        fc2=nn.Linear(5, 4),
        head=nn.Linear(4, 2),
    )
    return trace(module, torch.zeros(1, 3))


def test_mapping(network: Network):
    assert isinstance(network, Mapping)
    assert list(network) == list(network.keys()) == ["fc1", "fc2"]
    assert len(network) == 2
    assert [layer.name for layer in network.values()] == ["fc1", "fc2"]
    assert dict(network.items())["fc2"] is network["fc2"]
    assert "fc1" in network
    assert "head" not in network
    assert network.get("head") is None
    assert network.get("fc1") is network["fc1"]


def test_lookup(network: Network):
    layer = network["fc2"]
    assert isinstance(layer, ReLULayer)
    assert (layer.m, layer.n, layer.node, layer.source) == (4, 5, "relu_1", "relu")
    assert network["fc1"].source == network.input_name == "input"
    assert network["relu_1"] is network[1] is network[-1] is network[np.int64(1)] is layer
    assert network[0] is network[-2] is network["fc1"]


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("head", "no layer 'head'; the layers are 'fc1', 'fc2'"),
        ("", "no layer ''; the layers are 'fc1', 'fc2'"),
        (2, "no layer 2: the network has 2 layers"),
        (-3, "no layer -3: the network has 2 layers"),
        (None, "no layer None"),
        (0.5, "no layer 0.5"),
        (slice(1), "no layer slice(None, 1, None)"),
    ],
)
def test_unknown_layer(network: Network, key, message: str):
    with pytest.raises(KeyError) as caught:
        network[key]
    assert message in caught.value.args[0]
    assert key not in network


def test_facts(network: Network):
    assert network.origin == "Calls"
    assert network.input_shape == (3,)
    assert network.output_shape == (2,)
    assert network.nodes == {"fc1": ("addmm", "relu"), "fc2": ("addmm_1", "relu_1")}
    assert network.skipped == (Skipped("addmm_2", "addmm", "affine, but no ReLU follows it"),)
    assert repr(network) == "Network('Calls', fc1: 3->5, fc2: 5->4; 1 nodes not analysed)"


def test_layer_names_that_are_numbers_are_no_positions():
    module = nn.Sequential(nn.Flatten(), nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 5), nn.ReLU())
    network = trace(module, torch.zeros(1, 3))
    assert list(network) == ["1", "3"]
    assert network["1"] is network[0]
    assert network["3"] is network[1]


def test_a_layer_named_like_another_layers_node():
    module = Calls(
        lambda m, x: m.relu(m.relu_1(x).relu()).relu(), relu_1=nn.Linear(3, 4), relu=nn.Linear(4, 5)
    )
    network = trace(module, torch.zeros(1, 3))
    assert list(network) == ["relu_1", "relu"]
    assert network["relu_1"].m == 4
    assert network["relu"].m == 5


def test_names_are_unique_and_a_modules_own_name_goes_first():
    network = trace(CASES["reused layer"].make(), torch.zeros(1, 5))
    assert list(network) == ["fc", "fc_2", "fc_1"]
    assert network["fc_1"].m == 2


def test_forward(network: Network):
    x = np.random.default_rng(0).normal(size=(4, 3))
    y = network.forward(x)
    assert isinstance(y, np.ndarray)
    assert y.shape == (4, 2)
    assert np.array_equal(network.forward(x.reshape(2, 2, 3)).reshape(4, 2), y)
    assert np.allclose(network.forward(x[0]), y[0])
    tensor = network.forward(torch.from_numpy(x).float())
    assert isinstance(tensor, torch.Tensor)
    assert np.allclose(tensor.numpy(), y, atol=1e-6)
    assert network.forward(np.zeros((0, 3))).shape == (0, 2)


def test_walk(network: Network):
    x = torch.randn(4, 3, dtype=torch.float64)
    seen = list(network.walk(x))
    assert [layer.name for layer, _ in seen] == ["fc1", "fc2"]
    assert torch.equal(seen[0][1], x)
    assert torch.equal(seen[1][1], network["fc1"].apply(x))


@pytest.mark.parametrize("x", [np.ones(4), np.ones((2, 2)), [[np.nan] * 3], np.float64(1)], ids=repr)
def test_bad_samples(network: Network, x):
    with pytest.raises(ArgumentError, match="x: expected"):
        network.forward(x)
    with pytest.raises(ArgumentError, match="x: expected"):
        next(network.walk(x))


def test_images():
    torch.manual_seed(0)
    case = CASES["resnet block"]
    module = case.make().eval()
    network = trace(module, torch.zeros(1, *case.shape))
    assert network.input_shape == case.shape
    assert network["conv1"].in_shape == case.shape
    assert isinstance(network["conv1"].linear, Convolution)
    x = torch.randn(2, *case.shape)
    assert torch.allclose(network.forward(x).float(), module(x).detach(), atol=1e-4)
    assert torch.equal(network.forward(x.reshape(2, -1)), network.forward(x))


def test_of_layer():
    torch.manual_seed(0)
    layer = ReLULayer(torch.randn(4, 3), torch.randn(4), name="mine")
    network = Network.of_layer(layer)
    x = torch.randn(5, 3, dtype=torch.float64)
    assert list(network) == ["mine"]
    assert torch.equal(network["mine"].dense(), layer.dense())
    assert torch.equal(network["mine"].bias, layer.bias)
    assert torch.equal(network.forward(x), layer.apply(x))
    assert network.skipped == ()


def test_of_layer_keeps_convolutions():
    layer = ReLULayer.from_module(nn.Conv2d(2, 3, 3), (2, 5, 5))
    network = Network.of_layer(layer)
    assert isinstance(network[0].linear, Convolution)
    assert network.input_shape == (2, 5, 5)
    x = torch.randn(2, 2, 5, 5)
    assert torch.equal(network.forward(x), layer.apply(x))


STRUCTURE = {
    ("conv2d", "0"): "Convolution",
    ("batch norm", "0"): "Convolution",
    ("sequential", "2"): "Dense",
    ("transposed convolution", "0"): "Transpose",
    ("whole input at once", "fc"): "Dense",
    ("pre-activation resnet", "relu_1"): "Diagonal",
    ("residual, one source", "b"): "Sum",
}


@pytest.mark.parametrize(("place", "kind"), STRUCTURE.items(), ids=str)
def test_structure_is_kept(place: tuple[str, str], kind: str):
    case = CASES[place[0]]
    network = trace(case.make(), torch.zeros(1, *case.shape))
    assert type(network[place[1]].linear).__name__ == kind


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("nowhere.onnx", "nowhere.onnx: no such file"),
        (nn.Linear, "model: expected an nn.Module or a path, got type"),
        (None, "model: expected an nn.Module or a path, got NoneType"),
    ],
)
def test_trace_refuses(model, message: str):
    with pytest.raises((ArgumentError, ModelError), match=message):
        trace(model, torch.zeros(1, 3))


def test_trace_names_the_endings_it_knows(tmp_path):
    path = tmp_path / "model.pth"
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"model.pth: expected a file that ends in .onnx or .pt2"):
        trace(path)
