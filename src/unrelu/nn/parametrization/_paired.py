"""Rows and biases that follow others, as torch parametrizations (Puthawala et al. 2022, Corollary 1)."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from typing import Any, Self, final

import torch
from torch import nn

from unrelu.arrays import to_tensor
from unrelu.errors import ArgumentError
from unrelu.nn.parametrization._multiples import Multiples
from unrelu.nn.parametrization._pairing import Pairing, pairing


class Paired(nn.Module, ABC):
    r"""Parametrization of a weight of which some rows are opposite to others, to the bit.

    They are ``p u`` and ``-q u`` with whole numbers ``p`` and ``q``, exact products whatever the rows become.
    Where ``q / p`` is a power of two ``p`` is 1, and ``u`` any row. Elsewhere ``u`` has fewer binary digits
    than the numbers of the type, as many as the larger one of ``p`` and ``q`` without its factors of 2 has,
    and is rounded to them; gradients take that for the identity. With ``q = 3`` these are 22 of the 24 digits
    of float32. Where ``p`` or ``q`` has nearly as many digits as the type, ``u`` learns as weights do that
    are powers of two: `digits` tells how many are left.

    Args:
        rows: Number of rows, or output channels, of the weight.
        basis: Number of rows that are followed and span together.
        condition: Bound of their condition number; ``None`` for none.

    Attributes:
        source: For each row the one that it follows, its own number if none. Shape ``(rows,)``.
        factor: ``-q`` for rows that follow another one, ``p`` for those that are followed, else 1. Shape
            ``(rows,)``.
        basis: Rows that are followed and span together. Shape ``(basis,)``.
        multiples: The pairs whose ratio is no power of two.
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
        self.multiples = Multiples()
        self.register_load_state_dict_post_hook(_after_loading)

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
        made = weight.index_select(0, self.source) * factor
        return self.multiples.place(made, weight) if self.multiples.pairs else made

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
        self.multiples.arrange(self.source, self.factor)
        made: torch.Tensor = self(weight)
        return made

    def contains(self, weight: torch.Tensor) -> bool:
        """Say whether a weight would be kept to the bit.

        Raises:
            ArgumentError: As for `right_inverse`.
        """
        return torch.equal(copy.deepcopy(self).right_inverse(weight), weight)

    @property
    def digits(self) -> int:
        """How many binary digits the weights of each row have at least to learn with."""
        return self.multiples.digits

    def _apply(self, *arguments: Any, **options: Any) -> Self:
        super()._apply(*arguments, **options)
        self.multiples.arrange(self.source, self.factor)
        return self

    def extra_repr(self) -> str:
        """Show how many rows follow others."""
        pairs = int((self.factor < 0).sum())
        return f"rows={len(self.source)}, pairs={pairs}, condition={self.condition}, digits={self.digits}"


def _after_loading(module: nn.Module, incompatible: Any) -> None:
    """Find the pairs that were loaded."""
    if isinstance(module, Paired):
        module.multiples.arrange(module.source, module.factor)


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
        info = torch.finfo(weight.dtype)
        return pairing(to_tensor(weight, "weight").cpu().numpy(), info.eps, largest=info.max)

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
    """Parametrization of the bias beside `Paired`: for rows ``p u``, ``-q u`` it keeps ``p c >= -q b``.

    So at every input one of the two rows is weakly active. ``-(q / p) b``, rounded up, takes the place of a
    lower ``c``: a bias that satisfies the inequality, in rational arithmetic, is kept to the bit.

    Args:
        rows: The parametrization of the weight.
    """

    def __init__(self, rows: Paired) -> None:
        super().__init__()
        self._rows = (rows,)  # in a tuple: its tensors belong to the weight

    def forward(self, bias: torch.Tensor) -> torch.Tensor:
        """Return the bias, raised where it has to be."""
        rows = self._rows[0]
        factor = rows.factor.to(bias.dtype).clamp(max=1)
        made = torch.maximum(bias, bias.index_select(0, rows.source) * factor)
        return rows.multiples.raise_biases(made, bias) if rows.multiples.pairs else made

    def right_inverse(self, bias: torch.Tensor) -> torch.Tensor:
        """Return the bias, raised where it has to be.

        Raises:
            ArgumentError: If numbers are not finite.
        """
        to_tensor(bias, "bias")
        made: torch.Tensor = self(bias)
        return made
