"""Penalty and projection against an estimate that follows the weights."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from unrelu.errors import ArgumentError
from unrelu.nn import BiasRegularizer, bias_penalty


def test_penalty_and_projection_use_the_estimate():
    torch.manual_seed(0)
    linear, x = nn.Linear(3, 9), torch.randn(50, 3)
    regularizer = BiasRegularizer(linear, x)
    alpha = unrelu.bias.estimate_bias(unrelu.ReLULayer(linear.weight), x).alpha
    with torch.no_grad():
        linear.bias -= 1
    value = regularizer.penalty()
    assert value == bias_penalty(linear.bias, alpha) > 0
    value.backward()
    assert linear.weight.grad is None
    assert float(linear.bias.grad.norm()) == pytest.approx(1)
    regularizer.project_()
    assert regularizer.penalty() == 0
    weak = x.double() @ linear.weight.double().T + linear.bias.double() >= -1e-12
    assert (weak.sum(dim=1) >= 3).all()


def test_the_estimate_follows_the_weights():
    torch.manual_seed(0)
    linear = nn.Linear(3, 9)
    regularizer = BiasRegularizer(linear, torch.randn(50, 3), every=2)
    assert regularizer.estimate is None
    regularizer.penalty()
    first = regularizer.estimate
    with torch.no_grad():
        linear.weight *= 2
    regularizer.penalty()
    assert regularizer.estimate is first
    regularizer.penalty()
    assert regularizer.estimate is not first
    np.testing.assert_allclose(regularizer.estimate.alpha, 2 * np.asarray(first.alpha), rtol=1e-6)
    second = regularizer.estimate
    assert regularizer.update() is regularizer.estimate is not second


def test_noise_draws_other_samples_each_time():
    torch.manual_seed(0)
    regularizer = BiasRegularizer(nn.Linear(3, 9), torch.randn(50, 3), noise_std=0.1, n_samples=100, n_jobs=1)
    first, second = regularizer.update(), regularizer.update()
    assert first.n_samples == 100
    assert not np.array_equal(first.alpha, second.alpha)


def test_a_convolution_has_a_bias_a_channel():
    torch.manual_seed(0)
    convolution, x = nn.Conv1d(1, 4, 3, padding=1), torch.randn(30, 1, 6)
    regularizer = BiasRegularizer(convolution, x)
    with torch.no_grad():
        convolution.bias -= 1
    assert regularizer.penalty() > 0
    regularizer.project_()
    assert regularizer.penalty() == 0
    alpha = np.asarray(regularizer.estimate.alpha).reshape(4, 6)
    assert (-convolution.bias.detach().double().numpy() <= alpha.min(axis=1)).all()


@pytest.mark.parametrize(
    ("module", "options", "message"),
    [
        (nn.Linear(3, 9), {"every": 0}, "every: .* got 0"),
        (nn.Linear(3, 9, bias=False), {}, "target: expected a module with a bias of its own"),
        (nn.BatchNorm1d(3), {}, "module: expected nn.Linear or nn.Conv1d/2d/3d, got BatchNorm1d"),
        (unrelu.nn.InjectiveLinear(3, 9), {}, "target: expected a module with a bias of its own"),
    ],
)
def test_what_is_refused(module, options, message):
    with pytest.raises(ArgumentError, match=message):
        BiasRegularizer(module, torch.zeros(5, 3), **options)
