"""An affine layer that a ReLU cannot spoil (Puthawala et al. 2022, Corollary 1: rows [B; -B])."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import nn
from torch.nn.utils.parametrizations import orthogonal

from unrelu.errors import ArgumentError


@final
class InjectiveLinear(nn.Module):
    """Drop-in for ``nn.Linear`` whose composition with ReLU is injective, during and after training.

    The weight is ``[s B; -s B; F]`` with an orthogonal ``B`` of shape ``(n, n)``, a fixed scale ``s`` and
    free rows ``F``; the bias is ``[b; -b; c]``. Of every pair of opposite rows one is weakly active at each
    input, so the active rows always span R^n, and ``relu(s B x + b) - relu(-s B x - b) = s B x + b`` gives
    the input back.

    Args:
        in_features: ``n``.
        out_features: ``m``, at least ``2 n``.
        bias: Whether there is a bias.
        device: As in torch.
        dtype: As in torch.

    Raises:
        ArgumentError: If ``out_features < 2 in_features``: then no such layer is injective.

    Example:
        >>> import torch, unrelu
        >>> layer = unrelu.nn.InjectiveLinear(3, 8)
        >>> x = torch.randn(5, 3)
        >>> bool(torch.allclose(layer.inverse(torch.relu(layer(x))), x, atol=1e-5))
        True
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        if in_features < 1 or out_features < 2 * in_features:
            raise ArgumentError(
                f"out_features: expected at least 2 * in_features = {2 * in_features}, got {out_features}"
            )
        options = {"device": device, "dtype": dtype}
        free = out_features - 2 * in_features
        self.in_features, self.out_features = in_features, out_features
        # Rows of the length that nn.Linear's initialisation gives on average.
        self.scale = 1 / math.sqrt(3)
        bound = 1 / math.sqrt(in_features)
        self.basis = nn.Parameter(nn.init.orthogonal_(torch.empty(in_features, in_features, **options)))
        orthogonal(self, "basis")
        self.free = nn.Parameter(torch.empty(free, in_features, **options).uniform_(-bound, bound))
        self.register_parameter("pair_bias", None)
        self.register_parameter("free_bias", None)
        if bias:
            self.pair_bias = nn.Parameter(torch.empty(in_features, **options).uniform_(-bound, bound))
            self.free_bias = nn.Parameter(torch.empty(free, **options).uniform_(-bound, bound))

    @property
    def weight(self) -> torch.Tensor:
        """The weight ``[s B; -s B; F]``, shape ``(m, n)``."""
        pair = self.scale * self.basis
        return torch.cat([pair, -pair, self.free])

    @property
    def bias(self) -> torch.Tensor | None:
        """The bias ``[b; -b; c]``, shape ``(m,)``."""
        if self.pair_bias is None:
            return None
        return torch.cat([self.pair_bias, -self.pair_bias, self.free_bias])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``W x + b``; a ReLU follows."""
        return nn.functional.linear(x, self.weight, self.bias)

    def inverse(self, y: torch.Tensor) -> torch.Tensor:
        """Return the input whose activations *after the ReLU* are ``y``, of shape ``(..., m)``.

        Raises:
            ArgumentError: If the last axis is not ``m``.
        """
        if y.shape[-1:] != (self.out_features,):
            raise ArgumentError(f"y: expected shape (..., {self.out_features}), got {tuple(y.shape)}")
        n = self.in_features
        z = y[..., :n] - y[..., n : 2 * n]
        if self.pair_bias is not None:
            z = z - self.pair_bias
        return z @ self.basis / self.scale

    def extra_repr(self) -> str:
        """Show the sizes as nn.Linear does."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"
        )
