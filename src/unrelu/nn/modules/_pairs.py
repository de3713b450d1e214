"""The basis B of pairs of opposite rows [B; -B], well conditioned whatever its parameters are."""

from __future__ import annotations

import math
from typing import Any, final

import torch
from torch import nn

from unrelu._checks import whole_number
from unrelu.errors import ArgumentError
from unrelu.nn.modules._reflectors import reflect

_ALL_UP_TO = 64
_PER_ROOT = 6  # of sqrt(n): what does not depend on the batch then takes the same share of time for every n


@final
class Basis(nn.Module):
    r"""A trainable matrix of shape ``(n, n)`` whose condition number has a bound that nothing can break.

    ``B = H Q`` with a fixed random orthogonal ``Q`` and a product ``H`` of ``k`` Householder reflectors,
    which are what is learned: ``B`` is orthogonal. With ``condition > 1`` it is ``B = H diag(d) G Q`` with a
    second product ``G`` of reflectors and ``d`` between ``1 / sqrt(condition)`` and ``sqrt(condition)``.
    Applying it to a vector takes ``n^2 + 2 n k`` products or two ``n k`` more, and no matrix exponential or
    factorisation of size ``n``.

    With ``k = n`` every orthogonal matrix can be reached up to the signs of its rows, which pairs of opposite
    rows do not see; with fewer reflectors, those that differ from ``Q`` on ``k`` dimensions.

    Args:
        n: Number of rows and columns.
        condition: Bound of the condition number, at least 1.
        reflectors: ``k``, at most ``n``. By default ``n`` up to 64, and then ``6 sqrt(n)``, at least 64.
        device: As in torch.
        dtype: As in torch.

    Raises:
        ArgumentError: If ``n``, ``condition`` or ``reflectors`` is out of range.

    Example:
        >>> import torch
        >>> from unrelu.nn.modules import Basis
        >>> basis = Basis(5, condition=2.0)
        >>> with torch.no_grad():
        ...     _ = basis.log_scale.normal_(std=100)
        >>> bool(torch.linalg.cond(basis.matrix()) < 2.0001)
        True
    """

    fixed: torch.Tensor
    log_scale: nn.Parameter | None
    inner: nn.Parameter | None

    def __init__(
        self,
        n: int,
        *,
        condition: float = 1.0,
        reflectors: int | None = None,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.n = whole_number("n", n)
        self.condition = condition_number(condition)
        k = default_reflectors(self.n) if reflectors is None else whole_number("reflectors", reflectors, 0)
        if k > self.n:
            raise ArgumentError(f"reflectors: expected at most n = {self.n}, got {k}")
        self.reflectors = k
        options = {"device": device, "dtype": dtype}
        self.register_buffer("fixed", torch.empty(self.n, self.n, **options))
        self.outer = nn.Parameter(torch.empty(self.n, k, **options))
        self.register_parameter("log_scale", None)
        self.register_parameter("inner", None)
        if self.condition > 1:
            self.log_scale = nn.Parameter(torch.empty(self.n, **options))
            self.inner = nn.Parameter(torch.empty(self.n, k, **options))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw a random orthogonal matrix, uniformly."""
        with torch.no_grad():
            # Torch factorises no matrix of 16-bit numbers.
            wide = torch.promote_types(self.fixed.dtype, torch.float32)
            self.fixed.copy_(nn.init.orthogonal_(torch.empty_like(self.fixed, dtype=wide)))
            for vectors in (self.outer, self.inner):
                if vectors is not None:
                    vectors.normal_(std=1 / math.sqrt(self.n))
            if self.log_scale is not None:
                self.log_scale.zero_()

    def scales(self) -> torch.Tensor | None:
        """Return the singular values ``d``, shape ``(n,)``; ``None`` where all are 1."""
        if self.log_scale is None:
            return None
        return torch.exp(math.log(self.condition) / 2 * torch.tanh(self.log_scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``B x`` for each row of ``x``, shape ``(..., n)``."""
        z = nn.functional.linear(x, self.fixed)
        scales = self.scales()
        if scales is not None and self.inner is not None:
            z = reflect(self.inner, z) * scales
        return reflect(self.outer, z)

    def solve(self, z: torch.Tensor) -> torch.Tensor:
        """Return ``B^{-1} z`` for each row of ``z``, shape ``(..., n)``, in closed form."""
        x = reflect(self.outer, z, inverse=True)
        scales = self.scales()
        if scales is not None and self.inner is not None:
            x = reflect(self.inner, x / scales, inverse=True)
        return x @ self.fixed

    def matrix(self) -> torch.Tensor:
        """Return ``B``, shape ``(n, n)``."""
        columns = self.fixed.mT
        scales = self.scales()
        if scales is not None and self.inner is not None:
            columns = reflect(self.inner, columns) * scales
        return reflect(self.outer, columns).mT

    def extra_repr(self) -> str:
        """Show size, number of reflectors and bound."""
        return f"n={self.n}, reflectors={self.reflectors}, condition={self.condition:g}"


def default_reflectors(n: int) -> int:
    """Return how many reflectors a basis of size ``n`` has unless told otherwise."""
    return min(n, max(_ALL_UP_TO, int(_PER_ROOT * math.sqrt(n))))


def condition_number(condition: float) -> float:
    """Return a bound of a condition number as a float.

    Raises:
        ArgumentError: If it is no finite number of at least 1.
    """
    try:
        number = float(condition)
    except (TypeError, ValueError):
        number = math.nan
    if not 1 <= number < math.inf:
        raise ArgumentError(f"condition: expected a finite number of at least 1, got {condition!r}")
    return number
