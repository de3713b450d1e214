"""Normalisations and their statistics."""

import copy

import pytest
import torch
from torch import nn

from unrelu import Verdict, trace, verify
from unrelu.errors import ArgumentError
from unrelu.layers import Statistics
from unrelu.nn import AugmentedLayerNorm, InjectiveLinear, InjectiveSequential, InvertibleLayerNorm
from unrelu.nn.modules._normalisation import normalisation_statistics, undo_normalisation

NORMS = {
    "layer": (nn.LayerNorm(6), (6,)),
    "layer of several axes": (nn.LayerNorm((2, 3)), (4, 2, 3)),
    "layer by lines": (nn.LayerNorm(3), (2, 5, 3)),
    "plain layer": (nn.LayerNorm(6, elementwise_affine=False), (6,)),
    "root mean square": (nn.RMSNorm(6), (6,)),
    "groups": (nn.GroupNorm(2, 6), (6, 3)),
    "instances": (nn.InstanceNorm2d(3, affine=True), (3, 4, 2)),
    "tracked instances": (nn.InstanceNorm1d(3, track_running_stats=True), (3, 7)),
    "batch": (nn.BatchNorm1d(5), (5,)),
    "batch of lines": (nn.BatchNorm1d(5), (5, 3)),
    "batch of images": (nn.BatchNorm2d(3), (3, 2, 2)),
    "batch without memory": (nn.BatchNorm1d(5, track_running_stats=False), (5,)),
}


def made(case: str, *, training: bool) -> tuple[nn.Module, torch.Tensor]:
    norm, shape = copy.deepcopy(NORMS[case])
    norm = norm.double().train(training)
    torch.manual_seed(0)
    with torch.no_grad():
        for tensor in (*norm.parameters(), *(b for b in norm.buffers() if b.is_floating_point())):
            tensor.copy_(torch.rand_like(tensor) + 0.5)
    return norm, 3 * torch.randn(8, *shape, dtype=torch.float64) + 1


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("case", NORMS)
def test_round_trip(case, scale, training):
    norm, x = made(case, training=training)
    x = scale * x
    statistics = normalisation_statistics(norm, x)
    back = undo_normalisation(norm, norm(x), statistics)
    bound = 1e-12 if scale >= 1 else 1e-9  # stored means of size 1 round an input of size 1e-6
    assert float((back - x).detach().abs().max()) <= bound * float(x.abs().max())


@pytest.mark.parametrize("case", NORMS)
def test_statistics_are_torch_s(case):
    """Subtracting and dividing by them is what torch does, without gain and offset."""
    norm, x = made(case, training=True)
    statistics = normalisation_statistics(norm, x)
    if isinstance(norm, nn.LayerNorm | nn.RMSNorm):
        entries = len(norm.normalized_shape)
        shape = (*x.shape[: x.dim() - entries], *(1,) * entries)
    else:
        shape = (-1, x.shape[1], *(1,) * (x.dim() - 2))
    shared = 3 if case == "groups" else 1
    mean, scale = (
        t.repeat_interleave(shared, dim=1).reshape(shape) for t in (statistics.mean, statistics.scale)
    )
    with torch.no_grad():
        for name, value in (("weight", 1.0), ("bias", 0.0)):
            if getattr(norm, name, None) is not None:
                getattr(norm, name).fill_(value)
    torch.testing.assert_close(norm(x), (x - mean) / scale)


def network(norm: nn.Module) -> InjectiveSequential:
    torch.manual_seed(0)
    modules = [InjectiveLinear(3, 8), nn.ReLU(), norm, InjectiveLinear(8, 20), nn.ReLU()]
    return InjectiveSequential(*modules).double()


@pytest.mark.parametrize(
    "norm", [nn.LayerNorm(8), InvertibleLayerNorm(8), nn.GroupNorm(2, 8), nn.BatchNorm1d(8)]
)
def test_networks_go_back_with_statistics(norm):
    model = network(copy.deepcopy(norm))
    x = torch.randn(30, 3, dtype=torch.float64)
    y, statistics = model.forward_with_statistics(x)
    averages = {name: buffer.clone() for name, buffer in model.named_buffers()}
    assert set(statistics) == {"2"} and isinstance(statistics["2"], Statistics)
    found = model.invert(y, statistics)
    assert float((found.x - x).detach().abs().max()) < 1e-12
    assert float(found.residual.max()) < 1e-12
    assert all(torch.equal(averages[name], buffer) for name, buffer in model.named_buffers())
    with pytest.raises(ArgumentError, match=r"module '2' .*: expected statistics"):
        model.inverse(y)


