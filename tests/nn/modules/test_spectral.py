"""Bounds of spectral norms against singular values."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unrelu.nn.modules._spectral import norm_bound, spectral_norm


@given(
    st.integers(0, 10**6),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.integers(1, 9),
    st.integers(-12, 12),
    st.sampled_from([torch.float32, torch.float64]),
)
def test_above_the_norm_and_close(seed, shape, rank, power, dtype):
    generator = torch.Generator().manual_seed(seed)
    left, right = (torch.randn(k, rank, dtype=dtype, generator=generator) for k in shape)
    matrix = left @ right.T * 10.0**power
    norm, bound = torch.linalg.svdvals(matrix)[0], norm_bound(matrix)
    rounding = 100 * torch.finfo(dtype).eps
    assert norm * (1 - rounding) <= bound <= norm * min(*shape, rank) ** (1 / 16) * (1 + rounding)
    torch.testing.assert_close(spectral_norm(matrix), norm)


def test_batches(rng):
    matrices = torch.from_numpy(rng.standard_normal((3, 2, 4, 5)))
    one_by_one = torch.stack([norm_bound(matrix) for matrix in matrices.flatten(0, 1)]).reshape(3, 2)
    torch.testing.assert_close(norm_bound(matrices), one_by_one)


@pytest.mark.parametrize("size", [1, 64, 500])
def test_orthogonal_matrices_are_the_worst(size):
    matrix = torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))[0]
    torch.testing.assert_close(norm_bound(matrix), torch.tensor(size ** (1 / 16), dtype=torch.float64))
    torch.testing.assert_close(norm_bound(matrix.float()), torch.tensor(size ** (1 / 16)))


def test_gradients():
    torch.manual_seed(0)
    matrix = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(norm_bound, (matrix,))
    nothing = torch.zeros(3, 4, requires_grad=True)
    assert norm_bound(nothing) < 1e-20
    norm_bound(nothing).backward()
    assert not nothing.grad.any()
