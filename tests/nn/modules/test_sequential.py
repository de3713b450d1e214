"""Networks that go both ways: what comes back, how far off it may be, what is refused."""

import copy
import warnings
from collections import OrderedDict
from itertools import pairwise

import pytest
import torch
from torch import nn

from tests.nn.modules.distances import relative
from unrelu.errors import ArgumentError, NumericalWarning
from unrelu.nn import (
    GenericProjection,
    InjectiveConv2d,
    InjectiveLinear,
    InjectiveSequential,
    InvertibleLayerNorm,
)


def stack(*widths: int, dtype: torch.dtype = torch.float64, **options) -> InjectiveSequential:
    torch.manual_seed(0)
    modules: list[nn.Module] = []
    for n, m in pairwise(widths):
        modules += [InjectiveLinear(n, m, **options), nn.ReLU()]
    return InjectiveSequential(*modules).to(dtype)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("widths", [(5, 12), (7, 16, 40, 100)])
def test_round_trip_of_ten_thousand(widths, dtype, bound, scale):
    model = stack(*widths, dtype=dtype)
    x = scale * torch.randn(10_000, widths[0], dtype=dtype)
    found = model.invert(model(x))
    assert relative(found.x, x) <= bound
    assert bool(found.unique.all()) and bool(found.converged.all())
    assert float(found.residual.max()) <= bound


def test_round_trip_with_biases():
    """Of an input far below the biases the outputs hold no more than their rounding: relative to both."""
    model = stack(5, 12, 30)
    with torch.no_grad():
        for module in model[::2]:
            module.pair_bias.normal_()
    for scale in (1e-6, 1.0, 1e6):
        x = scale * torch.randn(1000, 5, dtype=torch.float64)
        error = (model.inverse(model(x)) - x).detach().norm(dim=1)
        assert float((error / (1 + x.norm(dim=1))).max()) < 1e-12


def test_gradients_pass_through_the_inverse():
    model = stack(3, 8, 20)
    y = model(torch.randn(4, 3, dtype=torch.float64)).detach()
    jacobian = torch.autograd.functional.jacobian(lambda t: model.inverse(t[None])[0], y[0])
    forward = torch.autograd.functional.jacobian(
        lambda t: model(t[None])[0], model.inverse(y[:1])[0].detach()
    )
    torch.testing.assert_close(jacobian @ forward, torch.eye(3, dtype=torch.float64))


def test_named_modules_and_slices():
    layer = InjectiveLinear(2, 5)
    model = InjectiveSequential(OrderedDict(first=layer, relu=nn.ReLU(), last=nn.Linear(5, 6)))
    assert model.first is layer and len(model) == 3 and isinstance(model[:2], InjectiveSequential)
    with pytest.raises(
        ArgumentError, match=r"module 'relu' \(ReLU\): expected an injective layer in front of it"
    ):
        model[1:]


def test_survives_state_dict_and_deepcopy():
    model, other = stack(3, 8, 20), stack(3, 8, 20)
    with torch.no_grad():
        other[0].pair_bias.normal_()
    other.load_state_dict(model.state_dict())
    x = torch.randn(5, 3, dtype=torch.float64)
    for one in (other, copy.deepcopy(model)):
        torch.testing.assert_close(one(x), model(x), rtol=0, atol=0)
        torch.testing.assert_close(one.inverse(model(x)), x)


def test_outputs_off_the_range_are_reported():
    model = stack(3, 8, 20)
    y = model(torch.randn(10, 3, dtype=torch.float64)).detach()
    y[4] += 0.5
    with pytest.warns(
        NumericalWarning, match=r"1 of 10 outputs are off the range \(relative residual up to 0\."
    ):
        x = model.inverse(y)
    found = model.invert(y)
    again = (model(found.x) - y).norm(dim=1) / y.norm(dim=1)
    torch.testing.assert_close(found.residual, again.detach())
    assert float(found.residual[4]) > 0.01 and float(found.residual[[0, 1, 2, 3, 5]].max()) < 1e-12
    torch.testing.assert_close(x, found.x)
    assert float(model.invert(torch.full((1, 20), -1.0).double()).residual) > 0.5


