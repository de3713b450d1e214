"""The change of volume against finite differences, closed forms and its own stochastic estimate."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.reference import volume as naive
from unrelu.errors import ArgumentError
from unrelu.nn import (
    ConcatenatingSkip,
    InjectiveLinear,
    InjectiveSequential,
    estimate_log_volume,
    log_volume,
)


def decoder(n: int, m: int, norm: nn.Module | None = None) -> InjectiveSequential:
    torch.manual_seed(0)
    norm = nn.LayerNorm(3 * n) if norm is None else norm
    modules = [InjectiveLinear(n, 3 * n), nn.ReLU(), norm, nn.Linear(3 * n, m), nn.Tanh()]
    model = InjectiveSequential(*modules).double()
    with torch.no_grad():  # without biases normalisation forgets the length of the input
        for bias in (model[0].pair_bias, model[0].free_bias):
            bias.normal_()
    return model


def test_exact_is_the_naive_one():
    model = decoder(4, 12)
    x = torch.randn(6, 4, dtype=torch.float64)

    def function(point: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return model(torch.from_numpy(point)[None])[0].numpy()

    expected = [naive.log_volume(function, point, 1e-6) for point in x.numpy()]
    np.testing.assert_allclose(model.log_volume(x).detach().numpy(), expected, rtol=1e-5)


def _volume_of(weight: np.ndarray, shift: float) -> np.ndarray:
    W = torch.from_numpy(weight)
    return log_volume(lambda x: x @ W.T + shift, torch.zeros(2, W.shape[1], dtype=torch.float64)).numpy()


@given(st.integers(1, 5), st.integers(0, 4), st.integers(0, 2**31))
def test_of_linear_maps(n, more, seed):
    """Singular values tell; rotations of the outputs and shifts change nothing, scaling by c adds n log c."""
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((n + more, n))
    rotation = np.linalg.qr(rng.standard_normal((n + more, n + more)))[0]
    weights = [weight, rotation @ weight, np.e * weight]
    values = [_volume_of(W, shift) for W, shift in zip(weights, (0.0, 3.0, 0.0), strict=True)]
    expected = np.log(np.linalg.svd(weight, compute_uv=False)).sum()
    np.testing.assert_allclose(values[0], expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(values[1], expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(values[2], expected + n, rtol=1e-9, atol=1e-9)


NORMS = {
    "none": nn.Identity(),
    "layer": nn.LayerNorm(9),
    "root mean square": nn.RMSNorm(9, eps=0.1),
    "groups": nn.GroupNorm(3, 9),
    "instances": nn.Sequential(nn.Unflatten(1, (3, 3)), nn.InstanceNorm1d(3, affine=True), nn.Flatten()),
    "batch": nn.BatchNorm1d(9).eval(),
}


@pytest.mark.parametrize("norm", NORMS)
def test_gradients_are_those_of_differences(norm):
    model = decoder(3, 12, copy.deepcopy(NORMS[norm]))
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    model.log_volume(x).sum().backward()
    moved = 0
    for name, tensor in {"input": x, **dict(model.named_parameters())}.items():
        if tensor.grad is None or not bool(tensor.grad.any()):
            continue
        direction = torch.randn_like(tensor)
        with torch.no_grad():
            values = []
            for step in (1e-6, -2e-6, 1e-6):
                tensor += step * direction
                values.append(float(model.log_volume(x).sum()))
        difference = (values[0] - values[1]) / 2e-6
        assert float((tensor.grad * direction).sum()) == pytest.approx(difference, rel=1e-4, abs=1e-6), name
        moved += 1
    assert moved >= 4


def test_learns_by_maximum_likelihood():
    """Points on a bent curve, as images of a normal variable: the likelihood rises."""
    torch.manual_seed(0)
    model = InjectiveSequential(nn.Linear(2, 2), nn.Softplus(), nn.Linear(2, 2)).double()
    data = torch.randn(200, 2, dtype=torch.float64) @ torch.tensor([[2.0, 0.5], [0.0, 0.3]]).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    losses = []
    for _ in range(40):
        optimizer.zero_grad()
        loss = (model(data).square().sum(dim=1) / 2 - model.log_volume(data)).mean()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] - 0.5


@pytest.mark.parametrize("steps", [40, 12])
def test_estimate_is_within_its_error(steps):
    model = decoder(40, 120)
    x = torch.randn(8, 40, dtype=torch.float64)
    found = estimate_log_volume(model, x, probes=60, steps=steps, generator=torch.Generator().manual_seed(1))
    off = (found.value - model.log_volume(x)).abs()
    assert (off <= 4 * found.standard_error + 4 * found.quadrature_error).all()
    assert (off < 0.15 * model.log_volume(x).abs() + 4).all()
    assert bool((found.quadrature_error == 0).all()) == (steps == 40)
    assert found.probes == 60 and found.steps == steps


def test_standard_error_falls_with_the_probes():
    model, x = decoder(30, 90), torch.randn(5, 30, dtype=torch.float64)
    few, many = (
        estimate_log_volume(model, x, probes=count, generator=torch.Generator().manual_seed(2)).standard_error
        for count in (20, 320)
    )
    ratio = float((few / many).mean())
    assert 2.5 < ratio < 6  # 4 = sqrt(320 / 20)


def test_early_end_of_lanczos():
    """Few different singular values end it after as many steps, whatever the dimension."""
    scales = torch.tensor([1.0, 2.0, 5.0]).double().repeat(20)
    found = estimate_log_volume(lambda x: x * scales, torch.zeros(2, 60).double(), probes=4, steps=50)
    expected = float(scales.log().sum())
    assert torch.allclose(found.value, torch.tensor(expected).double())
    assert float(found.standard_error.max()) < 1e-9


def test_forgotten_directions():
    forgets = nn.Linear(3, 5).double()
    with torch.no_grad():
        forgets.weight[:, 2] = 0.0
    x = torch.randn(2, 3, dtype=torch.float64)
    assert (log_volume(forgets, x) < -30).all()
    assert (estimate_log_volume(forgets, x, probes=4).value < -30).all()


def test_large_inputs_are_estimated():
    torch.manual_seed(0)
    model = InjectiveSequential(InjectiveLinear(300, 600), nn.ReLU(), nn.Softplus()).double()
    x = torch.randn(2, 300, dtype=torch.float64)
    with torch.no_grad():
        value = model.log_volume(x)
        assert not value.requires_grad
        assert ((value - log_volume(model, x)).abs() < 12).all()


@pytest.mark.parametrize("module", [nn.BatchNorm1d(6), nn.Dropout()])
def test_training_mode_is_refused(module):
    model = InjectiveSequential(InjectiveLinear(2, 6), nn.ReLU(), module)
    with pytest.raises(ArgumentError, match=r"module '2' .*expected evaluation mode, got training mode"):
        model.log_volume(torch.randn(3, 2))
    assert model.eval().log_volume(torch.randn(3, 2)).shape == (3,)


def test_bad_arguments():
    with pytest.raises(
        ArgumentError, match="function: expected at least as many outputs as inputs, 3, got 2"
    ):
        log_volume(nn.Linear(3, 2), torch.zeros(1, 3))
    with pytest.raises(ArgumentError, match="probes: expected a whole number of at least 2"):
        estimate_log_volume(torch.tanh, torch.zeros(1, 2), probes=1)


def test_randomness_deep_inside_is_refused():
    inner = nn.Sequential(nn.Linear(2, 3), nn.Dropout())
    model = InjectiveSequential(ConcatenatingSkip(inner, 2))
    with pytest.raises(ArgumentError, match=r"module '0' \(ConcatenatingSkip\): expected evaluation mode"):
        model.estimate_log_volume(torch.zeros(1, 2))
