"""Penalties and the projection that keep ReLU layers invertible on data (Eckert et al. 2024, Section 4.2).

Plain functions; `MarginPenalty` and `BiasRegularizer` call them in a training loop.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import nn

from unrelu.errors import ArgumentError

DELTA = 0.05
"""Default margin of `margin_penalty`, in units of the layer's input."""


def bias_penalty(bias: torch.Tensor, alpha_star: Any) -> torch.Tensor:
    r"""Return how far a bias exceeds the maximal bias: :math:`\|\max(0, \alpha - \alpha^*)\|_2`, α = -bias.

    Differentiable in ``bias``; where no entry exceeds its bound, value and gradient are 0.

    Args:
        bias: The bias ``b`` in torch's sign, shape ``(m,)``.
        alpha_star: Maximal bias ``alpha*``, shape ``(m,)``, as of `unrelu.estimate_bias`; ``+inf`` imposes
            nothing.

    Returns:
        A scalar tensor. Source: Eckert et al. 2024, Section 4.2.

    Raises:
        ArgumentError: If the shapes differ, or ``alpha_star`` has NaN or ``-inf`` entries.

    Example:
        >>> import torch
        >>> bias_penalty(torch.tensor([-3.0, 0.0, -4.0]), [0.0, 1.0, float("inf")])
        tensor(3.)
    """
    limit = _alpha(alpha_star, bias).to(bias.dtype)
    return torch.linalg.vector_norm(torch.relu(-bias - limit))


def project_bias_(target: nn.Module | torch.Tensor, alpha_star: Any) -> torch.Tensor:
    """Raise in place every bias to the least that ``alpha*`` allows: ``b_j <- max(b_j, -alpha*_j)``.

    Called after the optimiser's step. Afterwards ``-b_j <= alpha*_j`` holds for the stored numbers, whatever
    the dtype of the bias.

    Args:
        target: The bias, or a module with a bias as parameter. A convolution has one bias a channel: its
            ``alpha_star`` has one entry a channel, or one an output, of which the least counts.
        alpha_star: Maximal bias, shape ``(m,)``; ``+inf`` imposes nothing.

    Returns:
        The bias.

    Raises:
        ArgumentError: If there is no bias to write to, the shapes do not fit, or ``alpha_star`` has NaN or
            ``-inf`` entries.

    Example:
        >>> import torch
        >>> project_bias_(torch.tensor([-3.0, 0.5]), [1.0, 2.0])
        tensor([-1.0000,  0.5000])
    """
    bias = bias_of(target)
    lowest = -_alpha(per_channel(alpha_star, len(bias)), bias)
    rounded = lowest.to(bias.dtype)
    # Rounding to a narrower format must not lower the bound.
    up = torch.nextafter(rounded, torch.full_like(rounded, math.inf))
    rounded = torch.where(rounded.double() < lowest, up, rounded)
    with torch.no_grad():
        return bias.copy_(torch.maximum(bias, rounded))


def bias_of(target: nn.Module | torch.Tensor) -> torch.Tensor:
    """Return a bias, or the bias that a module has as parameter."""
    if isinstance(target, torch.Tensor):
        return target
    bias = getattr(target, "bias", None)
    if not isinstance(bias, nn.Parameter):
        raise ArgumentError(f"target: expected a module with a bias of its own, got {target}")
    return bias


def per_channel(alpha_star: Any, channels: int) -> torch.Tensor:
    """Return the least of ``alpha*`` over the outputs of each channel, shape ``(channels,)``."""
    alpha = torch.as_tensor(alpha_star, dtype=torch.float64)
    if alpha.dim() != 1 or not channels or alpha.numel() % channels:
        got = f"got shape {tuple(alpha.shape)}"
        raise ArgumentError(f"alpha_star: expected {channels} entries or a multiple, {got}")
    return alpha.reshape(channels, -1).amin(dim=1)


