"""Products of Householder reflectors as one product of thin matrices (Joffrain et al. 2006, UT transform)."""

from __future__ import annotations

import torch


def reflect(reflectors: torch.Tensor, x: torch.Tensor, *, inverse: bool = False) -> torch.Tensor:
    r"""Apply a product of reflectors to each row of ``x``.

    ``H = H_1 ... H_k`` with ``H_i = I - 2 v_i v_i^T / |v_i|^2`` is ``I - V T^{-1} V^T``, where ``V`` has
    the columns ``v_i`` and the upper triangle ``T`` satisfies ``T + T^T = V^T V``. It is orthogonal whatever
    ``V`` is. A column of zeros stands for the identity.

    Numbers of less than 32 bits, autocast ones among them, are taken to float32 for it and back.

    Args:
        reflectors: ``V``, shape ``(n, k)``.
        x: Shape ``(..., n)``.
        inverse: Whether to apply ``H^T``, its inverse, in place of ``H``.

    Returns:
        ``H x`` for each row, shape ``(..., n)``.

    Example:
        >>> import torch
        >>> from unrelu.nn.modules._reflectors import reflect
        >>> reflect(torch.tensor([[1.0], [1.0]]), torch.tensor([3.0, 5.0]))
        tensor([-5., -3.])
    """
    device = x.device.type
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        with torch.autocast(device, enabled=False):
            return reflect(reflectors, x, inverse=inverse)
    dtype = torch.promote_types(torch.promote_types(x.dtype, reflectors.dtype), torch.float32)
    rows, reflectors = x.to(dtype).reshape(-1, x.shape[-1]), reflectors.to(dtype)
    gram = reflectors.mT @ reflectors
    squares = gram.diagonal()
    triangle = gram.triu(1) + torch.where(squares > 0, squares / 2, 1).diag()
    components = (rows @ reflectors).mT
    if inverse:
        solved = torch.linalg.solve_triangular(triangle.mT, components, upper=False)
    else:
        solved = torch.linalg.solve_triangular(triangle, components, upper=True)
    return (rows - solved.mT @ reflectors.mT).to(x.dtype).reshape(x.shape)
