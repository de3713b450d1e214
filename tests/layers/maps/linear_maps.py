"""What every linear map must satisfy beside its dense matrix."""

import numpy as np
import pytest
import torch

from unrelu.errors import ArgumentError
from unrelu.layers import LinearMap


def numbers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-12, atol=1e-12)


def check_linear(linear: LinearMap, matrix: torch.Tensor) -> None:
    """Compare a map with its matrix, question by question."""
    m, n = matrix.shape
    assert (linear.m, linear.n) == (m, n)
    assert (np.prod(linear.out_shape), np.prod(linear.in_shape)) == (m, n)
    x, y = numbers(3, n), numbers(3, m, seed=1)
    assert close(linear.apply(x), x @ matrix.T)
    assert close(linear.adjoint(y), y @ matrix)
    assert torch.allclose((linear.apply(x) * y).sum(), (x * linear.adjoint(y)).sum())
    assert linear.apply(x[:0]).shape == (0, m)
    assert linear.adjoint(y[:0]).shape == (0, n)
    check_rows(linear, matrix)
    check_bounds(linear, matrix)
    check_dtype(linear, matrix)


def check_rows(linear: LinearMap, matrix: torch.Tensor) -> None:
    index = np.array([linear.m - 1, 0, 0])
    assert close(linear.dense(), matrix)
    assert close(linear.rows(index), matrix[index])
    assert close(linear.rows([-1]), matrix[-1:])
    assert close(linear.rows(np.arange(linear.m) == 0), matrix[:1])
    assert linear.rows([]).shape == (0, linear.n)
    assert linear.csr().shape == matrix.shape
    assert close(torch.from_numpy(linear.csr().toarray()), matrix)
    assert close(torch.from_numpy(linear.csr(index).toarray()), matrix[index])
    assert close(linear.row_norms(), torch.linalg.vector_norm(matrix, dim=1))
    with pytest.raises(ArgumentError, match=f"row numbers below {linear.m}"):
        linear.rows([linear.m])


def check_bounds(linear: LinearMap, matrix: torch.Tensor) -> None:
    entries = matrix != 0
    largest = int(entries.sum(dim=1).max())
    assert linear.nnz >= int(entries.sum())
    assert min(linear.width, linear.n) >= largest
    assert linear.fan_in >= largest
    assert linear.max_rank >= int(torch.linalg.matrix_rank(matrix))
    assert bool((linear.absolute().dense() >= matrix.abs() - 1e-13).all())
    assert bool((linear.absolute().dense() >= 0).all())
    if linear.exact:
        assert torch.equal(linear.dense(), matrix)
        assert torch.equal(linear.rows([0]), matrix[:1])


def check_dtype(linear: LinearMap, matrix: torch.Tensor) -> None:
    single = linear.to(dtype=torch.float32)
    assert type(single) is type(linear)
    assert (single.in_shape, single.out_shape) == (linear.in_shape, linear.out_shape)
    assert all(t.dtype == torch.float32 for t in single.tensors if t.is_floating_point())
    x = numbers(2, linear.n)
    got = single.apply(x.to(single.dtype)).double()
    assert torch.allclose(got, x @ matrix.T, rtol=1e-4, atol=1e-4)
    assert single.dense().dtype == single.dtype
    assert linear.to(device="cpu").device == linear.device == torch.device("cpu")
