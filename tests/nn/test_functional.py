"""Penalties and projection against naive twins, their gradients, and what must not change them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tests.reference import nn as naive
from unrelu.errors import ArgumentError
from unrelu.nn import bias_penalty, margin_penalty, project_bias_
from unrelu.nn.functional import per_channel

INF = math.inf


def gaussian(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


@st.composite
def problems(draw):
    """Pre-activations with ties, positive norms, n, slack and delta."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    m, batch = draw(st.integers(1, 12)), draw(st.integers(1, 5))
    n = draw(st.integers(1, m))
    slack = draw(st.integers(0, m - n))
    z = rng.standard_normal((batch, m))
    if draw(st.booleans()):
        z = np.round(2 * z) / 2
    return z, rng.uniform(0.5, 2, m), n, slack, draw(st.sampled_from([0.0, 0.1, 0.5, 2.0]))


@given(problems(), st.booleans())
def test_margin_penalty_is_the_naive_one(problem, normalized):
    z, norms, n, slack, delta = problem
    norms = norms if normalized else None
    got = margin_penalty(
        torch.from_numpy(z),
        n,
        delta=delta,
        slack=slack,
        row_norms=None if norms is None else torch.from_numpy(norms),
    )
    assert got.item() == pytest.approx(naive.margin_penalty(z, n, delta, slack, norms), rel=1e-12, abs=1e-15)


@given(problems())
def test_margin_penalty_is_zero_where_enough_rows_have_the_margin(problem):
    z, norms, n, slack, delta = problem
    got = margin_penalty(
        torch.from_numpy(z), n, delta=delta, slack=slack, row_norms=torch.from_numpy(norms)
    ).item()
    enough = ((z / norms >= delta).sum(axis=1) >= n + slack).all()
    assert (got == 0) == enough
    assert got >= 0


@given(problems(), st.randoms())
def test_margin_penalty_ignores_order_and_scale(problem, random):
    z, norms, n, slack, delta = problem
    scale = 2.0 ** np.array([random.randint(-3, 3) for _ in norms])
    order = random.sample(range(len(norms)), len(norms))
    options = {"n": n, "slack": slack, "delta": delta}
    before = margin_penalty(torch.from_numpy(z), row_norms=torch.from_numpy(norms), **options)
    moved = margin_penalty(
        torch.from_numpy((scale * z)[:, order]), row_norms=torch.from_numpy((scale * norms)[order]), **options
    )
    assert moved.item() == pytest.approx(before.item(), rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("normalized", [True, False])
def test_margin_penalty_gradients(normalized):
    weight, bias, x = gaussian(9, 4), gaussian(9, seed=1), gaussian(6, 4, seed=2)

    def penalty(weight, bias, x):
        norms = weight.norm(dim=1) if normalized else None
        return margin_penalty(x @ weight.T + bias, 4, delta=0.7, slack=2, row_norms=norms)

    inputs = [t.requires_grad_() for t in (weight, bias, x)]
    assert torch.autograd.gradcheck(penalty, inputs)
    assert penalty(*inputs) > 0


def test_gradient_reaches_the_missing_rows_alone():
    z = torch.tensor([[3.0, 0.5, -1.0, -9.0], [2.0, 2.0, 2.0, -9.0]], requires_grad=True)
    margin_penalty(z, 2, delta=1.0, slack=1).backward()
    torch.testing.assert_close(z.grad, torch.tensor([[0, -1, -1, 0], [0, 0, 0, 0]]) / 6.0)


def test_ties_share_the_last_places():
    z = torch.tensor([[1.0, 0.0, 0.0, 0.0]], requires_grad=True)
    value = margin_penalty(z, 2, delta=0.5)
    value.backward()
    assert value.item() == 0.25
    torch.testing.assert_close(z.grad, torch.tensor([[0.0, -0.5, 0.0, 0.0]]))


def test_a_relu_in_place_may_follow():
    weight = gaussian(8, 3).requires_grad_()
    z = gaussian(5, 3, seed=1) @ weight.T
    value = margin_penalty(z, 3, delta=1.0, slack=1, row_norms=weight.norm(dim=1))
    (torch.relu_(z).sum() + value).backward()
    assert bool(weight.grad.isfinite().all())


def test_rows_of_norm_zero_are_left_out():
    z, norms = np.array([[5.0, -1.0, 0.2, 7.0]]), np.array([0.0, 1.0, 2.0, 0.0])
    leaf = torch.from_numpy(z).requires_grad_()
    for n in (1, 2, 4):
        got = margin_penalty(leaf, n, delta=0.3, row_norms=torch.from_numpy(norms))
        assert got.item() == pytest.approx(naive.margin_penalty(z, n, 0.3, 0, norms))
    got.backward()
    assert leaf.grad[0, [0, 3]].tolist() == [0.0, 0.0]


def test_a_weight_of_zeros_has_a_finite_gradient():
    weight = torch.zeros(4, 2, requires_grad=True)
    margin_penalty(torch.ones(3, 2) @ weight.T, 2, row_norms=weight.norm(dim=1)).backward()
    assert bool(weight.grad.isfinite().all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_narrow_dtypes_are_computed_in_single(dtype):
    z = gaussian(6, 10).to(dtype).requires_grad_()
    value = margin_penalty(z, 5, delta=0.5, slack=2)
    value.backward()
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(
        naive.margin_penalty(z.detach().double().numpy(), 5, 0.5, 2), rel=1e-5
    )
    assert z.grad.dtype == dtype


def test_batch_axes_and_empty_batches():
    z = gaussian(2, 3, 7)
    assert margin_penalty(z, 4) == margin_penalty(z.reshape(6, 7), 4)
    empty = torch.zeros(0, 7, requires_grad=True)
    value = margin_penalty(empty, 4)
    value.backward()
    assert value.item() == 0


@pytest.mark.parametrize("where", [0, 3])
def test_nan_is_passed_on(where):
    z = torch.tensor([[4.0, 3.0, 2.0, -1.0]])
    z[0, where] = math.nan
    assert margin_penalty(z, 4).isnan()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"delta": -0.1}, "delta: expected a finite number >= 0, got -0.1"),
        ({"delta": math.nan}, "delta: .* got nan"),
        ({"delta": INF}, "delta: .* got inf"),
        ({"slack": -1}, "slack: .* got -1"),
        ({"slack": 3}, r"n \+ slack: expected at most m = 6 rows, got 4 \+ 3"),
        ({"n": 0}, "n: .* got 0"),
        ({"row_norms": torch.ones(5)}, r"row_norms: expected shape \(6,\), got \(5,\)"),
        ({"row_norms": torch.full((6,), -1.0)}, "row_norms: expected finite"),
        ({"row_norms": torch.full((6,), math.nan)}, "row_norms: expected finite"),
    ],
)
def test_margin_penalty_refuses(options, message):
    with pytest.raises(ArgumentError, match=message):
        margin_penalty(torch.zeros(2, 6), **{"n": 4, **options})


