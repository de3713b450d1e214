"""An affine layer that a ReLU cannot spoil (Puthawala et al. 2022, Corollary 1: rows [B; -B])."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import nn

from unrelu._checks import whole_number
from unrelu.arrays import Array, to_tensor
from unrelu.errors import ArgumentError
from unrelu.nn.modules._computed import ComputedWeight
from unrelu.nn.modules._pairs import Basis

# The stored rows are orthogonal up to rounding, in float64 up to that of float32 where they come from there.
_CORRECTIONS = 2


@final
class InjectiveLinear(ComputedWeight):
    r"""Drop-in for ``nn.Linear`` whose composition with ReLU is injective, during and after training.

    The weight is ``[s B; -s B; F]`` with a `Basis` ``B`` of shape ``(n, n)``, the scale ``s = sqrt(2)`` and
    free rows ``F``; the bias is ``[b; -b; c]``. Of every pair of opposite rows one is weakly active at each
    input, so the active rows always span R^n, and ``relu(s B x + b) - relu(-s B x - b) = s B x + b`` gives
    the input back.

    In training mode ``B x`` is computed once for both halves, and ``B`` itself never. In evaluation mode the
    layer is a plain affine map with the stored `weight` and `bias`; the two agree up to rounding. `eval`
    stores them: call it before the layer is exported, as torch advises anyway, and after parameters were
    changed through ``parameter.data``. Other changes are noticed.

    Initially ``B`` is a uniformly random orthogonal matrix, ``F`` is as He et al. (2015) have it, and biases
    are 0: where ``m = 2 n`` the activations have just the mean square of the inputs, and where there are
    free rows they have it on average.

    Args:
        in_features: ``n``.
        out_features: ``m``, at least ``2 n``.
        bias: Whether there is a bias.
        device: As in torch.
        dtype: As in torch.
        condition: Bound of the condition number of ``B``, at least 1, where ``B`` is orthogonal. The bound
            holds whatever the parameters are.
        reflectors: Number of Householder reflectors in ``B``, at most ``n``: what can be learned against
            time. By default all ``n`` of them up to 64, and then ``6 sqrt(n)``, at least 64.

    Raises:
        ArgumentError: If a size is below 1 or ``out_features < 2 in_features``, for then no such layer is
            injective, or if ``condition`` or ``reflectors`` is out of range.

    Example:
        >>> import torch, unrelu
        >>> layer = unrelu.nn.InjectiveLinear(3, 8)
        >>> x = torch.randn(5, 3)
        >>> bool(torch.allclose(layer.inverse(torch.relu(layer(x))), x, atol=1e-5))
        True
    """

    pair_bias: nn.Parameter | None
    free_bias: nn.Parameter | None

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        condition: float = 1.0,
        reflectors: int | None = None,
    ) -> None:
        super().__init__()
        n, m = whole_number("in_features", in_features), whole_number("out_features", out_features)
        if m < 2 * n:
            raise ArgumentError(f"out_features: expected at least 2 * in_features = {2 * n}, got {m}")
        options, free = {"device": device, "dtype": dtype}, m - 2 * n
        self.in_features, self.out_features = n, m
        self.scale = math.sqrt(2)
        self.basis = Basis(n, condition=condition, reflectors=reflectors, device=device, dtype=dtype)
        self.free = nn.Parameter(torch.empty(free, n, **options))
        self.register_parameter("pair_bias", nn.Parameter(torch.empty(n, **options)) if bias else None)
        self.register_parameter("free_bias", nn.Parameter(torch.empty(free, **options)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new weights, and set the biases to 0."""
        with torch.no_grad():
            self.basis.reset_parameters()
            _draw_free_rows(self.free)
            for bias in (self.pair_bias, self.free_bias):
                if bias is not None:
                    bias.zero_()

    def compute(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return ``[s B; -s B; F]``, shape ``(m, n)``, and ``[b; -b; c]``, shape ``(m,)``, or ``None``."""
        pair = self.scale * self.basis.matrix()
        weight = torch.cat([pair, -pair, self.free])
        if self.pair_bias is None or self.free_bias is None:
            return weight, None
        return weight, torch.cat([self.pair_bias, -self.pair_bias, self.free_bias])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``W x + b`` for each row of ``x``, shape ``(..., m)``; a ReLU follows."""
        if not self.training:
            return nn.functional.linear(x, *self.affine())
        z = self.basis(x)
        if self.pair_bias is None:
            z = self.scale * z
        else:
            z = torch.add(self.pair_bias.to(z.dtype), z, alpha=self.scale)  # autocast makes z narrower
        if not len(self.free):
            return torch.cat([z, -z], dim=-1)
        return torch.cat([z, -z, nn.functional.linear(x, self.free, self.free_bias)], dim=-1)

    def inverse(self, y: torch.Tensor) -> torch.Tensor:
        r"""Return the input whose activations *after the ReLU* are ``y``.

        What is not the output of any input is answered by the input that fits the differences of the pairs:
        see `residual`. The error is that of the rounding of ``y``, relative to ``|x| + |b|``: of an input
        that is much smaller than the bias the outputs hold no more.

        Args:
            y: Activations, shape ``(..., m)``.

        Returns:
            Inputs, shape ``(..., n)``.

        Raises:
            ArgumentError: If the last axis is not ``m``.
        """
        if y.shape[-1:] != (self.out_features,):
            raise ArgumentError(f"y: expected shape (..., {self.out_features}), got {tuple(y.shape)}")
        n = self.in_features
        weight, bias = self.affine()
        z = y[..., :n] - y[..., n : 2 * n]
        if bias is not None:
            z = z - bias[:n]
        x = self.basis.solve(z / self.scale)
        for _ in range(_CORRECTIONS):
            x = x + self.basis.solve((z - nn.functional.linear(x, weight[:n])) / self.scale)
        return x

    def residual(self, y: torch.Tensor) -> torch.Tensor:
        r"""Return how far activations are from those of the input that `inverse` finds.

        Args:
            y: Activations, shape ``(..., m)``.

        Returns:
            ``||relu(W x + b) - y|| / ||y||``, or the numerator alone where ``y = 0``, shape ``(...)``. It is
            of the order of rounding where ``y`` is the output of an input.

        Raises:
            ArgumentError: If the last axis is not ``m``.
        """
        off = torch.linalg.vector_norm(torch.relu(self(self.inverse(y))) - y, dim=-1)
        size = torch.linalg.vector_norm(y, dim=-1)
        return off / torch.where(size > 0, size, 1)

    def lower_lipschitz(self) -> float:
        r"""Return a lower Lipschitz constant of ``x -> relu(W x + b)`` on R^n: ``sigma_min(s B) / sqrt(2)``.

        From ``|relu(u) - relu(v)|^2 + |relu(-u) - relu(-v)|^2 >= |u - v|^2 / 2``, for the weight as it is
        now, in float64 and less what that rounds. It is about 1 where ``condition = 1``.
        """
        sigma = torch.linalg.svdvals(self.weight[: self.in_features].detach().double())
        rounding = self.in_features * torch.finfo(torch.float64).eps
        return max(float(sigma[-1] - rounding * sigma[0]), 0.0) / math.sqrt(2)

    def contains(self, weight: Array) -> bool:
        """Say whether a weight has rows ``[A; -A; F]``, opposite to the bit, with ``A`` conditioned as here.

        Args:
            weight: Shape ``(m, n)``.

        Raises:
            ArgumentError: If the shape is another, or numbers are not finite.
        """
        n, m = self.in_features, self.out_features
        W = to_tensor(weight, "weight")
        if W.shape != (m, n):
            raise ArgumentError(f"weight: expected shape ({m}, {n}), got {tuple(W.shape)}")
        if not torch.equal(W[:n], -W[n : 2 * n]):
            return False
        sigma = torch.linalg.svdvals(W[:n])
        rounding = 16 * math.sqrt(n) * torch.finfo(self.free.dtype).eps
        bound = self.basis.condition * (1 + rounding)
        return bool(sigma[-1] > 0) and bool(sigma[0] <= bound * sigma[-1])

    def sample(self, generator: torch.Generator | None = None) -> torch.Tensor:
        """Return a random weight that `contains` accepts, shape ``(m, n)``.

        ``B`` has uniformly random singular vectors, and singular values that are spread evenly on a
        logarithmic scale over all that ``condition`` allows; free rows are as initially.

        Args:
            generator: Of random numbers; torch's own by default.
        """
        with torch.no_grad():
            left, right = (
                nn.init.orthogonal_(torch.empty_like(self.basis.fixed), generator=generator) for _ in range(2)
            )
            spread = torch.rand(self.in_features, generator=generator, dtype=left.dtype, device=left.device)
            pair = self.scale * left * self.basis.condition ** (spread - 0.5) @ right
            free = _draw_free_rows(torch.empty_like(self.free), generator)
            return torch.cat([pair, -pair, free])

    def extra_repr(self) -> str:
        """Show the sizes as nn.Linear does."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.pair_bias is not None}"
        )


def _draw_free_rows(rows: torch.Tensor, generator: torch.Generator | None = None) -> torch.Tensor:
    """Fill rows with He's initialisation."""
    if rows.numel():
        nn.init.kaiming_uniform_(rows, nonlinearity="relu", generator=generator)
    return rows
