"""The injective drop-ins for nn.Conv1d, nn.Conv2d and nn.Conv3d."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tests.nn.modules.convolutions import GEOMETRIES, error, made, trained
from unrelu.errors import ArgumentError
from unrelu.nn import InjectiveConv1d, InjectiveConv2d


def matrix(layer: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    """The matrix of the pairs, one column an input."""
    columns = layer(torch.eye(math.prod(shape), dtype=torch.float64).reshape(-1, *shape)) - layer(
        torch.zeros(1, *shape, dtype=torch.float64)
    )
    by_group = columns.unflatten(1, (layer.groups, -1))[:, :, : layer.pairs.rows]
    return by_group.flatten(1).T.detach()


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("dims", [1, 2])
def test_round_trip(dims, name):
    layer, shape = made(dims, name)
    x = torch.randn(4, *shape, dtype=torch.float64)
    assert error(layer, x) < 1e-13
    assert error(trained(layer, shape), x) < 1e-13


@pytest.mark.parametrize("name", ["same", "circular", "without padding", "stride", "groups"])
def test_three_axes(name):
    layer, shape = made(3, name)
    assert error(trained(layer, shape, 3), torch.randn(4, *shape, dtype=torch.float64)) < 1e-13


@pytest.mark.parametrize("condition", [1.0, 50.0])
@pytest.mark.parametrize("name", GEOMETRIES)
def test_singular_values_are_as_promised(name, condition):
    layer, shape = made(2, name, condition=condition)
    overlaps = math.ceil(layer.pairs.windows[0][1] / layer.stride[0])
    for steps in (0, 5):
        sigma = torch.linalg.svdvals(matrix(trained(layer, shape, steps), shape))
        rho = (condition - 1) / (condition + 1)
        assert sigma[-1] >= math.sqrt(2) * (1 - rho) - 1e-12
        assert sigma[0] <= math.sqrt(2) * (max(overlaps, 1) + rho) + 1e-12
        assert layer.lower_lipschitz() <= sigma[-1] / math.sqrt(2) * (1 + 1e-12)
        assert layer.contains(layer.weight)


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel:UserWarning")
@pytest.mark.parametrize("name", GEOMETRIES)
def test_convolves_as_torch_does(name):
    layer, shape = made(2, name)
    plain = nn.Conv2d(
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.groups,
        padding_mode=layer.padding_mode,
        dtype=torch.float64,
    )
    plain.load_state_dict({"weight": layer.weight, "bias": layer.bias})
    x = torch.randn(3, *shape, dtype=torch.float64)
    torch.testing.assert_close(layer(x), plain(x), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(layer(x[0]), plain(x[0]), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(layer.inverse(torch.relu(layer(x[0])), shape[1:]), x[0])


@pytest.mark.parametrize("name", ["same", "stride", "groups"])
def test_channels_are_opposite_to_the_bit(name):
    layer, shape = made(2, name, dtype=torch.float32)
    trained(layer, shape)
    for tensor in (layer.weight, layer.bias):
        groups = tensor.unflatten(0, (layer.groups, -1))
        rows = layer.pairs.rows
        assert torch.equal(groups[:, :rows], -groups[:, rows : 2 * rows])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_ten_thousand_images(scale, dtype, tolerance):
    torch.manual_seed(1)
    layer = InjectiveConv2d(1, 6, 3, padding=1, bias=False, dtype=dtype).eval()
    x = scale * torch.randn(10_000, 1, 5, 5, dtype=dtype)
    assert error(layer, x) < tolerance
    with_bias, shape = made(2, "same", dtype=dtype)
    x = torch.randn(100, *shape, dtype=dtype) * max(scale, 1.0)
    assert error(with_bias, x) < tolerance


def test_small_images_beside_a_bias_are_as_good_as_the_outputs():
    layer, shape = made(2, "same")
    x = 1e-6 * torch.randn(100, *shape, dtype=torch.float64)
    assert error(layer, x) * 1e-6 < 1e-15


@pytest.mark.parametrize("evaluating", [False, True])
def test_compiles(evaluating):
    layer, shape = made(2, "stride", dtype=torch.float32)
    layer.train(not evaluating)
    x = torch.randn(2, *shape)
    torch.testing.assert_close(torch.compile(layer, backend="eager", fullgraph=True)(x), layer(x))


@pytest.mark.parametrize("name", ["same", "without padding", "groups", "circular stride"])
def test_samples_are_valid(name):
    layer, _ = made(2, name, condition=7.0)
    generator = torch.Generator().manual_seed(3)
    weight = layer.sample(generator)
    assert layer.contains(weight)
    assert torch.equal(weight, layer.sample(torch.Generator().manual_seed(3)))
    rows = layer.pairs.rows
    for at, change in ((0, 1e-6), (rows, 1e-6)):
        other = weight.clone()
        other[at, 0, 0, 0] += change
        assert not layer.contains(other)
    flat = weight.clone()
    flat[0], flat[rows] = flat[1], flat[rows + 1]
    assert not layer.contains(flat)
    strict, _ = made(2, name, condition=1.0)
    assert layer.pairs.taps is None or not strict.contains(weight)


def test_initially_activations_have_the_mean_square_of_the_inputs():
    torch.manual_seed(0)
    x = torch.randn(64, 3, 16, 16)
    for options in ({"padding": 1}, {"padding": 1, "stride": 2}, {}):
        layer = InjectiveConv2d(3, 96, 3, **options)
        assert 0.9 < torch.relu(layer(x)).square().mean() < 1.2
        assert not layer.bias.any()


@given(st.integers(0, 10**6), st.floats(1.0, 30.0))
@settings(max_examples=15)
def test_outputs_are_no_closer_than_promised(seed, condition):
    torch.manual_seed(seed)
    layer = InjectiveConv2d(2, 6, 3, padding=1, dtype=torch.float64, condition=condition)
    nn.init.normal_(layer.pair_bias)
    x = torch.randn(20, 2, 5, 5, dtype=torch.float64)
    other = x + torch.randn_like(x) * 10.0 ** float(torch.randint(-3, 2, ()))
    near = (torch.relu(layer(x)) - torch.relu(layer(other))).flatten(1).norm(dim=1)
    assert (near >= layer.lower_lipschitz() * (x - other).flatten(1).norm(dim=1)).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"out_channels": 5},
            "out_channels: expected at least 6, a pair for each of 3 channels .* 1 x 1, got 5",
        ),
        (
            {"out_channels": 50, "padding": 0},
            "out_channels: expected at least 54, .* window of 3 x 3, got 50",
        ),
        ({"stride": 4}, "kernel_size: expected taps that read every input"),
        ({"dilation": 2, "stride": 2}, "kernel_size: expected taps that read every input"),
        ({"padding_mode": "reflect"}, "padding_mode: expected one of zeros, circular, got 'reflect'"),
        ({"padding": "full"}, "padding: expected numbers, 'valid', or 'same' without stride, got 'full'"),
        ({"padding": "same", "stride": 2}, "padding: expected numbers"),
        ({"padding": -1}, "padding: expected a whole number of at least 0, got -1"),
        ({"kernel_size": (3, 3, 3)}, r"kernel_size: expected 2 numbers, got \(3, 3, 3\)"),
        ({"kernel_size": 0}, "kernel_size: expected a whole number"),
        ({"groups": 2}, "in_channels: expected a multiple of groups = 2, got 3"),
        ({"groups": 3, "out_channels": 10}, "out_channels: expected a multiple of groups = 3, got 10"),
        ({"condition": 0.5}, "condition: expected a finite number of at least 1, got 0.5"),
        ({"condition": math.nan}, "condition: expected a finite number"),
    ],
)
def test_bad_options_are_refused(options, message):
    known = {"in_channels": 3, "out_channels": 12, "kernel_size": 3, "padding": 1}
    with pytest.raises(ArgumentError, match=message):
        InjectiveConv2d(**{**known, **options})


def test_bad_images_are_refused():
    layer = InjectiveConv2d(3, 24, 2, stride=2)
    with pytest.raises(ArgumentError, match=r"x: expected along spatial axis 1 .* 0 modulo 2, got 7"):
        layer(torch.zeros(1, 3, 8, 7))
    with pytest.raises(ArgumentError, match=r"x: expected shape \(N, 3, H, W\), with N or without, got"):
        layer(torch.zeros(1, 4, 8, 8))
    with pytest.raises(ArgumentError, match=r"y: expected shape \(N, 24, H, W\)"):
        layer.inverse(torch.zeros(1, 12, 4, 4))
    with pytest.raises(ArgumentError, match=r"y: expected the activations of images of size 7"):
        layer.inverse(torch.zeros(1, 24, 4, 4), 7)
    with pytest.raises(ArgumentError, match=r"weight: expected shape \(24, 3, 2, 2\)"):
        layer.contains(torch.zeros(24, 3, 2, 1))
    with pytest.raises(ArgumentError, match="finite"):
        layer.contains(torch.full((24, 3, 2, 2), math.nan))


def test_sizes_with_as_many_positions():
    layer = InjectiveConv2d(1, 10, 3, stride=2, padding=1, dtype=torch.float64)
    for size in itertools.product((7, 8), (7, 8)):
        x = torch.randn(2, 1, *size, dtype=torch.float64)
        y = torch.relu(layer(x))
        assert y.shape[2:] == (4, 4)
        torch.testing.assert_close(layer.inverse(y, size), x)
        whole = layer.inverse(y)
        assert whole.shape[2:] == (8, 8)
        torch.testing.assert_close(whole[:, :, : size[0], : size[1]], x)


def test_shows_its_options():
    layer = InjectiveConv1d(2, 9, 3, padding=1, bias=False, condition=2)
    assert repr(layer).startswith("InjectiveConv1d(\n  2, 9, kernel_size=(3,), stride=(1,), padding=(1,)")
    assert "bias=False, condition=2" in repr(layer)
