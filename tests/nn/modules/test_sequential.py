"""Networks that go both ways: what comes back, how far off it may be, what is refused."""

import copy
import warnings
from collections import OrderedDict
from itertools import pairwise

import pytest
import torch
from torch import nn

from unrelu.errors import ArgumentError, NumericalWarning
from unrelu.nn import (
    AugmentedLayerNorm,
    GenericProjection,
    InjectiveConv2d,
    InjectiveLinear,
    InjectiveMaxPool2d,
    InjectiveSequential,
    InvertibleLayerNorm,
    injective,
    smallest_ratio,
)


def stack(*widths: int, dtype: torch.dtype = torch.float64, **options) -> InjectiveSequential:
    torch.manual_seed(0)
    modules: list[nn.Module] = []
    for n, m in pairwise(widths):
        modules += [InjectiveLinear(n, m, **options), nn.ReLU()]
    return InjectiveSequential(*modules).to(dtype)


def relative(found: torch.Tensor, x: torch.Tensor) -> float:
    error = (found - x).flatten(1).norm(dim=1) / x.flatten(1).norm(dim=1)
    return float(error.detach().max())


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


SHAPED = {
    "flatten": ([nn.Flatten(), InjectiveLinear(12, 24), nn.ReLU()], (3, 4)),
    "unflatten": ([nn.Linear(6, 12), nn.Unflatten(1, (3, 2, 2)), nn.PixelUnshuffle(2), nn.Flatten()], (6,)),
    "pixel shuffle": ([nn.PixelShuffle(2), nn.PixelUnshuffle(2), nn.PixelShuffle(2)], (8, 3, 3)),
    "activations": (
        [
            nn.Linear(4, 6),
            nn.LeakyReLU(0.1),
            nn.Linear(6, 6),
            nn.ELU(),
            nn.PReLU(),
            nn.Softplus(),
            nn.Identity(),
        ],
        (4,),
    ),
    "bounded": ([nn.Tanh(), nn.Sigmoid(), nn.Dropout()], (5,)),
    "channels": ([nn.PReLU(3)], (3, 4)),
    "nested": ([nn.Sequential(InjectiveLinear(3, 7), nn.Sequential(nn.ReLU())), nn.Linear(7, 7)], (3,)),
    "no ReLU": ([InjectiveLinear(3, 7), nn.LeakyReLU(), InjectiveLinear(7, 14)], (3,)),
    "plain": ([nn.Linear(4, 30), nn.ReLU(), nn.Linear(30, 40, bias=False)], (4,)),
    "plain convolution": ([nn.Conv1d(2, 16, 3, padding=1), nn.ReLU()], (2, 5)),
    "batch norm": (
        [nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 4), nn.BatchNorm1d(4, affine=False)],
        (4,),
    ),
    "images": ([nn.BatchNorm2d(3), nn.PixelUnshuffle(2)], (3, 2, 4)),
    "augmented": ([InjectiveLinear(3, 8), nn.ReLU(), AugmentedLayerNorm(8), InjectiveLinear(10, 20)], (3,)),
}


def made(case: str) -> tuple[InjectiveSequential, torch.Tensor]:
    torch.manual_seed(0)
    modules, shape = copy.deepcopy(SHAPED[case])
    model = InjectiveSequential(*modules, input_shape=shape).double()
    x = torch.randn(20, *shape, dtype=torch.float64)
    for _ in range(5):
        model(x + 0.5)  # running statistics move
    return model.eval(), x


@pytest.mark.parametrize("case", SHAPED)
def test_every_kind_of_module(case):
    model, x = made(case)
    found = model.invert(model(x))
    known = found.unique  # a plain layer may leave inputs open, and says so
    assert bool(known.all()) or case.startswith("plain")
    assert float(known.double().mean()) > 0.5
    assert relative(found.x[known], x[known]) < 1e-9
    assert float(found.residual.max()) < 1e-9


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


def test_parametrised_layers_are_inverted():
    torch.manual_seed(0)
    model = InjectiveSequential(injective(nn.Linear(3, 8)), nn.ReLU()).double()
    x = torch.randn(50, 3, dtype=torch.float64)
    found = model.invert(model(x))
    assert bool(found.unique.all()) and relative(found.x, x) < 1e-12


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([nn.ReLU()], r"module '0' \(ReLU\): expected an injective layer in front of it"),
        ([nn.MaxPool1d(2)], r"module '0' \(MaxPool1d\): .* nothing is known of this kind"),
        ([nn.Linear(4, 3)], r"module '0' \(Linear\): expected at least in_features = 4 out_features, got 3"),
        (
            [nn.LayerNorm(4), nn.ReLU()],
            r"module '0' \(LayerNorm\): expected an injective layer in front of a ReLU",
        ),
        (
            [nn.Sequential(nn.Tanh(), nn.ReLU6())],
            r"module '0.1' \(ReLU6\): expected a module that can be undone",
        ),
        ([nn.Conv1d(1, 4, 3)], r"module '0' \(Conv1d\): expected a ReLU behind it"),
    ],
)
def test_what_loses_information_is_refused(modules, message):
    with pytest.raises(ArgumentError, match=message):
        InjectiveSequential(*modules)


