"""Whole multiples of common rows, exact in floating point (Dekker 1971 for products without error)."""

from __future__ import annotations

import math
from typing import final

import numpy as np
import torch
from torch import nn

from unrelu.nn.parametrization._opposites import odd_part


@final
class Multiples(nn.Module):
    r"""Pairs of rows ``p u`` and ``-q u`` where ``q / p`` is no power of two, kept opposite to the bit.

    Both products are exact where ``u`` has as many binary digits less than the numbers of the type as the
    larger odd part of ``p`` and ``q`` has, or where it has more and they are exact nevertheless. ``u`` is
    the nearest such row to the first one divided by ``p``; gradients take that rounding for the identity.

    Attributes:
        first: Numbers of the rows ``p u``. Shape ``(pairs,)``.
        second: Numbers of the rows ``-q u``. Shape ``(pairs,)``.
    """

    first: torch.Tensor
    second: torch.Tensor
    odd: torch.Tensor
    power: torch.Tensor
    least: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, value in (("first", torch.arange(0)), ("second", torch.arange(0))):
            self.register_buffer(name, value, persistent=False)
        for name in ("odd", "power"):
            self.register_buffer(name, torch.ones(2, 0), persistent=False)
        self.register_buffer("least", torch.zeros(()), persistent=False)

    def arrange(self, source: torch.Tensor, factor: torch.Tensor) -> None:
        """Find the pairs among all rows, see `Paired`."""
        if source.is_meta:
            return
        sources, factors = source.cpu().numpy(), factor.detach().double().cpu().numpy()
        # Where memory was not filled yet anything may stand in it.
        known = np.isfinite(factors) & (sources >= 0) & (sources < len(sources))
        second = np.flatnonzero(known & (factors < 0))
        second = second[np.isfinite(factors[sources[second]])]
        multiples = np.abs(np.stack([factors[sources[second]], factors[second]]))
        odd, power = odd_part(multiples)
        chosen = (odd > 1).any(axis=0)
        second = second[chosen]
        self.first = torch.from_numpy(sources[second]).to(source.device)
        self.second = torch.from_numpy(second).to(source.device)
        self.odd = torch.from_numpy(odd[:, chosen]).to(factor)
        self.power = torch.from_numpy(np.ldexp(1.0, power[:, chosen])).to(factor)
        info = torch.finfo(factor.dtype)
        # A constant of float64 as small as that does not pass an export to ONNX, a tensor does.
        self.least = torch.tensor(info.tiny * info.eps, dtype=factor.dtype, device=factor.device)

    @property
    def pairs(self) -> int:
        """Their number."""
        return len(self.first)

    @property
    def digits(self) -> int:
        """How many binary digits the common rows have at least; those of the type if there are none."""
        most = 2 ** _digits(self.odd.dtype) - 1
        largest = max([1, *self.odd.flatten().tolist()])
        return (most // int(largest) + 1).bit_length() - 1 if self.pairs else most.bit_length()

    def common(self, weight: torch.Tensor) -> torch.Tensor:
        """Return the rows ``u``, in numbers of at least 32 bits. Shape ``(pairs, ...)``."""
        dtype, wide = weight.dtype, torch.promote_types(weight.dtype, torch.float32)
        shape = (-1, *(1,) * (weight.dim() - 1))
        odd, power = (part.to(wide).reshape(2, *shape) for part in (self.odd, self.power))
        exact = weight.index_select(0, self.first).to(wide) / (odd[0] * power[0])
        near = _nearest(exact.detach(), odd.amax(dim=0), dtype)
        return torch.where(near == exact, exact, exact + (near - exact).detach())

    def rounded(self, weight: torch.Tensor) -> torch.Tensor:
        """Return a weight with first rows that are multiples of their common rows."""
        if not self.pairs:
            return weight
        p = (self.odd[0] * self.power[0]).reshape(-1, *(1,) * (weight.dim() - 1))
        common = self.common(weight)
        return weight.index_copy(0, self.first, (p.to(common.dtype) * common).to(weight.dtype))

    def place(self, made: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return rows with both multiples of the common rows of a weight in their places."""
        common = self.common(weight)
        shape = (2, -1, *(1,) * (made.dim() - 1))
        p, q = (self.odd * self.power).to(common.dtype).reshape(shape)
        made = made.index_copy(0, self.first, (p * common).to(made.dtype))
        return made.index_copy(0, self.second, (-q * common).to(made.dtype))

    def raise_biases(self, made: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        """Return biases with those of second rows in their places: raised where ``p c < -q b``, exactly."""
        dtype, wide = bias.dtype, torch.promote_types(bias.dtype, torch.float32)
        b, c = (bias.index_select(0, rows).to(wide) for rows in (self.first, self.second))
        odd, power = self.odd.to(wide), self.power.to(wide)
        ratio = odd[1] * power[1] / (odd[0] * power[0])
        bound = (-b * ratio).to(dtype).to(wide)
        room = 4 * (torch.finfo(dtype).eps * bound.abs() + self.least.to(wide))
        above = (bound + room).to(dtype).to(wide)

        def suffices(other: torch.Tensor) -> torch.Tensor:
            size = torch.maximum(other.abs(), bound.detach().abs())
            scale = torch.where(size > 1, 0.25 ** _digits(wide), torch.ones_like(size))  # against overflow
            return _at_least(odd[0], power[0] * (other * scale), odd[1], -power[1] * (b.detach() * scale))

        lowest = torch.where(suffices(bound.detach()), bound, above)
        return made.index_copy(0, self.second, torch.where(suffices(c.detach()), c, lowest).to(dtype))


def _digits(dtype: torch.dtype) -> int:
    """Return the number of binary digits of a type."""
    return 1 - round(math.log2(torch.finfo(dtype).eps))


def _nearest(numbers: torch.Tensor, odd: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the nearest numbers of a type whose product with an odd number is one too.

    They are 0 only for 0, and where others are too small for the type.

    Args:
        numbers: Of at least 32 bits.
        odd: Below ``2^t`` for numbers with ``t`` binary digits.
        dtype: The type.
    """
    size = numbers.abs() * odd
    # Where what follows neither underflows nor overflows.
    shift = torch.where(size < 1, 4.0 ** _digits(size.dtype), 0.25 ** _digits(size.dtype)).to(size.dtype)
    size = torch.where(size > 0, size * shift, 1)
    unit = _unit(size, dtype)
    most, count = torch.floor((2.0 ** _digits(dtype) - 1) / odd), size / unit / odd
    finer = torch.where(torch.round(2 * count) <= most, 0.5, torch.ones_like(count))
    step = torch.where(torch.round(count) > most, 2.0, finer)
    near = torch.round(count / step).clamp(min=1) * (step * unit) / shift
    return torch.sign(numbers) * near.to(dtype).to(size.dtype)


def _unit(size: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the distance of numbers of a type around others of at least 32 bits: a power of two.

    By sums alone, which no compiler contracts and every runtime has.
    """
    near = size + 0.625 * torch.finfo(size.dtype).eps * size
    return (near - size) * 2.0 ** (_digits(size.dtype) - _digits(dtype))


def _at_least(a: torch.Tensor, x: torch.Tensor, b: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Say whether ``a x >= b y``, exactly."""
    left, right = a * x, b * y
    below = _error(a, x, left) >= _error(b, y, right)
    return (left > right) | ((left == right) & below)


def _error(a: torch.Tensor, b: torch.Tensor, product: torch.Tensor) -> torch.Tensor:
    """Return what is missing in a rounded product."""
    (a_high, a_low), (b_high, b_low) = _halves(a), _halves(b)
    return ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


def _halves(a: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return two numbers of half the digits with that sum."""
    large = a * (2.0 ** ((_digits(a.dtype) + 1) // 2) + 1)
    high = large - (large - a)
    return high, a - high
