"""Bounds of spectral norms by products of matrices alone (Delattre et al. 2023, Gram iteration)."""

from __future__ import annotations

import torch

_TINY = 1e-30
_SQUARINGS = 2


def norm_bound(matrix: torch.Tensor) -> torch.Tensor:
    r"""Return an upper bound of the spectral norm, up to rounding.

    :math:`\|G^4\|_F^{1/8}` for :math:`G = M^T M`, which is too large by ``rank^(1/16)`` at most.
    Differentiable; the derivative at 0 is 0.

    Args:
        matrix: Shape ``(..., p, q)``.

    Returns:
        Shape ``(...)``.

    Example:
        >>> import torch
        >>> from unrelu.nn.modules._spectral import norm_bound
        >>> round(float(norm_bound(torch.eye(16))), 3)
        1.189
    """
    # The bound is homogeneous: the size may be taken for a constant.
    size = torch.linalg.vector_norm(matrix.detach(), dim=(-2, -1), keepdim=True).clamp_min(_TINY)
    scaled = matrix / size
    gram = scaled @ scaled.mT if matrix.shape[-2] <= matrix.shape[-1] else scaled.mT @ scaled
    for _ in range(_SQUARINGS):
        gram = gram @ gram
    power = torch.linalg.vector_norm(gram, dim=(-2, -1)).clamp_min(_TINY)
    return size[..., 0, 0] * power ** (0.5 ** (_SQUARINGS + 1))


def spectral_norm(matrix: torch.Tensor) -> torch.Tensor:
    """Return the largest singular value of matrices ``(..., p, q)``, shape ``(...)``."""
    return torch.linalg.matrix_norm(matrix, 2)