def test_a_weight_that_lost_its_rank_is_refused():
    model = InjectiveSequential(nn.Linear(3, 5))
    with torch.no_grad():
        model[0].weight[:, 2] = model[0].weight[:, 1]
    with pytest.raises(
        ArgumentError, match=r"module '0' \(Linear\): expected a weight of rank 3, got rank 2"
    ):
        model.inverse(torch.randn(2, 5))


def test_slopes_without_inverse_are_refused():
    for module in (nn.LeakyReLU(0.0), nn.ELU(0.0)):
        with pytest.raises(ArgumentError, match="> 0, got 0"):
            InjectiveSequential(module).inverse(torch.ones(1, 2))
    model = InjectiveSequential(nn.PReLU(init=-0.5))
    with pytest.raises(ArgumentError, match=r"slopes > 0, got -0\.5"):
        model.inverse(torch.ones(1, 2))


def test_a_plain_layer_that_leaves_inputs_open_says_so():
    torch.manual_seed(0)
    model = InjectiveSequential(nn.Linear(6, 9), nn.ReLU()).double()
    x = torch.randn(200, 6, dtype=torch.float64)
    found = model.invert(model(x))
    active = (model(x) > 0).sum(dim=1)
    assert torch.equal(found.unique, active >= 6)
    assert relative(found.x[found.unique], x[found.unique]) < 1e-9
    with pytest.warns(NumericalWarning, match=r"of 200 outputs have several inputs"):
        model.inverse(model(x))


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


def test_dropout_in_training_is_refused():
    model = InjectiveSequential(InjectiveLinear(2, 5), nn.ReLU(), nn.Dropout())
    y = model(torch.randn(3, 2))
    with pytest.raises(
        ArgumentError, match=r"module '2' \(Dropout\): expected evaluation mode, got training"
    ):
        model.inverse(y)


def test_statistics_of_strangers_are_refused():
    model = InjectiveSequential(InjectiveLinear(2, 5), nn.ReLU(), InvertibleLayerNorm(5))
    y, statistics = model.forward_with_statistics(torch.randn(3, 2))
    with pytest.raises(ArgumentError, match="statistics: expected those of '2', got also '3'"):
        model.inverse(y, {**statistics, "3": statistics["2"]})
    with pytest.raises(
        ArgumentError, match=r"module '2' \(InvertibleLayerNorm\): expected statistics, .* got none"
    ):
        model.inverse(y)


LOWER = {
    "layers": ([InjectiveLinear(3, 7), nn.ReLU(), InjectiveLinear(7, 20), nn.ReLU()], 0.9),
    "without ReLU": ([InjectiveLinear(3, 7), nn.LeakyReLU(0.5), nn.Linear(7, 9)], 0.1),
    "norm": ([nn.Linear(3, 5), nn.PReLU(), nn.BatchNorm1d(5), nn.Identity()], 0.01),
}


@pytest.mark.parametrize("case", LOWER)
def test_lower_lipschitz_holds_for_all_pairs(case):
    torch.manual_seed(0)
    modules, least = copy.deepcopy(LOWER[case])
    model = InjectiveSequential(*modules).double().eval()
    bound = model.lower_lipschitz()
    x = torch.randn(300, 3, dtype=torch.float64)
    # Opposite points change the sign of all pairs at once.
    assert smallest_ratio(model, torch.cat([x, -x])).ratio >= bound * (1 - 1e-12)
    assert bound > 0.3 * least


@pytest.mark.parametrize("module", [nn.Tanh(), nn.LayerNorm(3), nn.BatchNorm1d(3), nn.Softplus()])
def test_no_lower_lipschitz_bound_is_0(module):
    assert InjectiveSequential(module).lower_lipschitz() == 0.0
    assert InjectiveSequential(nn.Linear(3, 30), nn.ReLU()).lower_lipschitz() == 0.0


def test_convolutions_and_pooling_go_both_ways():
    torch.manual_seed(0)
    model = InjectiveSequential(
        InjectiveConv2d(1, 12, 3, padding=1, condition=1.5),
        nn.ReLU(),
        InjectiveMaxPool2d(2),
        InjectiveConv2d(48, 96, 1),
        nn.LeakyReLU(),
        nn.Flatten(),
        nn.Linear(96 * 4, 400),
        input_shape=(1, 4, 4),
    ).double()
    x = torch.randn(100, 1, 4, 4, dtype=torch.float64)
    found = model.invert(model(x))
    assert relative(found.x, x) < 1e-11
    assert float(found.residual.max()) < 1e-12


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
