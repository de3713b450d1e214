"""Pooling that loses nothing, and what is said of pooling that does."""

import copy
import math

import pytest
import torch
from torch import nn

import unrelu
from unrelu import Verdict
from unrelu.errors import ArgumentError
from unrelu.nn import (
    InjectiveAvgPool1d,
    InjectiveAvgPool2d,
    InjectiveAvgPool3d,
    InjectiveConv2d,
    InjectiveMaxPool1d,
    InjectiveMaxPool2d,
    InjectiveMaxPool3d,
    InjectiveSequential,
)

POOLS = {
    (1, "average"): (InjectiveAvgPool1d, nn.AvgPool1d),
    (2, "average"): (InjectiveAvgPool2d, nn.AvgPool2d),
    (3, "average"): (InjectiveAvgPool3d, nn.AvgPool3d),
    (1, "maximum"): (InjectiveMaxPool1d, nn.MaxPool1d),
    (2, "maximum"): (InjectiveMaxPool2d, nn.MaxPool2d),
    (3, "maximum"): (InjectiveMaxPool3d, nn.MaxPool3d),
}


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize(("dims", "what"), POOLS)
def test_begins_as_torch_and_loses_nothing(dims, what, width):
    torch.manual_seed(0)
    own, plain = POOLS[dims, what]
    pool = own(width)
    x = torch.randn(4, 3, *(2 * width,) * dims, dtype=torch.float64)
    y = pool(x)
    assert y.shape == (4, 3 * width**dims, *(2,) * dims)
    torch.testing.assert_close(y[:, :3], plain(width)(x), rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(pool.inverse(y), x, rtol=1e-13, atol=1e-14)
    torch.testing.assert_close(pool(x[0]), y[0], rtol=1e-14, atol=1e-15)
    torch.testing.assert_close(pool.inverse(y[0]), x[0], rtol=1e-13, atol=1e-14)
    # Every output is one of some input.
    other = torch.randn_like(y)
    torch.testing.assert_close(pool(pool.inverse(other)), other, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kind", [InjectiveAvgPool2d, InjectiveMaxPool2d])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_ten_thousand_images(kind, scale, dtype, tolerance):
    torch.manual_seed(0)
    x = scale * torch.randn(10_000, 2, 6, 4, dtype=dtype)
    pool = kind((3, 2)).float().double()
    back = pool.inverse(pool(x))
    assert ((back - x).flatten(1).norm(dim=1) <= tolerance * x.flatten(1).norm(dim=1)).all()


def test_ties_and_constants_come_back():
    pool = InjectiveMaxPool2d(2)
    x = torch.tensor([[[0.0, 0.0, 3.0, 3.0], [0.0, 0.0, 3.0, -1.0]]])
    torch.testing.assert_close(pool.inverse(pool(x)), x)


@pytest.mark.parametrize("kernel", [2, 3, (2, 3)])
def test_the_average_with_details_is_orthogonal_up_to_a_factor(kernel):
    pool = InjectiveAvgPool2d(kernel)
    n = pool.entries
    units = torch.eye(n, dtype=torch.float64).reshape(n, 1, *pool.kernel_size)
    matrix = pool(units).flatten(1)
    torch.testing.assert_close(matrix @ matrix.T * n, torch.eye(n, dtype=torch.float64), atol=1e-14, rtol=0)


def test_gradients():
    torch.manual_seed(0)
    x = torch.randn(2, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    for kind in (InjectiveAvgPool2d, InjectiveMaxPool2d):
        pool = kind(2)
        assert torch.autograd.gradcheck(pool, (x,))
        assert torch.autograd.gradcheck(pool.inverse, (pool(x).detach().requires_grad_(),))


def test_in_a_sequence():
    torch.manual_seed(0)
    model = InjectiveSequential(
        InjectiveConv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        InjectiveMaxPool2d(2),
        InjectiveConv2d(16, 40, 3, padding=1),
        nn.ReLU(),
        InjectiveAvgPool2d((2, 1)),
        input_shape=(1, 8, 8),
    ).double()
    x = torch.randn(6, 1, 8, 8, dtype=torch.float64)
    found = model.invert(model(x))
    torch.testing.assert_close(found.x, x, rtol=1e-11, atol=1e-11)
    assert (found.residual < 1e-13).all()


def test_averages_with_details_are_decided():
    torch.manual_seed(0)
    model = nn.Sequential(
        InjectiveConv2d(1, 4, 3, padding=1),
        nn.ReLU(),
        InjectiveAvgPool2d(2),
        InjectiveConv2d(16, 32, 3, padding=1),
        nn.ReLU(),
    )
    net = unrelu.trace(model, torch.zeros(1, 1, 8, 8))
    decision = unrelu.decide(net, time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE, decision.reason
    assert unrelu.verify(decision.certificate, net).valid


def decided(pool: nn.Module):
    """What is decided of a convolution with this pooling behind its ReLU."""
    torch.manual_seed(0)
    model = nn.Sequential(InjectiveConv2d(1, 4, 3, padding=1), nn.ReLU(), pool)
    net = unrelu.trace(model, torch.zeros(1, 1, 6, 6))
    return net, unrelu.decide(net, time_limit=20)


def test_averages_alone_are_refuted():
    net, decision = decided(nn.AvgPool2d(2))
    assert decision.verdict == Verdict.NOT_INJECTIVE
    assert unrelu.verify(decision.certificate, net).valid
    pair = decision.collision
    assert pair.distance > 1e-3 and pair.output_difference < 1e-14


def test_maxima_alone_are_left_open_by_name():
    """Fewer numbers than before, more than inputs: what lies below a maximum may be told by others."""
    _, decision = decided(nn.MaxPool2d(2))
    assert decision.verdict == Verdict.UNKNOWN
    assert "max" in decision.reason


def test_maxima_with_details_are_decided():
    net, decision = decided(InjectiveMaxPool2d(2))
    assert decision.verdict == Verdict.INJECTIVE and decision.grade == "exact"
    assert unrelu.verify(decision.certificate, net).valid


def test_survives_saving_copying_and_tracing():
    pool, x = InjectiveAvgPool2d(2), torch.randn(1, 2, 4, 4)
    pool.load_state_dict(pool.state_dict())
    assert torch.equal(copy.deepcopy(pool)(x), pool(x))
    assert torch.equal(torch.export.export(pool, (x,)).module()(x), pool(x))
    assert repr(pool) == "InjectiveAvgPool2d(kernel_size=(2, 2))"


@pytest.mark.parametrize("kernel", [0, (2,), (2, 2, 2), 1.5, "2"])
def test_bad_kernels_are_refused(kernel):
    with pytest.raises(ArgumentError, match="kernel_size: expected"):
        InjectiveMaxPool2d(kernel)


def test_bad_shapes_are_refused():
    pool = InjectiveAvgPool2d((2, 3))
    for shape in ((1, 1, 4, 4), (1, 1, 3, 6), (4, 6), (1, 1, 1, 4, 6)):
        with pytest.raises(
            ArgumentError, match=r"x: expected one or two axes and then multiples of \(2, 3\)"
        ):
            pool(torch.zeros(shape))
    for shape in ((1, 5, 2, 2), (6, 2), (1, 1, 6, 2, 2)):
        with pytest.raises(ArgumentError, match="y: expected a multiple of 6 channels and 2 axes behind"):
            pool.inverse(torch.zeros(shape))
    assert math.prod(pool.kernel_size) == pool.entries
