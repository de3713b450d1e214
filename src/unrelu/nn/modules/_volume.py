"""How a map between different dimensions changes volume: ``1/2 log det JᵀJ``, exactly or from products.

Stochastic Lanczos quadrature (Ubaru, Chen, Saad 2017) on the bidiagonalisation of ``J`` (Golub, Kahan 1965).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unrelu._checks import whole_number
from unrelu.errors import ArgumentError
from unrelu.layers import derivative
from unrelu.nn.modules._jacobian import jacobians

if TYPE_CHECKING:
    from collections.abc import Callable

    Map = Callable[[torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class VolumeEstimate:
    """``1/2 log det JᵀJ`` of every sample, estimated.

    Attributes:
        value: The estimates, shape ``(N,)``; ``-inf`` where a direction was found that the map forgets.
        standard_error: Of each, from the spread over probes: what randomness does, shape ``(N,)``.
        quadrature_error: How much the second half of the steps changed each: what ending early does, about;
            0 where the steps reach the dimension. Shape ``(N,)``.
        probes: Random vectors a sample.
        steps: Of Lanczos.
    """

    value: torch.Tensor
    standard_error: torch.Tensor
    quadrature_error: torch.Tensor
    probes: int
    steps: int


def log_volume(function: Map, x: torch.Tensor) -> torch.Tensor:
    r"""Return :math:`\tfrac12 \log\det J^T J` of every sample, from its Jacobian ``J`` by QR.

    The density of ``function(x)`` on the image is that of ``x`` divided by ``exp`` of it.

    Args:
        function: From ``(N, *in_shape)`` to ``(N, *out_shape)`` with no fewer outputs than inputs, one sample
            apart from the others; must allow `torch.vmap`.
        x: Samples, shape ``(N, *in_shape)``.

    Returns:
        Shape ``(N,)``; differentiable. ``-inf``, or far below 0, where the Jacobian has not full rank.

    Raises:
        ArgumentError: If there are fewer outputs than inputs.

    Example:
        >>> import torch
        >>> from unrelu.nn import log_volume
        >>> double = log_volume(lambda x: torch.cat([x, x], dim=1), torch.zeros(1, 2).double())
        >>> bool(torch.isclose(double, torch.tensor([2.0]).double().log()).all())
        True
    """
    jacobian = jacobians(function, x)
    m, n = jacobian.shape[1:]
    if m < n:
        raise ArgumentError(f"function: expected at least as many outputs as inputs, {n}, got {m}")
    diagonal = torch.linalg.qr(jacobian).R.diagonal(dim1=-2, dim2=-1)
    return diagonal.abs().log().sum(dim=-1)


def estimate_log_volume(
    function: Map,
    x: torch.Tensor,
    *,
    probes: int = 16,
    steps: int = 40,
    generator: torch.Generator | None = None,
) -> VolumeEstimate:
    r"""Estimate :math:`\tfrac12 \log\det J^T J` from products with ``J`` and its transpose alone.

    With random signs ``v`` it is the mean of ``vᵀ log(JᵀJ) v / 2``, and each of these a Gauss quadrature with
    the singular values of the bidiagonal matrix that so many steps lead to. Not differentiable.

    Args:
        function: As for `log_volume`; evaluated on ``probes`` copies of the samples.
        x: Samples, shape ``(N, *in_shape)``.
        probes: Random vectors a sample, at least 2; the standard error falls with their root.
        steps: Of Lanczos, at most; the dimension of the input is always enough.
        generator: Of the random signs, on the device of ``x``; that of torch when ``None``.

    Raises:
        ArgumentError: If there are fewer than 2 probes or no steps.

    Example:
        >>> import torch
        >>> from unrelu.nn import estimate_log_volume
        >>> found = estimate_log_volume(lambda x: 3 * x, torch.zeros(1, 100).double())
        >>> bool(torch.isclose(found.value / 100, torch.tensor([3.0]).double().log()).all())
        True
    """
    probes, n = whole_number("probes", probes, 2), math.prod(x.shape[1:])
    steps = min(whole_number("steps", steps), n)
    with torch.no_grad():
        copies = x.detach().repeat_interleave(probes, dim=0)
        signs = torch.randint(0, 2, (len(copies), n), generator=generator, device=x.device)
        start = (2.0 * signs - 1).to(x.dtype)
        diagonal, above = _bidiagonal(function, copies, start / math.sqrt(n), steps)
        values = n * _quadrature(diagonal, above).reshape(len(x), probes)
        early = (steps + 1) // 2
        before = n * _quadrature(diagonal[:, :early], above[:, : early - 1]).reshape(len(x), probes)
    change = torch.zeros_like(values[:, 0]) if steps == n else (values - before).mean(dim=1).abs()
    mean = values.mean(dim=1)
    variance = (values - mean[:, None]).square().sum(dim=1) / (probes - 1)
    return VolumeEstimate(mean, torch.sqrt(variance / probes), change, probes, steps)


def _bidiagonal(
    function: Map, x: torch.Tensor, start: torch.Tensor, steps: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return diagonal and superdiagonal of ``Uᵀ J V`` for every sample and its start vector of length 1.

    Where a process ends early, ones on the diagonal follow, which nothing leads to.
    """
    push, pull = derivative(function, x)
    output = function(x)
    v, beta = start, torch.zeros_like(start[:, :1])
    u = torch.zeros_like(output).flatten(1)
    scale = beta
    basis, alphas, betas = [v], [], [beta]
    for _ in range(steps):
        image = push(v.reshape(x.shape)).reshape(u.shape)
        u, alpha = _unit(image - beta * u)
        scale = torch.maximum(scale, alpha)
        alphas.append(torch.where(v.any(dim=1, keepdim=True), alpha, 1.0))
        back = pull(u.reshape(output.shape))[0].reshape(v.shape)
        v, beta = _unit(
            _orthogonal(back - alpha * v, basis), least=scale * torch.finfo(v.dtype).eps * v.shape[1]
        )
        basis.append(v)
        betas.append(beta)
    return torch.cat(alphas, dim=1), torch.cat(betas[1:-1] or [beta[:, :0]], dim=1)


def _unit(vectors: torch.Tensor, least: torch.Tensor | float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return vectors at length 1 and their lengths; what is no longer than ``least`` is 0."""
    length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
    length = torch.where(length > least, length, 0.0)
    return torch.where(length > 0, vectors / torch.where(length > 0, length, 1.0), 0.0), length


def _orthogonal(vectors: torch.Tensor, basis: list[torch.Tensor]) -> torch.Tensor:
    """Return what is orthogonal to orthonormal vectors; twice is enough (Kahan)."""
    space = torch.stack(basis, dim=1)
    for _ in range(2):
        vectors = vectors - torch.einsum("rk,rkn->rn", torch.einsum("rkn,rn->rk", space, vectors), space)
    return vectors


def _quadrature(diagonal: torch.Tensor, above: torch.Tensor) -> torch.Tensor:
    """Return the first diagonal entry of ``log(BᵀB) / 2`` for bidiagonal matrices ``B``."""
    bidiagonal = torch.diag_embed(diagonal.double()) + torch.diag_embed(above.double(), offset=1)
    _, sigma, right = torch.linalg.svd(bidiagonal)
    weight = right[:, :, 0].square()
    # What was cut off has no weight, whatever its logarithm.
    return torch.where(weight > 0, weight * sigma.log(), 0.0).sum(dim=1).to(diagonal.dtype)
