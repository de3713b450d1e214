"""nn.Linear made injective, and kept so."""

import copy
import io
import math

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.nn.parametrization.training import bake, is_kept_by_onnx, is_proved, read_again, trained
from unrelu.errors import ArgumentError
from unrelu.nn import InjectiveLinear, injective

DTYPES = [torch.float32, torch.float64]


def model(dtype: torch.dtype = torch.float32, **options) -> nn.Sequential:
    torch.manual_seed(0)
    layer = injective(nn.Linear(5, 13, dtype=dtype), **options)
    return nn.Sequential(layer, nn.ReLU(), nn.Linear(13, 3, dtype=dtype))


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("condition", [None, 3.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_proved_at_once(dtype, condition, bias):
    layer = injective(nn.Linear(5, 13, bias=bias, dtype=dtype), "weight", condition=condition)
    assert is_proved(unrelu.ReLULayer(layer.weight, layer.bias))


@pytest.mark.parametrize("condition", [None, 3.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_proved_when_trained_and_loaded_and_traced(dtype, condition):
    net = trained(model(dtype, condition=condition))
    assert is_proved(unrelu.ReLULayer(net[0].weight, net[0].bias))
    file = io.BytesIO()
    torch.save(net.state_dict(), file)
    other = trained(model(dtype, condition=condition), steps=3)
    other.load_state_dict(torch.load(io.BytesIO(file.getvalue())))
    x = torch.randn(4, 5, dtype=dtype)
    assert torch.equal(other(x), net(x))
    assert is_proved(unrelu.trace(other, x)[0])


@pytest.mark.parametrize("dtype", DTYPES)
def test_written_as_onnx(dtype, tmp_path):
    assert is_kept_by_onnx(trained(model(dtype)), tmp_path / "model.onnx")


@pytest.mark.parametrize("condition", [None, 3.0])
def test_written_as_onnx_when_baked(condition, tmp_path):
    net = trained(model(condition=condition)).eval()
    bake(net[0])
    assert is_proved(read_again(net, tmp_path / "model.onnx"))


@pytest.mark.parametrize("condition", [None, 3.0])
def test_baked_it_is_the_same_layer(condition):
    net = trained(model(condition=condition))
    x = torch.randn(7, 5)
    before = net(x)
    assert type(bake(net[0])) is nn.Linear
    assert torch.equal(net(x), before)
    assert is_proved(unrelu.ReLULayer(net[0].weight, net[0].bias))


@pytest.mark.parametrize("condition", [None, 3.0])
def test_copied_compiled_and_exported(condition):
    net = trained(model(condition=condition))
    x = torch.randn(4, 5)
    twin = copy.deepcopy(net)
    assert torch.equal(twin(x), net(x))
    trained(twin, 3)
    assert is_proved(unrelu.ReLULayer(twin[0].weight, twin[0].bias))
    for backend in ("eager", "aot_eager"):
        torch.testing.assert_close(torch.compile(net, backend=backend, fullgraph=True)(x), net(x))
    for strict in (False, True):
        torch.testing.assert_close(torch.export.export(net, (x,), strict=strict).module()(x), net(x))


@pytest.mark.parametrize("condition", [1.0001, 3.0, 1000.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_condition_holds_while_trained(dtype, condition):
    net = model(dtype, condition=condition)
    rows = net[0].parametrizations.weight[0]
    for _ in range(3):
        sigma = torch.linalg.svdvals(net[0].weight[rows.basis].detach().double())
        assert sigma[0] / sigma[-1] <= condition * (1 + 100 * torch.finfo(dtype).eps)
        trained(net, 10)


def test_what_is_within_the_bound_is_kept_and_gradients_pass():
    torch.manual_seed(0)
    linear = nn.Linear(3, 6, bias=False)
    with torch.no_grad():
        linear.weight[:3] = torch.diag(torch.tensor([1.0, 2.0, 0.1]))
        linear.weight[3:] = -linear.weight[:3]
    weight = linear.weight.detach().clone()
    assert torch.equal(injective(copy.deepcopy(linear), condition=20.5).weight, weight)
    raised = injective(linear, condition=10.0)
    expected = torch.diag(torch.tensor([1.0, 2.0, 0.2]))
    torch.testing.assert_close(raised.weight.detach(), torch.cat([expected, -expected]))
    raised.weight[:3].sum().backward()
    torch.testing.assert_close(raised.parametrizations.weight.original.grad[:3], torch.ones(3, 3))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("condition", [None, 1.01])
def test_a_valid_layer_is_kept_to_the_bit(dtype, condition):
    torch.manual_seed(0)
    source = InjectiveLinear(6, 17, dtype=dtype)
    linear = nn.Linear(6, 17, dtype=dtype)
    with torch.no_grad():
        order, scale = torch.randperm(17), torch.ones(17, 1, dtype=dtype)
        scale[6:12] = 2.0 ** torch.arange(6)[:, None]
        linear.weight.copy_((scale * source.weight)[order])
        linear.bias.copy_((torch.randn(17, dtype=dtype).abs())[order])
    weight, bias = linear.weight.detach().clone(), linear.bias.detach().clone()
    layer = injective(linear, condition=condition)
    assert torch.equal(layer.weight, weight)
    assert torch.equal(layer.bias, bias)
    assert layer.parametrizations.weight[0].contains(weight)


def test_rows_of_very_different_size_are_kept():
    linear = nn.Linear(2, 4, bias=False, dtype=torch.float64)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.5, 1.0], [0.0, 1.0], [-1.5, -1.0], [0.0, -1.0]]))
        linear.weight[2] *= 2.0**300
        linear.weight[3] *= 2.0**-300
    weight = linear.weight.detach().clone()
    assert torch.equal(injective(linear).weight, weight)


def test_the_parameter_stays_the_same_object():
    linear = nn.Linear(5, 13)
    weight, bias = linear.weight, linear.bias
    injective(linear)
    assert linear.parametrizations.weight.original is weight
    assert linear.parametrizations.bias.original is bias


def test_another_weight_is_assigned():
    torch.manual_seed(0)
    layer = injective(nn.Linear(3, 8))
    other = torch.randn(8, 3)
    assert not layer.parametrizations.weight[0].contains(other)
    layer.weight = other
    assert (layer.weight == other).all(dim=1).sum() == 5
    assert is_proved(unrelu.ReLULayer(layer.weight, layer.bias))
    with pytest.raises(ArgumentError, match="weight: expected rank n = 3, got 2 independent rows"):
        layer.weight = other * torch.tensor([1.0, 1.0, 0.0])


def test_biases_are_raised_just_as_far_as_needed():
    linear = nn.Linear(1, 3)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[1.0], [-2.0], [3.0]]))
        linear.bias.copy_(torch.tensor([-1.0, 1.5, -7.0]))
    layer = injective(linear)
    assert layer.bias.tolist() == [-1.0, 2.0, -7.0]
    assert is_proved(unrelu.ReLULayer(layer.weight, layer.bias))