def test_a_single_number_is_no_preactivation():
    with pytest.raises(ArgumentError, match="at most m = 0"):
        margin_penalty(torch.tensor(1.0), 1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 9))
def test_bias_penalty_is_the_naive_one(seed, m):
    rng = np.random.default_rng(seed)
    bias, alpha = rng.standard_normal(m), rng.standard_normal(m)
    alpha[rng.random(m) < 0.2] = INF
    got = bias_penalty(torch.from_numpy(bias), alpha)
    assert got.item() == pytest.approx(naive.bias_penalty(bias, alpha), rel=1e-12)


def test_bias_penalty_gradient():
    bias, alpha = gaussian(8).requires_grad_(), gaussian(8, seed=1).numpy()
    alpha[3] = INF
    assert torch.autograd.gradcheck(lambda b: bias_penalty(b, alpha), [bias])


@pytest.mark.parametrize("alpha", [[0.0, 1.0], [INF, INF], [5.0, 5.0]])
def test_bias_penalty_without_excess_has_gradient_zero(alpha):
    bias = torch.tensor([0.0, -1.0], requires_grad=True)
    value = bias_penalty(bias, alpha)
    value.backward()
    assert value.item() == 0
    assert bias.grad.tolist() == [0.0, 0.0]


@given(st.integers(0, 2**32 - 1), st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_projection_keeps_the_bound_in_every_dtype(seed, dtype):
    rng = np.random.default_rng(seed)
    before = torch.from_numpy(rng.standard_normal(7)).to(dtype)
    alpha = rng.standard_normal(7)
    alpha[0] = INF
    bias = before.clone()
    assert project_bias_(bias, alpha) is bias
    assert (-bias.double().numpy() <= alpha).all()
    kept = -before.double().numpy() <= alpha
    assert torch.equal(bias[kept], before[kept])
    assert bias_penalty(bias.double(), alpha).item() == 0


def test_projection_of_modules():
    linear = nn.Linear(2, 3)
    project_bias_(linear, [-2.0, -3.0, -4.0])
    assert linear.bias.tolist() == [2.0, 3.0, 4.0]
    assert linear.bias.requires_grad
    convolution = nn.Conv1d(1, 2, 1)
    project_bias_(convolution, torch.tensor([-3.0, -2.0, -5.0, -4.0]))
    assert convolution.bias.tolist() == [3.0, 5.0]


def test_per_channel_takes_the_least():
    assert per_channel([1.0, INF, 3.0, 2.0], 2).tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: bias_penalty(torch.zeros(3), [1.0]), r"alpha_star: expected shape \(3,\), got \(1,\)"),
        (lambda: bias_penalty(torch.zeros(1), [math.nan]), "alpha_star: .* NaN"),
        (lambda: project_bias_(torch.zeros(1), [-INF]), "alpha_star: .* -inf"),
        (lambda: project_bias_(torch.zeros(2), [1.0, 2.0, 3.0]), "alpha_star: expected 2 entries"),
        (
            lambda: project_bias_(nn.Linear(1, 2, bias=False), [1.0, 2.0]),
            "target: expected a module",
        ),
    ],
)
def test_bias_functions_refuse(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()