def test_batch_norm_in_training_is_refused():
    model = network(nn.BatchNorm1d(8))
    y = model(torch.randn(30, 3, dtype=torch.float64))
    with pytest.raises(ArgumentError, match=r"module '2' \(BatchNorm1d\): .* or evaluation mode, got none"):
        model.inverse(y)
    model.eval()
    x = torch.randn(5, 3, dtype=torch.float64)
    torch.testing.assert_close(model.inverse(model(x)), x)


def test_what_decide_says():
    """Batch normalisation is affine; with layer normalisation the verdict is one given the means."""
    model = network(nn.BatchNorm1d(8))
    for _ in range(5):
        model(torch.randn(30, 3, dtype=torch.float64) + 1)
    decision = model.decide()
    assert decision.verdict == Verdict.INJECTIVE and decision.certificate is not None
    decision = network(InvertibleLayerNorm(8)).decide()
    assert decision.verdict == Verdict.INJECTIVE and len(decision.given) == 1
    assert set(decision.certificate.given.values()) == {"means"}
    augmented = InjectiveSequential(InjectiveLinear(3, 8), nn.ReLU(), AugmentedLayerNorm(8))
    decision = augmented.decide(time_limit=5)
    assert decision.verdict == Verdict.INJECTIVE and not decision.given
    assert verify(decision.certificate, trace(augmented, torch.zeros(1, 3))).valid


def test_gains_of_zero_are_refused():
    norm = InvertibleLayerNorm(4)
    x = torch.randn(2, 4)
    with torch.no_grad():
        norm.weight[1] = 0.0
    with pytest.raises(ArgumentError, match="InvertibleLayerNorm: expected gains other than 0"):
        norm.inverse(norm(x), norm.statistics(x))


def test_statistics_that_do_not_fit_are_refused():
    norm = InvertibleLayerNorm(4)
    x = torch.randn(2, 4)
    with pytest.raises(ArgumentError, match=r"statistics: expected a mean of shape \(2, 1\), got \(3, 1\)"):
        norm.inverse(norm(x), norm.statistics(torch.randn(3, 4)))


def test_augmented_norm_forgets_nothing():
    norm = AugmentedLayerNorm(5).double()
    x = torch.randn(2, 3, 5, dtype=torch.float64)
    torch.testing.assert_close(norm.inverse(norm(x)), x)
    other = 2 * x + 1
    plain = nn.LayerNorm(5, eps=0.0).double()
    torch.testing.assert_close(plain(x), plain(other))
    assert not torch.allclose(norm(x), norm(other), atol=0.1)
    with pytest.raises(ArgumentError, match=r"y: expected shape \(..., 7\), got \(2, 5\)"):
        norm.inverse(torch.zeros(2, 5).double())


def test_weight_normalisation_is_decided_as_it_is_stored():
    """Lengths learned row by row round opposite rows apart; what is then decided is what the numbers say."""
    torch.manual_seed(0)
    layer = nn.Linear(3, 6, bias=False)
    with torch.no_grad():
        layer.weight[3:] = -layer.weight[:3]
    normed = nn.utils.parametrizations.weight_norm(layer)
    model = InjectiveSequential(normed, nn.ReLU())
    assert model.decide(time_limit=10).verdict == Verdict.INJECTIVE  # equal lengths round alike
    with torch.no_grad():
        normed.parametrizations.weight.original0.mul_(torch.rand(6, 1) + 0.5)
    weight = normed.weight.detach().double()
    exact = all(torch.linalg.matrix_rank(weight[[i, i + 3]], tol=0.0) == 1 for i in range(3))
    assert exact or model.decide(time_limit=10).verdict != Verdict.INJECTIVE


def test_weight_normalisation_of_an_injective_layer_is_refused():
    """Its rows have their lengths already, each pair the same, and no weight is stored to be divided."""
    with pytest.raises(ValueError, match="does not have a parameter, a buffer, or a parametrized element"):
        nn.utils.parametrizations.weight_norm(InjectiveLinear(3, 8))
