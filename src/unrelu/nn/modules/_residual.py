"""Residual blocks ``x + g(x)``, invertible as ``g`` contracts (Behrmann et al. 2019, i-ResNet, Theorem 1)."""

from __future__ import annotations

import copy
import math
from typing import final

import torch
from torch import nn

from unrelu._checks import probability
from unrelu.errors import ArgumentError
from unrelu.nn.modules._computed import ComputedWeight
from unrelu.nn.modules._lipschitz_bound import lipschitz_bound

_ROUNDING = 1 + 1e-9  # far more than what products of matrices in float64 round


@final
class ContractiveResidual(ComputedWeight):
    r"""``x -> x + s g(x)`` with ``s = min(1, c / L)``, where ``L`` bounds the Lipschitz constant of ``g``.

    ``s g`` is a contraction with constant ``c < 1``, by construction and during training, so that the block
    is a bijection with Lipschitz constants between ``1 - c`` and ``1 + c``. Its inverse is the fixed point of
    ``x -> y - s g(x)``, which every step approaches by the factor ``c`` at least.

    `unrelu.decide` proves networks with such a block, from bounds of the norms of their numbers with all
    rounding errors, where ``g`` is made of dense layers, convolutions and activations that torch exports as
    one node, such as ReLU, ELU and tanh; with softplus or softsign the answer is UNKNOWN. `is_contraction` is
    evidence in floating point, from the weights as they are.

    In evaluation mode ``s`` is a constant, which `eval` keeps and an exported block holds.

    Args:
        inner: ``g``: a module, or a sequence, with outputs of the shape of its inputs, all of whose parts
            have a known Lipschitz bound.
        lipschitz: ``c``, between 0 and 1.

    Raises:
        ArgumentError: If no bound of ``inner`` is known, or ``lipschitz`` is out of its range.

    Example:
        >>> import torch, unrelu
        >>> inner = torch.nn.Sequential(torch.nn.Linear(4, 9), torch.nn.ReLU(), torch.nn.Linear(9, 4))
        >>> block = unrelu.nn.ContractiveResidual(inner).double()
        >>> x = torch.randn(5, 4, dtype=torch.float64)
        >>> bool(torch.allclose(block.inverse(block(x)), x)), block.is_contraction()
        (True, True)
    """

    def __init__(self, inner: nn.Module, lipschitz: float = 0.9) -> None:
        super().__init__()
        self.inner, self.lipschitz = inner, probability("lipschitz", lipschitz)
        lipschitz_bound(inner)

    def compute(self) -> tuple[torch.Tensor, None]:
        """Return ``s``, differentiable in the parameters, and no bias."""
        bound = lipschitz_bound(self.inner)
        if not isinstance(bound, torch.Tensor):
            bound = torch.tensor(bound, dtype=torch.float64)
        return self.lipschitz / bound.clamp(min=self.lipschitz), None

    def factor(self) -> torch.Tensor:
        """Return ``s``."""
        return self.affine()[0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x + s g(x)``.

        Raises:
            ArgumentError: If ``g(x)`` has another shape than ``x``.
        """
        return x + self.factor() * self._inner(x)

    def _inner(self, x: torch.Tensor) -> torch.Tensor:
        change: torch.Tensor = self.inner(x)
        if change.shape != x.shape:
            raise ArgumentError(
                f"inner: expected outputs of shape {tuple(x.shape)}, got {tuple(change.shape)}"
            )
        return change

    def inverse(self, y: torch.Tensor) -> torch.Tensor:
        """Return the input whose output is ``y``, by iteration until nothing moves beyond rounding.

        Args:
            y: Outputs; every ``y`` is one.
        """
        factor, eps = self.factor(), torch.finfo(y.dtype).eps
        x, least = y, eps * (1 - self.lipschitz)
        for _ in range(math.ceil(math.log(eps) / math.log(self.lipschitz)) + 1):
            before, x = x, y - factor * self._inner(x)
            if bool((_lengths(x - before) <= least * _lengths(x)).all()):
                break
        return x

    def lipschitz_bound(self) -> float:
        """Return an upper Lipschitz bound of ``s g``, computed in float64 from the weights as they are."""
        with torch.no_grad():
            bound = float(lipschitz_bound(copy.deepcopy(self.inner).double()))
            return float(self.factor()) * bound * _ROUNDING

    def is_contraction(self) -> bool:
        """Say whether that bound is below 1."""
        return self.lipschitz_bound() < 1

    def extra_repr(self) -> str:
        """Show the constant."""
        return f"lipschitz={self.lipschitz}"


def _lengths(samples: torch.Tensor) -> torch.Tensor:
    """Return the length of every sample; without batch axis there is one."""
    detached = samples.detach()
    return torch.linalg.vector_norm(detached.flatten(1) if samples.dim() > 1 else detached[None], dim=1)
