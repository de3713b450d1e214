"""Every kind of module is undone, or refused by name."""

import copy

import pytest
import torch
from torch import nn

from tests.nn.modules.distances import relative
from unrelu.errors import ArgumentError, NumericalWarning
from unrelu.nn import (
    AugmentedLayerNorm,
    InjectiveConv2d,
    InjectiveLinear,
    InjectiveMaxPool2d,
    InjectiveSequential,
    injective,
)

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


def test_dropout_in_training_is_refused():
    model = InjectiveSequential(InjectiveLinear(2, 5), nn.ReLU(), nn.Dropout())
    y = model(torch.randn(3, 2))
    with pytest.raises(
        ArgumentError, match=r"module '2' \(Dropout\): expected evaluation mode, got training"
    ):
        model.inverse(y)


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
