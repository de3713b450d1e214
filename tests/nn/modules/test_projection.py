"""Generic projections between blocks: what they keep, what is measured of it, and the way back."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from tests.reference import volume as naive
from unrelu import Box, Verdict, trace, verify
from unrelu.errors import ArgumentError, NumericalWarning
from unrelu.nn import GenericProjection, InjectiveLinear, InjectiveSequential, smallest_ratio


def controlled(n: int, *, blocks: int = 2) -> InjectiveSequential:
    """Blocks that expand, and projections to 2 n + 1 between them."""
    torch.manual_seed(0)
    modules: list[nn.Module] = []
    size = n
    for _ in range(blocks):
        modules += [InjectiveLinear(size, 4 * size), nn.ReLU(), GenericProjection(4 * size, 2 * n + 1, n)]
        size = 2 * n + 1
    return InjectiveSequential(*modules).double()


@pytest.mark.parametrize("n", [1, 2, 4])
def test_inputs_come_back_through_projections(n):
    """Most are found; those that are not are told by their residual."""
    model = controlled(n)
    x = torch.randn(40, n, dtype=torch.float64)
    found = model.invert(model(x))
    solved = found.residual < 1e-9
    assert float(solved.double().mean()) > 0.85
    assert float((found.x - x).norm(dim=1)[solved].max()) < 1e-7
    assert bool(found.converged[solved].all())


def test_layers_behind_the_last_projection_go_back_by_themselves():
    model = InjectiveSequential(*controlled(2, blocks=1), InjectiveLinear(5, 12), nn.ReLU()).double()
    x = torch.randn(50, 2, dtype=torch.float64)
    found = model.invert(model(x))
    solved = found.residual < 1e-9
    assert float(solved.double().mean()) > 0.85
    assert float((found.x - x).norm(dim=1)[solved].max()) < 1e-7


def test_off_the_range_the_distance_is_a_least_one():
    model = controlled(2, blocks=1)
    y = model(torch.randn(10, 2, dtype=torch.float64)) + 0.3 * torch.randn(10, 5, dtype=torch.float64)
    found = model.invert(y.detach())
    assert float(found.residual.min()) > 1e-3
    for _ in range(50):  # nothing near is better
        near = found.x + 1e-3 * torch.randn_like(found.x)
        residual = ((model(near) - y).norm(dim=1) / y.norm(dim=1)).detach()
        assert bool((residual >= found.residual - 1e-9).all())
    with pytest.warns(NumericalWarning, match="10 of 10 outputs are off the range"):
        model.inverse(y.detach())


def test_small_networks_are_decided_by_their_regions():
    model = controlled(1, blocks=1)
    decision = model.decide(domain=Box(-1, 1), time_limit=20)
    assert decision.verdict == Verdict.INJECTIVE
    assert verify(decision.certificate, trace(model, torch.zeros(1, 1).double())).valid


def test_large_networks_are_left_open_and_say_why():
    model = InjectiveSequential(*controlled(6), InjectiveLinear(13, 30), nn.ReLU()).double()
    decision = model.decide(time_limit=1)
    assert decision.verdict == Verdict.UNKNOWN and decision.certificate is None
    assert (
        "module '2' (GenericProjection) keeps injectivity almost surely, which proves nothing"
        in decision.reason
    )


def test_too_narrow_projections_are_refused_and_would_lose():
    with pytest.raises(
        ArgumentError, match=r"out_features: expected at least 2 \* intrinsic \+ 1 = 7, got 6"
    ):
        GenericProjection(20, 6, intrinsic=3)
    for wrong in ({"in_features": 0}, {"intrinsic": 0}, {"out_features": 7.5}):
        with pytest.raises(ArgumentError, match="expected a whole number"):
            GenericProjection(**{"in_features": 20, "out_features": 9, "intrinsic": 2, **wrong})
    with pytest.raises(ArgumentError, match=r"module '0' \(GenericProjection\): expected an injective layer"):
        InjectiveSequential(GenericProjection(20, 7, intrinsic=3), nn.ReLU())


def test_statistics_in_front_of_a_projection_are_refused():
    modules = [InjectiveLinear(2, 8), nn.ReLU(), nn.LayerNorm(8), GenericProjection(8, 5, 2)]
    model = InjectiveSequential(*modules)
    y, statistics = model.forward_with_statistics(torch.randn(3, 2))
    with pytest.raises(ArgumentError, match=r"module '2' \(LayerNorm\): expected no statistics in front"):
        model.inverse(y.detach(), statistics)


def test_keeps_lengths_on_average_and_trains_only_if_told():
    torch.manual_seed(0)
    projection = GenericProjection(500, 41, intrinsic=20)
    x = torch.randn(400, 500)
    assert float((projection(x).norm(dim=1) / x.norm(dim=1)).square().mean()) == pytest.approx(1, rel=0.05)
    assert not list(projection.parameters()) and "weight" in projection.state_dict()
    trainable = GenericProjection(500, 41, intrinsic=20, trainable=True)
    assert len(list(trainable.parameters())) == 1 and "trainable" in repr(trainable)
    trainable.load_state_dict(projection.state_dict())
    torch.testing.assert_close(copy.deepcopy(trainable)(x), projection(x))
    again, other = (GenericProjection(9, 3, 1, generator=torch.Generator().manual_seed(5)) for _ in range(2))
    assert torch.equal(again.weight, other.weight)


@pytest.mark.parametrize("count", [2, 7, 60])
def test_smallest_ratio_is_the_naive_one(count):
    model = controlled(3, blocks=1)
    points = torch.randn(count, 3, dtype=torch.float64)
    points[-1] = points[0] if count > 2 else points[-1]

    def function(point: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(point)[None])[0].numpy()

    found = smallest_ratio(model, points)
    assert found.ratio == pytest.approx(naive.smallest_ratio(function, points.numpy()), rel=1e-12)
    i, j = found.pair
    with torch.no_grad():
        again = (model(points[[i]]) - model(points[[j]])).norm() / (points[i] - points[j]).norm()
    assert found.ratio == pytest.approx(float(again), rel=1e-12) and i < j
    assert found.pairs == count * (count - 1) // 2 - (count > 2)


def test_smallest_ratio_in_blocks(monkeypatch):
    from unrelu.nn.modules import _projection

    points = torch.randn(50, 2, dtype=torch.float64)
    whole = smallest_ratio(torch.tanh, points)
    monkeypatch.setattr(_projection, "_BLOCK", 18)
    assert smallest_ratio(torch.tanh, points) == whole
    with pytest.raises(ArgumentError, match="points: expected at least two different ones, got 3"):
        smallest_ratio(torch.tanh, torch.ones(3, 2))


def test_projections_for_fewer_inputs_are_refused():
    with pytest.raises(ArgumentError, match="an intrinsic dimension of at least 3, the number of inputs"):
        InjectiveSequential(InjectiveLinear(3, 8), nn.ReLU(), GenericProjection(8, 5, intrinsic=2))


def test_outputs_that_are_not_finite_have_no_ratio():
    with pytest.raises(ArgumentError, match="function: expected finite outputs"):
        smallest_ratio(torch.log, torch.tensor([[1.0], [-1.0]]))