def margin_penalty(
    preactivation: torch.Tensor,
    n: int,
    *,
    delta: float = DELTA,
    slack: int = 0,
    row_norms: torch.Tensor | None = None,
) -> torch.Tensor:
    r"""Return how much is missing for ``n + slack`` rows to be active with margin ``delta`` at every sample.

    With ``K = n + slack``, pre-activations ``z`` of shape ``(B, m)``, row norms ``r`` (1 if not given) and
    :math:`u_{s(k)}` the k-th largest of :math:`u_{si} = z_{si} / r_i` over the rows ``i``:

    .. math:: \frac{1}{B} \sum_{s=1}^B \frac{1}{K} \sum_{k=1}^{K} \max(0, \delta - u_{s(k)})

    It is 0 if and only if every sample has ``K`` rows with ``u >= delta``. Then, in general position, every
    point of the ball of radius ``delta`` around each sample has a singleton preimage. Samples with ``K`` such
    rows contribute neither value nor gradient. Rows of norm 0 say nothing about the input and are left out;
    of rows that tie for the K-th place those with lower numbers count. NaN pre-activations give NaN.

    Args:
        preactivation: ``z = W x + b``, shape ``(..., m)``.
        n: Dimension of the layer's input.
        delta: Margin, at least 0; with ``row_norms`` a Euclidean distance in the layer's input space.
        slack: Rows asked for beyond ``n``; they make up for data not seen and for active rows that do not
            span, and they improve the condition of the inverse.
        row_norms: Euclidean norms of the rows of ``W``, shape ``(m,)``. With the gradient of the weights
            attached, scaling a row together with its bias changes nothing; detached they are constants.

    Returns:
        A scalar tensor, differentiable in ``preactivation`` and ``row_norms``; at a kink the gradient is
        one-sided. In float32 for narrower dtypes.

    Raises:
        ArgumentError: If ``delta`` is negative or not finite, ``slack`` negative, ``n`` below 1,
            ``n + slack`` above ``m``, or ``row_norms`` has another shape or entries that are negative or not
            finite.

    Example:
        >>> import torch
        >>> z = torch.tensor([[3.0, 0.5, -1.0, -9.0]])
        >>> margin_penalty(z, n=2, delta=1.0, slack=1)  # (0 + 0.5 + 2) / 3
        tensor(0.8333)
    """
    m = preactivation.shape[-1] if preactivation.dim() else 0
    needed = check_rows(n, delta, slack, m)
    z = preactivation.reshape(math.prod(preactivation.shape[:-1]), m)
    z = z if z.dtype in {torch.float32, torch.float64} else z.float()
    norms = None if row_norms is None else _norms(row_norms, z)
    with torch.no_grad():
        samples, mask = _missing(_margins(z, norms), delta, needed)
    # Indexing copies, so that a ReLU in place may overwrite the pre-activations.
    u = _margins(z[samples], norms)
    return torch.where(mask, delta - u, 0).sum() / max(1, needed * len(z))


def check_rows(n: int, delta: float, slack: int, m: int) -> int:
    """Return ``n + slack`` once the arguments of `margin_penalty` are known to make sense."""
    if not (math.isfinite(delta) and delta >= 0):
        raise ArgumentError(f"delta: expected a finite number >= 0, got {delta}")
    if slack < 0:
        raise ArgumentError(f"slack: expected a number of rows >= 0, got {slack}")
    if n < 1:
        raise ArgumentError(f"n: expected a dimension >= 1, got {n}")
    if n + slack > m:
        raise ArgumentError(f"n + slack: expected at most m = {m} rows, got {n} + {slack}")
    return n + slack


def _alpha(alpha_star: Any, bias: torch.Tensor) -> torch.Tensor:
    alpha = torch.as_tensor(alpha_star, dtype=torch.float64, device=bias.device)
    if alpha.shape != bias.shape:
        raise ArgumentError(f"alpha_star: expected shape {tuple(bias.shape)}, got {tuple(alpha.shape)}")
    if not bool((alpha > -math.inf).all()):
        raise ArgumentError("alpha_star: expected numbers or +inf, got NaN or -inf entries")
    return alpha


def _norms(row_norms: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    if row_norms.shape != z.shape[1:]:
        raise ArgumentError(f"row_norms: expected shape {tuple(z.shape[1:])}, got {tuple(row_norms.shape)}")
    if not bool((row_norms.isfinite() & (row_norms >= 0)).all()):
        raise ArgumentError("row_norms: expected finite numbers >= 0")
    return row_norms.to(z)


def _margins(z: torch.Tensor, norms: torch.Tensor | None) -> torch.Tensor:
    """Return ``z / norms``, and ``-inf`` for rows of norm 0, which have no margin."""
    if norms is None:
        return z
    return torch.where(norms > 0, z / torch.where(norms > 0, norms, 1), -math.inf)


def _missing(u: torch.Tensor, delta: float, needed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the samples with fewer than ``needed`` margins of ``delta``, and their rows to be raised."""
    short = ~(u >= delta)  # NaN is short of anything
    samples = (short.sum(dim=1) > u.shape[1] - needed).nonzero()[:, 0]
    u, short = u[samples], short[samples]
    return samples, _largest(u, needed) & short & (u != -math.inf)


def _largest(u: torch.Tensor, count: int) -> torch.Tensor:
    """Mark the ``count`` largest entries of each row, of equal ones those that come first."""
    least = _kth_largest(u, count)[:, None]
    above, ties = ~(u <= least), u == least
    room = count - above.sum(dim=1, keepdim=True)
    if bool((ties.sum(dim=1, keepdim=True) > room).any()):
        ties &= ties.cumsum(dim=1) <= room
    return above | ties


def _kth_largest(u: torch.Tensor, k: int) -> torch.Tensor:
    place = u.shape[1] - k
    if u.device.type == "cpu":  # numpy selects several times faster than torch here
        return torch.from_numpy(np.partition(u.numpy(), place, axis=1)[:, place])
    return u.kthvalue(place + 1, dim=1).values