def test_shapes_are_asked_for_where_they_are_needed():
    model = InjectiveSequential(nn.Flatten(), InjectiveLinear(12, 24), nn.ReLU())
    y = model(torch.randn(2, 3, 4))
    with pytest.raises(ArgumentError, match=r"input_shape: .* which module '0' \(Flatten\) needs, got none"):
        model.inverse(y)
    with pytest.raises(ArgumentError, match="input_shape: expected the shape of one input, got none"):
        model.decide()
    model.input_shape = (3, 5)
    with pytest.raises(ArgumentError, match=r"module '0' \(Flatten\): expected 15 entries a sample, got 12"):
        model.inverse(y)
    assert model.output_shape((3, 4)) == (24,)


def test_statistics_of_strangers_are_refused():
    model = InjectiveSequential(InjectiveLinear(2, 5), nn.ReLU(), InvertibleLayerNorm(5))
    y, statistics = model.forward_with_statistics(torch.randn(3, 2))
    with pytest.raises(ArgumentError, match="statistics: expected those of '2', got also '3'"):
        model.inverse(y, {**statistics, "3": statistics["2"]})
    with pytest.raises(
        ArgumentError, match=r"module '2' \(InvertibleLayerNorm\): expected statistics, .* got none"
    ):
        model.inverse(y)


@pytest.mark.parametrize("compiled", [True, False])
def test_what_torch_captures_is_the_same(compiled):
    model = stack(3, 8, 20).eval()
    x = torch.randn(6, 3, dtype=torch.float64)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own
        if compiled:
            other = torch.compile(model, backend="aot_eager")
        else:
            other = torch.export.export(model, (x,)).module()
        torch.testing.assert_close(other(x), model(x))


def test_one_module_in_several_places():
    torch.manual_seed(0)
    relu = nn.ReLU()
    model = InjectiveSequential(InjectiveLinear(2, 4), relu, InjectiveLinear(4, 8), relu).double()
    x = torch.randn(20, 2, dtype=torch.float64)
    assert relative(model.invert(model(x)).x, x) < 1e-12


def test_empty_batches():
    model = InjectiveSequential(InjectiveLinear(2, 8), nn.ReLU(), GenericProjection(8, 5, 2)).double()
    x = torch.zeros(0, 2, dtype=torch.float64)
    assert model.inverse(model(x)).shape == (0, 2)
    assert model.log_volume(x).shape == (0,) and model.estimate_log_volume(x).value.shape == (0,)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (torch.tensor([[1.0, float("nan")]]), "y: expected finite numbers, got 1 NaN or infinite entries"),
        (torch.ones(2), r"y: expected shape \(N, ...\), got \(2,\)"),
        (torch.ones(3, 4), r"y: expected shape \(..., 2\), got \(3, 4\)"),
    ],
)
def test_outputs_that_are_none_are_refused(y, message):
    with pytest.raises(ArgumentError, match=message):
        InjectiveSequential(InjectiveLinear(1, 2), nn.ReLU()).inverse(y)


@pytest.mark.cuda
def test_on_a_device():
    torch.manual_seed(0)
    modules = [
        InjectiveLinear(3, 12),
        nn.ReLU(),
        GenericProjection(12, 7, 3),
        InjectiveLinear(7, 20),
        nn.ReLU(),
    ]
    model = InjectiveSequential(*modules, nn.Linear(20, 20), nn.Softplus()).double().cuda()
    x = torch.randn(50, 3, dtype=torch.float64, device="cuda")
    found = model.invert(model(x))
    assert found.x.is_cuda and found.unique.is_cuda and float((found.residual < 1e-9).double().mean()) > 0.8
    model.log_volume(x).sum().backward()
    generator = torch.Generator("cuda").manual_seed(0)
    estimate = model.estimate_log_volume(x, probes=64, generator=generator)
    off = (estimate.value - model.log_volume(x)).abs()
    assert float((off / estimate.standard_error).median()) < 3


def test_an_image_whose_size_the_outputs_do_not_tell():
    torch.manual_seed(0)
    convolution = InjectiveConv2d(1, 8, 3, stride=2, padding=1, dtype=torch.float64)
    model = InjectiveSequential(convolution, nn.ReLU(), input_shape=(1, 7, 7))
    x = torch.randn(3, 1, 7, 7, dtype=torch.float64)
    assert convolution.inverse(torch.relu(convolution(x))).shape == (3, 1, 8, 8)
    torch.testing.assert_close(model.inverse(model(x)), x)
