"""All singular values of a matrix, by products where these are accurate enough.

The eigenvalues of a Gram matrix are squares: where ``sigma`` is the square root of one, its error is
``eps sigma_1² / (2 sigma)``. Above `SAFE` times the largest value that is below `ACCURACY` times the largest.
The values below come from the matrix itself, restricted to their own subspace.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

ACCURACY = 1e-10  # error of a singular value, relative to the largest one
SAFE = 1e-4  # a singular value is taken from a square only above this share of the largest
_FEW = 1 / 3  # largest share of values below SAFE for which their subspace is split off
_RANGE = 1e60  # entries beyond this are scaled before they are multiplied


def singular_values(matrix: torch.Tensor) -> torch.Tensor:
    """Return the singular values of a float64 matrix, descending, within `ACCURACY` of the largest.

    Args:
        matrix: Shape ``(p, q)``.

    Returns:
        Shape ``(min(p, q),)``.
    """
    rows = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    scale = power_of_two(rows)
    if scale != 1:
        rows = rows / scale
    return scale * values_of(rows @ rows.T, lambda: rows)


def values_of(gram: torch.Tensor, matrix: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Return the singular values of ``M``, descending, given ``M Mᵀ``.

    Args:
        gram: ``M Mᵀ``, shape ``(p, p)``.
        matrix: Returns ``M``, shape ``(p, q)`` with ``p <= q``; asked for only where some value is small.
    """
    if not len(gram):
        return gram.new_zeros(0)
    squares = torch.linalg.eigvalsh(gram)
    small = int((squares <= SAFE**2 * squares[-1]).sum())
    if not small:
        return squares.sqrt().flip(0)
    rows = matrix()
    if small > _FEW * len(gram):
        return torch.linalg.svdvals(rows)
    return _split(gram, rows, small)


def _split(gram: torch.Tensor, rows: torch.Tensor, small: int) -> torch.Tensor:
    """Return the singular values of ``M``, those of the smallest ones' subspace from ``M`` itself.

    The eigenvectors ``U_2`` of the small values are known to ``eps / SAFE²``. Where ``U_1`` are the others,
    with squares ``L_1``, a step ``U_2 - U_1 L_1^{-1} U_1ᵀ M Mᵀ U_2`` removes what they hold of these, and
    ``Mᵀ U_2`` has the small singular values (Weyl: up to what is left, of second order).
    """
    squares, vectors = torch.linalg.eigh(gram)
    few, many = vectors[:, :small], vectors[:, small:]
    leak = many.T @ (rows @ (rows.T @ few))
    few = few - many @ (leak / squares[small:, None])
    values = torch.cat([squares[small:].sqrt(), torch.linalg.svdvals(rows.T @ few)])
    return values.sort(descending=True).values


def power_of_two(matrix: torch.Tensor) -> float:
    """Return a divisor after which products of entries neither overflow nor vanish; 1 if none is needed."""
    largest = float(matrix.abs().max()) if matrix.numel() else 0.0
    if largest == 0 or 1 / _RANGE < largest < _RANGE:
        return 1.0
    return math.ldexp(1.0, math.frexp(largest)[1] - 1)


def rank_of(values: torch.Tensor, tolerance: float) -> torch.Tensor:
    """Return how many values along the last axis exceed ``tolerance`` times the largest."""
    if not values.shape[-1]:
        return torch.zeros(values.shape[:-1], dtype=torch.int64, device=values.device)
    return (values > tolerance * values[..., :1]).sum(dim=-1)


def condition_of(values: torch.Tensor, rank: torch.Tensor) -> torch.Tensor:
    """Return the largest value divided by the smallest one that counts; NaN where none does."""
    if not values.shape[-1]:
        return torch.full(values.shape[:-1], math.nan, dtype=values.dtype, device=values.device)
    last = values.gather(-1, (rank - 1).clamp(min=0)[..., None])[..., 0]
    return torch.where(rank > 0, values[..., 0] / last, math.nan)
