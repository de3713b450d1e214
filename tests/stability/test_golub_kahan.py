"""Extreme singular values from products alone."""

import pytest
import torch

from unrelu.stability._golub_kahan import extreme_singular_values


def ends(matrix: torch.Tensor, count: int, steps: int) -> tuple[torch.Tensor, torch.Tensor]:
    start = torch.randn(len(matrix), dtype=torch.float64, generator=torch.Generator().manual_seed(9))
    return extreme_singular_values(lambda v: matrix @ v, lambda u: matrix.T @ u, start, count, steps)


@pytest.mark.parametrize("size", [(30, 20), (20, 30), (25, 25), (5, 1), (1, 5)])
def test_all_steps_find_the_ends(size: tuple[int, int]):
    matrix = torch.randn(size, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    exact = torch.linalg.svdvals(matrix)
    values, errors = ends(matrix, 2, min(size))
    expected = exact if len(exact) <= 4 else exact[[0, 1, -2, -1]]
    torch.testing.assert_close(values, expected)
    assert (errors < 1e-9 * exact[0]).all()


def test_zeros_are_never_met():
    generator = torch.Generator().manual_seed(3)
    left, right = (torch.randn(size, dtype=torch.float64, generator=generator) for size in ((40, 6), (6, 30)))
    exact = torch.linalg.svdvals(left @ right)
    values, _ = ends(left @ right, 10, 30)
    torch.testing.assert_close(values, exact[:6])


@pytest.mark.parametrize("steps", [1, 2, 5, 12])
def test_errors_are_bounds(steps: int):
    matrix = torch.randn(80, 60, dtype=torch.float64, generator=torch.Generator().manual_seed(4))
    exact = torch.linalg.svdvals(matrix)
    values, errors = ends(matrix, 3, steps)
    assert ((values[:, None] - exact).abs().amin(dim=1) <= errors).all()


def test_nothing_to_find():
    values, errors = ends(torch.zeros(4, 3, dtype=torch.float64), 2, 3)
    assert not len(values) and not len(errors)


def test_a_value_that_occurs_several_times_is_found_once():
    values, _ = ends(torch.eye(6, dtype=torch.float64) * 3, 2, 6)
    torch.testing.assert_close(values, torch.tensor([3.0], dtype=torch.float64))
