"""Rows and biases that follow others, as torch parametrizations (Puthawala et al. 2022, Corollary 1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
from torch import nn

from unrelu.arrays import to_tensor
from unrelu.errors import ArgumentError
from unrelu.nn.parametrization._pairing import Pairing, pairing


class Paired(nn.Module, ABC):
    r"""Parametrization of a weight of which some rows are ``-d`` times others, to the bit.

    ``d`` is a power of two, so that the product is exact whatever the rows become.

    Args:
        rows: Number of rows, or output channels, of the weight.
        basis: Number of rows that are followed and span together.
        condition: Bound of their condition number; ``None`` for none.

    Attributes:
        source: For each row the one that it follows, its own number if none. Shape ``(rows,)``.
        factor: ``-d`` for rows that follow another one, else 1. Shape ``(rows,)``.
        basis: Rows that are followed and span together. Shape ``(basis,)``.
    """

    source: torch.Tensor
    factor: torch.Tensor
    basis: torch.Tensor

    def __init__(self, rows: int, basis: int, condition: float | None = None) -> None:
        super().__init__()
        self.condition = condition
        self.register_buffer("source", torch.arange(rows))
        self.register_buffer("factor", torch.ones(rows))
        self.register_buffer("basis", torch.arange(basis))

    @abstractmethod
    def choose(self, weight: torch.Tensor) -> Pairing:
        """Return which rows of a weight would follow which.

        Raises:
            ArgumentError: If the weight has too few rows or too few independent ones, or numbers that are not
                finite.
        """

    @abstractmethod
    def bounded(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the weight with the rows of the basis changed where they break the bound."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the weight with rows that follow others set by these."""
        weight = self.bounded(weight)
        factor = self.factor.to(weight.dtype).reshape(-1, *(1,) * (weight.dim() - 1))
        return weight.index_select(0, self.source) * factor

    def right_inverse(self, weight: torch.Tensor) -> torch.Tensor:
        """Choose the rows that follow others, and return the weight with these set.

        Raises:
            ArgumentError: If the weight has too few rows or too few independent ones, or numbers that are not
                finite.
        """
        found = self.choose(weight)
        self.source.copy_(torch.from_numpy(found.source))
        self.factor = torch.from_numpy(found.factor).to(weight)  # float32 would not hold all of float64's
        self.basis.copy_(torch.from_numpy(found.basis))
        made: torch.Tensor = self(weight)
        return made

    def contains(self, weight: torch.Tensor) -> bool:
        """Say whether a weight would be kept to the bit.

        Raises:
            ArgumentError: As for `right_inverse`.
        """
        kept = [buffer.clone() for buffer in self.buffers()]
        try:
            return torch.equal(self.right_inverse(weight), weight)
        finally:
            for buffer, value in zip(self.buffers(), kept, strict=True):
                buffer.copy_(value)

    def extra_repr(self) -> str:
        """Show how many rows follow others."""
        pairs = int((self.factor < 0).sum())
        return f"rows={len(self.source)}, pairs={pairs}, condition={self.condition}"


@final
class PairedRows(Paired):
    r"""Parametrization of the weight of ``nn.Linear``: the rows that are followed span R^n.

    With ``condition`` the singular values of ``n`` of them are at least the largest one divided by it; where
    they are below, they are raised. Gradients pass that correction as if it were a constant.

    Args:
        rows: Number of rows of the weight.
        columns: Number of columns, ``n``.
        condition: Bound of the condition number; ``None`` for none.
    """

    def __init__(self, rows: int, columns: int, condition: float | None = None) -> None:
        super().__init__(rows, columns, condition)

    def choose(self, weight: torch.Tensor) -> Pairing:
        """Return which rows of a weight would follow which.

        Raises:
            ArgumentError: If the weight has fewer than ``2 n`` rows or ``n`` independent ones, or numbers
                that are not finite.
        """
        shape = len(self.source), len(self.basis)
        if weight.shape != shape:
            raise ArgumentError(f"weight: expected shape {shape}, got {tuple(weight.shape)}")
        return pairing(to_tensor(weight, "weight").cpu().numpy(), torch.finfo(weight.dtype).eps)

    def bounded(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the weight with small singular values of the basis raised where there is a bound."""
        if self.condition is None:
            return weight
        return weight.index_copy(0, self.basis, raised(weight.index_select(0, self.basis), self.condition))


def raised(matrices: torch.Tensor, condition: float) -> torch.Tensor:
    """Return square matrices with singular values of at least the largest one divided by ``condition``.

    Those that have such are returned to the bit; of the others the correction is a constant to gradients.

    Args:
        matrices: Shape ``(..., n, n)``.
        condition: Bound of the condition number.
    """
    left, sigma, right = torch.linalg.svd(matrices.detach())
    least = sigma[..., :1] / condition
    rounding = matrices.shape[-1] * torch.finfo(matrices.dtype).eps
    holds = sigma[..., -1:] >= least * (1 - rounding)
    correction = (left * (least - sigma).clamp(min=0)[..., None, :]) @ right
    return torch.where(holds[..., None], matrices, matrices + correction)


@final
class PairedBias(nn.Module):
    """Parametrization of the bias beside `Paired`: for rows ``w``, ``-d w`` it keeps ``c >= -d b``.

    So at every input one of the two rows is weakly active. ``max(c, -d b)`` takes the place of ``c``: a bias
    that satisfies the inequality is kept to the bit.

    Args:
        rows: The parametrization of the weight.
    """

    def __init__(self, rows: Paired) -> None:
        super().__init__()
        self._rows = (rows,)  # in a tuple: its tensors belong to the weight

    def forward(self, bias: torch.Tensor) -> torch.Tensor:
        """Return the bias, raised where it has to be."""
        rows = self._rows[0]
        return torch.maximum(bias, bias.index_select(0, rows.source) * rows.factor.to(bias.dtype))

    def right_inverse(self, bias: torch.Tensor) -> torch.Tensor:
        """Return the bias, raised where it has to be.

        Raises:
            ArgumentError: If numbers are not finite.
        """
        to_tensor(bias, "bias")
        made: torch.Tensor = self(bias)
        return made
