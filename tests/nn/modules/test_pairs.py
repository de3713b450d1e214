"""The well-conditioned basis."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unrelu.errors import ArgumentError
from unrelu.nn.modules import Basis
from unrelu.nn.modules._pairs import default_reflectors


def basis_at(seed: int, n: int, condition: float, size: float = 1.0, **options) -> Basis:
    """Return a basis with parameters anywhere."""
    torch.manual_seed(seed)
    basis = Basis(n, condition=condition, dtype=torch.float64, **options)
    with torch.no_grad():
        for parameter in basis.parameters():
            parameter.normal_(std=size)
    return basis


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 9),
    st.sampled_from([1.0, 1.5, 100.0]),
    st.sampled_from([1e-30, 1.0, 1e30]),
)
def test_condition_holds_for_any_parameters(seed, n, condition, size):
    sigma = torch.linalg.svdvals(basis_at(seed, n, condition, size).matrix())
    assert sigma[0] <= math.sqrt(condition) * (1 + 1e-12)
    assert sigma[-1] * math.sqrt(condition) >= 1 - 1e-12


@pytest.mark.parametrize("condition", [1.0, 3.0])
@pytest.mark.parametrize("reflectors", [0, 2, 7])
def test_matrix_product_and_solution_agree(condition, reflectors):
    basis = basis_at(0, 7, condition, reflectors=reflectors)
    x = torch.randn(4, 2, 7, dtype=torch.float64)
    torch.testing.assert_close(basis(x), x @ basis.matrix().T, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(basis.solve(basis(x)), x, rtol=1e-12, atol=1e-12)


def test_initially_orthogonal_and_random():
    torch.manual_seed(0)
    first, second = Basis(5, condition=9.0).matrix(), Basis(5, condition=9.0).matrix()
    torch.testing.assert_close(first @ first.T, torch.eye(5))
    assert (first - second).abs().max() > 0.1


def test_all_rotations_can_be_learned():
    torch.manual_seed(0)
    target = torch.nn.init.orthogonal_(torch.empty(6, 6, dtype=torch.float64))
    basis = basis_at(1, 6, 1.0)
    if target.det() * basis.matrix().det() < 0:
        target[0] *= -1
    optimizer = torch.optim.LBFGS(basis.parameters(), max_iter=500, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (basis.matrix() - target).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert closure() < 1e-8


def test_reflectors_by_default():
    assert [default_reflectors(n) for n in (1, 64, 65, 784, 4096)] == [1, 64, 64, 168, 384]
    assert Basis(3).reflectors == 3


@pytest.mark.parametrize(
    ("n", "options", "message"),
    [
        (0, {}, "n: expected a whole number of at least 1, got 0"),
        (3, {"condition": 0.5}, "condition: expected a finite number of at least 1, got 0.5"),
        (3, {"condition": math.inf}, "condition: .* got inf"),
        (3, {"condition": "one"}, "condition: .* got 'one'"),
        (3, {"reflectors": 4}, "reflectors: expected at most n = 3, got 4"),
        (3, {"reflectors": -1}, "reflectors: .* got -1"),
    ],
)
def test_what_is_refused(n, options, message):
    with pytest.raises(ArgumentError, match=message):
        Basis(n, **options)
