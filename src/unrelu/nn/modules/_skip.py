"""Skip connections that keep their input beside what is computed from it."""

from __future__ import annotations

import math
from typing import final

import torch
from torch import nn

from unrelu._checks import whole_number
from unrelu.errors import ArgumentError


class _Skip(nn.Module):
    """A module beside its input."""

    def __init__(self, inner: nn.Module, features: int) -> None:
        super().__init__()
        self.inner, self.features = inner, whole_number("features", features)

    def extra_repr(self) -> str:
        """Show the size."""
        return f"features={self.features}"


@final
class ConcatenatingSkip(_Skip):
    """``x -> (x, g(x))`` along axis 1: injective whatever ``g`` is, which is what `unrelu.decide` proves.

    A ReLU behind it loses what is negative in ``x``, unless that is the output of a ReLU itself; `PairedSkip`
    is made for that.

    Args:
        inner: ``g``, from ``(N, features, ...)`` to ``(N, anything, ...)``.
        features: Size of axis 1 of ``x``.

    Raises:
        ArgumentError: If ``features`` is no positive number.

    Example:
        >>> import torch, unrelu
        >>> skip = unrelu.nn.ConcatenatingSkip(torch.nn.Linear(4, 3), features=4)
        >>> x = torch.randn(5, 4)
        >>> skip(x).shape, bool((skip.inverse(skip(x)) == x).all())
        (torch.Size([5, 7]), True)
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x`` and ``g(x)`` side by side."""
        return torch.cat([x, self.inner(x)], dim=1)

    def inverse(self, y: torch.Tensor) -> torch.Tensor:
        """Return the input whose output is ``y``.

        Raises:
            ArgumentError: If axis 1 is too short.
        """
        return _first(y, self.features)


@final
class PairedSkip(_Skip):
    """``x -> (x, -x, g(x))`` along axis 1: injective with a ReLU behind it, whatever ``g`` is.

    Of the opposite rows of ``x`` and ``-x`` a ReLU keeps one: ``relu(x) - relu(-x) = x``. `unrelu.decide`
    proves it from these rows alone.

    Args:
        inner: ``g``, from ``(N, features, ...)`` to ``(N, anything, ...)``.
        features: Size of axis 1 of ``x``.

    Raises:
        ArgumentError: If ``features`` is no positive number.

    Example:
        >>> import torch, unrelu
        >>> skip = unrelu.nn.PairedSkip(torch.nn.Linear(4, 3), features=4)
        >>> x = torch.randn(5, 4)
        >>> bool((skip.inverse(torch.relu(skip(x))) == x).all())
        True
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return ``x``, ``-x`` and ``g(x)`` side by side; a ReLU may follow."""
        return torch.cat([x, -x, self.inner(x)], dim=1)

    def inverse(self, y: torch.Tensor) -> torch.Tensor:
        """Return the input whose activations *after the ReLU* are ``y``.

        Raises:
            ArgumentError: If axis 1 is too short.
        """
        both = _first(y, 2 * self.features)
        return both[:, : self.features] - both[:, self.features :]

    def lower_lipschitz(self) -> float:
        """Return a lower Lipschitz bound with the ReLU, ``1 / sqrt(2)``: where a pair changes its sign."""
        return 1 / math.sqrt(2)


def _first(y: torch.Tensor, size: int) -> torch.Tensor:
    """Return the first entries along axis 1.

    Raises:
        ArgumentError: If there are not so many.
    """
    if y.dim() < 2 or y.shape[1] < size:
        raise ArgumentError(f"y: expected at least {size} entries along axis 1, got shape {tuple(y.shape)}")
    return y[:, :size]
