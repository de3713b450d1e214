"""What N samples prove: against the sums as printed, at sizes beyond any sum, and against known risks."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.scenario import circle, fixed_number, uniform, with_patience
from tests.reference import scenario as naive
from unrelu.bias import (
    a_posteriori_epsilon,
    a_priori_epsilon,
    fixed_bias_interval,
    patience_epsilon,
    samples_needed,
)
from unrelu.errors import ArgumentError

BETAS = st.floats(1e-12, 0.9)


def just_below(epsilon: float) -> float:
    return epsilon * (1 - 1e-5)


@given(n=st.integers(1, 60), m=st.integers(1, 60), beta=BETAS)
def test_a_priori_is_the_root_of_the_sum(n, m, beta):
    epsilon = a_priori_epsilon(n, m, beta)
    if n < m:
        assert epsilon == 1
        return
    assert naive.a_priori_beta(n, m, epsilon) <= beta
    assert naive.a_priori_beta(n, m, just_below(epsilon)) > beta


@given(n=st.integers(1, 60), k=st.integers(0, 60), beta=BETAS)
def test_wait_and_judge_is_the_root_of_the_sum(n, k, beta):
    k = min(k, n)
    epsilon = a_posteriori_epsilon(n, k, beta)
    if k == n:
        assert epsilon == 1
        return
    assert naive.wait_and_judge_beta(n, k, epsilon) <= beta
    assert naive.wait_and_judge_beta(n, k, just_below(epsilon)) > beta


@given(n=st.integers(1, 60), k=st.integers(0, 60), beta=BETAS)
def test_any_support_is_the_root_of_its_equation(n, k, beta):
    k = min(k, n)
    epsilon = a_posteriori_epsilon(n, k, beta, degenerate=True)
    if k == n:
        assert epsilon == 1
        return
    assert naive.degenerate_beta(n, k, epsilon) <= beta
    assert naive.degenerate_beta(n, k, just_below(epsilon)) > beta


def test_any_support_spends_beta_once():
    """The formula comes from a union over all subsets of fewer than N samples."""
    n, beta = 12, 0.01
    spent = sum(
        math.comb(n, k) * (1 - a_posteriori_epsilon(n, k, beta, degenerate=True)) ** (n - k) for k in range(n)
    )
    assert spent == pytest.approx(beta)


@pytest.mark.parametrize("beta", [0.5, 0.01, 1e-12, 1e-100])
@pytest.mark.parametrize(
    ("n", "k"), [(10**3, 5), (10**6, 10), (10**6, 5 * 10**5), (10**9, 0), (10**9, 30), (10**9, 10**5)]
)
def test_huge_numbers_of_samples(n, k, beta):
    """The bound is on the safe side of the root by less than one part in 10^6 of beta."""
    found = naive.log_wait_and_judge_beta(n, k, a_posteriori_epsilon(n, k, beta))
    assert -1e-6 < found - math.log(beta) <= 0
    found = naive.log_a_priori_beta(n, k + 1, a_priori_epsilon(n, k + 1, beta))
    assert -1e-6 < found - math.log(beta) <= 0


def test_extreme_arguments():
    assert a_posteriori_epsilon(10**9, 10**9 - 1, 0.01) == 1
    assert a_posteriori_epsilon(1, 1, 0.01) == 1
    assert 0 < a_posteriori_epsilon(10**9, 0, 1e-300) < 1e-6
    assert 0 < a_posteriori_epsilon(10, 0, 1 - 1e-9) < 1e-7
    assert 0 < a_priori_epsilon(10**9, 1, 1 - 1e-12) < 1e-15
    assert a_priori_epsilon(10**5, 10**5, 1e-9) == pytest.approx(1, abs=1e-9)
    assert 0 < patience_epsilon(10**9, 10**9, 1e-300) < 1e-6


@given(n=st.integers(1, 10**7), m=st.integers(1, 10**4), beta=st.floats(1e-9, 0.5))
def test_a_priori_is_monotone(n, m, beta):
    epsilon = a_priori_epsilon(n, m, beta)
    assert a_priori_epsilon(n + 1, m, beta) <= epsilon <= a_priori_epsilon(n, m + 1, beta)
    assert epsilon <= a_priori_epsilon(n, m, beta / 2)


@given(n=st.integers(1, 10**7), k=st.integers(0, 10**4), beta=st.floats(1e-9, 0.5), degenerate=st.booleans())
def test_a_posteriori_is_monotone(n, k, beta, degenerate):
    k, slack = min(k, n - 1), 1 + 1e-10
    epsilon = a_posteriori_epsilon(n, k, beta, degenerate=degenerate)
    assert a_posteriori_epsilon(n + 1, k, beta, degenerate=degenerate) <= epsilon * slack
    assert epsilon <= a_posteriori_epsilon(n, k + 1, beta, degenerate=degenerate) * slack
    assert epsilon <= a_posteriori_epsilon(n, k, beta / 2, degenerate=degenerate) * slack


@given(n=st.integers(20, 10**7), k=st.integers(1, 10**4), beta=st.floats(1e-9, 0.1))
def test_bounds_keep_their_order(n, k, beta):
    """Waiting costs more than knowing k beforehand, and less than allowing for any choice of the support."""
    k = min(k, n // 2)
    judged = a_posteriori_epsilon(n, k, beta)
    assert a_priori_epsilon(n, k, beta) <= judged * (1 + 1e-10)
    assert judged <= a_posteriori_epsilon(n, k, beta, degenerate=True) * (1 + 1e-6)


@given(s=st.integers(1, 10**6), c=st.integers(0, 10**6), beta=BETAS)
def test_patience(s, c, beta):
    epsilon = patience_epsilon(s, c, beta)
    share = beta / ((c + 1) * (c + 2))
    assert epsilon == 1 or (1 - epsilon) ** s <= share * (1 + 1e-9)
    assert (1 - epsilon * (1 - 1e-9)) ** s >= share * (1 - 1e-6)
    assert patience_epsilon(s + 1, c, beta) <= epsilon <= patience_epsilon(s, c + 1, beta)


@given(epsilon=st.floats(1e-6, 0.99), beta=BETAS, m=st.integers(1, 2000))
def test_samples_needed_is_the_smallest_number(epsilon, beta, m):
    n = samples_needed(epsilon, beta, m)
    assert a_priori_epsilon(n, m, beta) <= epsilon
    assert n == m or a_priori_epsilon(n - 1, m, beta) > epsilon


def test_samples_needed_for_a_large_layer():
    assert samples_needed(1e-4, 1e-9, 10**5) == pytest.approx(1.019e9, rel=1e-3)


def test_fixed_bias():
    low, high = fixed_bias_interval(9, 10, 0.95)
    assert (low, high) == pytest.approx((0.5550, 0.9975), abs=1e-4)
    assert fixed_bias_interval(10, 10, 0.99)[1] == 1
    assert fixed_bias_interval(0, 10, 0.99)[0] == 0
    assert fixed_bias_interval(10**9, 10**9, 0.99)[0] == pytest.approx(1 - 5.3e-9, abs=1e-10)


@pytest.mark.parametrize("m", [1, 7])
def test_risk_of_uniform_minima(m):
    """With one variable the bound a priori is exact: it fails in a share beta of the runs."""
    found = fixed_number(uniform(m), 100, 400, beta=0.2)
    if m == 1:
        assert found["a priori"].held == pytest.approx(0.8, abs=0.07)
    assert all(finding.held >= 0.8 - 0.07 for finding in found.values())
    assert all(1 < finding.looseness < 30 for finding in found.values())
    assert with_patience(uniform(m), 30, 100, beta=0.2).held >= 0.8


@pytest.mark.parametrize("m", [4, 9])
def test_risk_of_mcbe_on_the_circle(m):
    found = fixed_number(circle(m), 150, 200, beta=0.2)
    assert all(finding.held >= 0.8 - 0.09 for finding in found.values())
    assert found["a posteriori"].looseness < 5
    assert with_patience(circle(m), 30, 60, beta=0.2).held >= 0.8


def test_ties_do_no_harm():
    """Samples from five values tie almost always: the first one that attains a minimum counts."""
    rng, broken = np.random.default_rng(3), 0
    values = rng.random((5, 4))
    share = np.array([0.6, 0.2, 0.1, 0.07, 0.03])
    for _ in range(300):
        drawn = rng.choice(5, 40, p=share)
        alpha, support = naive.minima(values[drawn], np.ones((40, 4), dtype=bool))
        risk = share[(values < alpha).any(axis=1)].sum()
        broken += risk > a_posteriori_epsilon(40, support, 0.2)
    assert broken <= 0.2 * 300


def test_exact_risk_on_the_circle_agrees_with_sampling(rng):
    weight = rng.standard_normal((6, 2))
    alpha = np.array([0.5, 0.1, np.inf, -0.2, 0.9, 0.0])
    angle = rng.random(200_000) * 2 * np.pi
    z = np.column_stack([np.cos(angle), np.sin(angle)]) @ weight.T
    touched = z >= np.sort(z, axis=1)[:, -2:-1]
    sampled = (touched & (z < alpha)).any(axis=1).mean()
    assert naive.circle_risk(weight, alpha) == pytest.approx(sampled, abs=0.005)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: a_priori_epsilon(0, 1, 0.1), "n_samples"),
        (lambda: a_priori_epsilon(10, 1.5, 0.1), "n_variables"),
        (lambda: a_priori_epsilon(10, 1, 0.0), "beta"),
        (lambda: a_priori_epsilon(10, 1, "x"), "beta"),
        (lambda: a_posteriori_epsilon(10, -1, 0.1), "n_support"),
        (lambda: a_posteriori_epsilon(10, 11, 0.1), "n_support"),
        (lambda: a_posteriori_epsilon(10, 3, math.nan), "beta"),
        (lambda: patience_epsilon(True, 3, 0.1), "patience"),
        (lambda: patience_epsilon(10, -3, 0.1), "n_changes"),
        (lambda: samples_needed(1.0, 0.1, 3), "epsilon"),
        (lambda: samples_needed(0.1, 0.1, 0), "n_variables"),
        (lambda: fixed_bias_interval(11, 10, 0.9), "n_satisfied"),
        (lambda: fixed_bias_interval(1, 10, 1.0), "confidence"),
    ],
)
def test_wrong_arguments_are_named(call, name):
    with pytest.raises(ArgumentError, match=rf"^{name}: expected"):
        call()