def test_after_training_it_is_inverted():
    net = trained(model(torch.float64))
    layer = unrelu.ReLULayer(net[0].weight, net[0].bias)
    x = np.random.default_rng(0).standard_normal((500, 5))
    found = unrelu.invert(layer, layer.apply(x))
    assert found.unique.all()
    assert np.abs(found.x - x).max() < 1e-12


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (nn.Linear(3, 5), {}, "weight: expected at least 2 n = 6 rows for n = 3, got 5"),
        (nn.ReLU(), {}, "module: expected nn.Linear or nn.Conv1d/2d/3d, got ReLU"),
        (nn.Linear(3, 6), {"name": "bias"}, "name: expected 'weight', got 'bias'"),
        (nn.Linear(3, 6), {"condition": 0.9}, "condition: .* got 0.9"),
        (injective(nn.Linear(3, 6)), {}, "module: expected a module without parametrizations"),
    ],
)
def test_what_is_refused(module, options, message):
    with pytest.raises(ArgumentError, match=message):
        injective(module, **options)


@pytest.mark.parametrize("what", ["rank", "weight", "bias"])
def test_a_layer_that_is_refused_stays_as_it_was(what):
    linear = nn.Linear(3, 6)
    with torch.no_grad():
        if what == "rank":
            linear.weight[:, 1] = 2 * linear.weight[:, 0]
        else:
            getattr(linear, what)[-1] = math.nan
    before = copy.deepcopy(linear.state_dict())
    message = "got 2 independent rows" if what == "rank" else f"{what}: expected finite numbers"
    with pytest.raises(ArgumentError, match=message):
        injective(linear)
    assert type(linear) is nn.Linear
    for name, value in linear.state_dict().items():
        assert torch.equal(value, before[name]) or value.isnan().any()
