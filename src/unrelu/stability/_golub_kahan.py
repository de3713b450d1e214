"""A few singular values at both ends, from products with a matrix and its transpose alone.

Golub and Kahan's bidiagonalisation (1965) with full reorthogonalisation.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    Product = Callable[[torch.Tensor], torch.Tensor]

_EPS = torch.finfo(torch.float64).eps


def extreme_singular_values(
    apply: Product, adjoint: Product, start: torch.Tensor, count: int, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the largest and the smallest singular values that are not 0, as far as so many steps tell.

    The process starts in the row space of the matrix and never leaves it: what it finds are no zeros. A value
    that occurs several times is found once.

    Args:
        apply: ``v -> M v`` for vectors of shape ``(q,)``.
        adjoint: ``u -> Mᵀ u`` for vectors of shape ``(p,)``.
        start: Any vector of shape ``(p,)``; its image ``Mᵀ u`` is the first direction.
        count: How many values at either end.
        steps: Products with the matrix, and with its transpose, at most.

    Returns:
        Values, descending, ``2 count`` of them or fewer; and for each a distance within which there is a
        singular value: the residual ``||Mᵀ u - sigma v||`` of unit vectors with ``M v = sigma u``.
    """
    bidiagonal, beyond = _bidiagonalise(apply, adjoint, start, steps)
    k = len(bidiagonal)
    if not k:
        return start.new_zeros(0), start.new_zeros(0)
    u, values, _ = torch.linalg.svd(bidiagonal)
    residual = u[-1].abs() * beyond + k * _EPS * values[0]
    picked = sorted({*range(min(count, k)), *range(max(0, k - count), k)})
    return values[picked].to(start.device), residual[picked].to(start.device)


def _bidiagonalise(
    apply: Product, adjoint: Product, start: torch.Tensor, steps: int
) -> tuple[torch.Tensor, float]:
    """Return ``B`` with ``M V = U B`` for orthonormal ``V`` and ``U``, and ``||Mᵀ U - V Bᵀ||``.

    ``B`` has ``alpha`` on its diagonal and ``beta`` above it.
    """
    v, beta = _unit(adjoint(start), [])
    alphas: list[float] = []
    betas: list[float] = []
    lefts: list[torch.Tensor] = []
    rights: list[torch.Tensor] = []
    scale = 0.0
    # Below rounding nothing new has come: the spaces found are those of a part of the matrix.
    while len(alphas) < steps and beta > scale * len(start) * _EPS:
        u, alpha = _unit(apply(v), lefts)
        scale = max(scale, alpha)
        if alpha <= scale * len(start) * _EPS:
            break
        alphas.append(alpha)
        lefts.append(u)
        rights.append(v)
        v, beta = _unit(adjoint(u), rights)
        betas.append(beta)
        scale = max(scale, beta)
    k = len(alphas)
    diagonal = torch.tensor(alphas, dtype=torch.float64)
    above = torch.tensor(betas[: max(0, k - 1)], dtype=torch.float64)
    bidiagonal = torch.diag(diagonal)
    if k > 1:
        bidiagonal += torch.diag(above, 1)
    return bidiagonal, betas[-1] if betas else 0.0


def _unit(vector: torch.Tensor, basis: list[torch.Tensor]) -> tuple[torch.Tensor, float]:
    """Return what is orthogonal to a basis, at length 1, and its length; twice is enough (Kahan)."""
    if basis:
        space = torch.stack(basis)
        for _ in range(2):
            vector = vector - (space @ vector) @ space
    length = float(torch.linalg.vector_norm(vector))
    return (vector / length if length else vector), length
