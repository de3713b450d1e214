"""Singular values from products, against those of the matrix itself."""

import math

import numpy as np
import pytest
import torch

from unrelu.stability._singular_values import (
    ACCURACY,
    condition_of,
    power_of_two,
    rank_of,
    singular_values,
)


def made(p: int, q: int, values: np.ndarray, seed: int = 0) -> torch.Tensor:
    """A matrix with given singular values."""
    generator = torch.Generator().manual_seed(seed)
    k = len(values)
    left, right = (
        torch.linalg.qr(torch.randn(size, k, dtype=torch.float64, generator=generator))[0] for size in (p, q)
    )
    return left * torch.as_tensor(values) @ right.T


@pytest.mark.parametrize("size", [(60, 90), (90, 60), (60, 60), (1, 7), (7, 1)])
@pytest.mark.parametrize("factor", [1.0, 1e-200, 1e200])
def test_random_matrices(size: tuple[int, int], factor: float):
    matrix = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = torch.linalg.svdvals(matrix)
    torch.testing.assert_close(singular_values(matrix * factor) / factor, expected, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("small", [0, 1, 10, 19, 20, 40, 60])
def test_small_values_at_any_number(small: int):
    """None below the limit, few, at the border between the two ways, many, all but one."""
    values = np.concatenate([np.linspace(1, 0.5, 61 - small), np.logspace(-4.5, -15, small)])[:60]
    values[0] = 1.0
    found = singular_values(made(60, 200, values))
    assert np.abs(found.numpy() - values).max() < 1e-14 < ACCURACY


def test_zeros_are_told_from_small_values():
    values = np.array([*np.linspace(1, 0.5, 37), 1e-11, 0.0, 0.0])
    found = singular_values(made(40, 90, values))
    assert int(rank_of(found, 90 * 2.3e-16)) == 38
    assert math.isclose(float(condition_of(found, rank_of(found, 1e-13))), 1e11, rel_tol=1e-3)


def test_nothing():
    assert singular_values(torch.zeros(0, 5, dtype=torch.float64)).shape == (0,)
    assert singular_values(torch.zeros(3, 4, dtype=torch.float64)).tolist() == [0.0, 0.0, 0.0]
    values = torch.zeros(2, 3, dtype=torch.float64)
    assert rank_of(values, 1e-12).tolist() == [0, 0]
    assert condition_of(values, rank_of(values, 1e-12)).isnan().all()
    assert condition_of(torch.zeros(2, 0), torch.zeros(2, dtype=torch.int64)).isnan().all()


@pytest.mark.parametrize("largest", [0.0, 1.0, 1e59, 1e61, 1e-61, 1.7e308, 5e-324])
def test_scales_are_powers_of_two(largest: float):
    scale = power_of_two(torch.tensor([[largest]], dtype=torch.float64))
    assert math.frexp(scale)[0] == 0.5
    assert largest == 0 or 1e-60 < largest / scale < 1e60
