"""Networks in the calling conventions of other libraries."""

import pytest
import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn import FrEIAAdapter, InjectiveLinear, InjectiveSequential, NflowsAdapter


def model(n: int = 3) -> InjectiveSequential:
    torch.manual_seed(0)
    return InjectiveSequential(InjectiveLinear(n, 8), nn.ReLU(), nn.Linear(8, 8), nn.Softplus()).double()


def test_freia():
    """Constructed from shapes and keywords, called with tuples, as FrEIA's containers do."""
    net = model()
    module = FrEIAAdapter([(3,)], **{"model": net})
    x = torch.randn(5, 3, dtype=torch.float64)
    (y,), jacobian = module((x,), rev=False, jac=True)
    torch.testing.assert_close(y, net(x))
    torch.testing.assert_close(jacobian, net.log_volume(x))
    (back,), backward = module((y,), rev=True)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(backward, -jacobian)
    assert module.output_dims([(3,)]) == [(8,)] and module.dims_in == [(3,)] and module.dims_c == []
    for rev, given in ((False, x), (True, y)):
        _, nothing = module([given], rev=rev, jac=False)
        assert nothing.shape == (5,) and not nothing.any()
    assert len(list(module.parameters())) == len(list(net.parameters()))


def test_freia_arguments():
    with pytest.raises(ArgumentError, match="dims_in: expected one input, got 2"):
        FrEIAAdapter([(3,), (3,)], model=model())
    with pytest.raises(ArgumentError, match="dims_c: expected no conditions, got 1"):
        FrEIAAdapter([(3,)], [(2,)], model=model())
    module = FrEIAAdapter([(3,)], [], model=model())
    x = torch.zeros(1, 3).double()
    with pytest.raises(ArgumentError, match="x_or_z: expected one tensor and no conditions, got 2, 0"):
        module([x, x])
    with pytest.raises(ArgumentError, match="x_or_z: expected one tensor and no conditions, got 1, 1"):
        module([x], [x])


def test_nflows():
    """A cascade, as nflows composes transforms, and its inverse."""
    first = NflowsAdapter(model())
    second = NflowsAdapter(InjectiveSequential(nn.Linear(8, 9), nn.LeakyReLU()).double())
    x = torch.randn(5, 3, dtype=torch.float64)
    hidden, one = first(x, None)
    y, two = second(hidden, context=None)
    whole = InjectiveSequential(first.model, second.model)
    assert one.shape == (5,)
    back, four = second.inverse(y)
    back, three = first.inverse(back)
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(three, -one)
    torch.testing.assert_close(four, -two)
    # Volume is multiplied along a chain only where dimensions agree; on the image it is not.
    square = InjectiveSequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 8)).double()
    parts = [InjectiveSequential(*square[:2]), InjectiveSequential(square[2])]
    total = parts[0].log_volume(x) + parts[1].log_volume(parts[0](x))
    torch.testing.assert_close(square.log_volume(x), total)
    assert torch.equal(whole(x), y)


def test_gradients_of_the_likelihood():
    transform = NflowsAdapter(model(2))
    y, logabsdet = transform(torch.randn(20, 2, dtype=torch.float64))
    (y.square().sum() - logabsdet.sum()).backward()
    assert all(parameter.grad is not None for parameter in transform.parameters())


def test_nflows_arguments():
    transform = NflowsAdapter(model())
    x = torch.zeros(1, 3).double()
    with pytest.raises(ArgumentError, match=r"context: expected none, got a tensor of shape \(1, 3\)"):
        transform(x, x)
    with pytest.raises(ArgumentError, match=r"context: expected none"):
        transform.inverse(transform(x)[0], x)


def test_networks_that_do_not_go_back_are_refused():
    with pytest.raises(ArgumentError, match="model: expected an InjectiveSequential, got Linear"):
        NflowsAdapter(nn.Linear(2, 2))
    needs = InjectiveSequential(InjectiveLinear(2, 5), nn.ReLU(), nn.LayerNorm(5))
    with pytest.raises(ArgumentError, match=r"statistics to go back, got module '2' \(LayerNorm\)"):
        FrEIAAdapter([(2,)], model=needs)
