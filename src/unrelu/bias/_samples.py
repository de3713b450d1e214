"""Samples that depend on their number and the seed alone, however many are made at a time and by whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, final

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.arrays import Array

    Draw = Callable[[int, torch.Generator], torch.Tensor]

_BLOCK = 1024  # random samples made together ...
_BLOCK_ENTRIES = 1 << 18  # ... and numbers in them, which fit the cache
_WORD = 1 << 32


class Samples(Protocol):
    """A sequence of inputs."""

    block: int  # numbers to ask for at a time, a power of two

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Return the samples ``start`` to ``stop``, shape ``(stop - start, n)``."""


@final
class InOrder:
    """The data themselves, shape ``(N, n)``."""

    block = 1

    def __init__(self, data: Array, dtype: torch.dtype, device: torch.device) -> None:
        """Keep the data without a copy; they need not be finite."""
        self._data, self._dtype, self._device = data, dtype, device

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Return a part of the data in the dtype and on the device of the layer."""
        part = self._data[start:stop]
        if not isinstance(part, torch.Tensor):
            part = torch.from_numpy(part.astype(str(self._dtype).removeprefix("torch.")))
        return part.detach().to(self._device, self._dtype)


@final
class Drawn:
    """Independent draws: one block of fixed size from one generator."""

    def __init__(self, draw: Draw, n: int, seed: int, device: torch.device) -> None:
        """Keep ``draw``, which makes a number of samples of shape ``(count, n)``."""
        self._draw, self._device = draw, device
        self._first = int(np.random.SeedSequence(seed).generate_state(1)[0])
        self.block = power_of_two_below(min(_BLOCK, _BLOCK_ENTRIES // n))

    def rows(self, start: int, stop: int) -> torch.Tensor:
        """Draw the blocks in which the samples lie and return the samples."""
        first = start // self.block
        blocks = [self._drawn(number) for number in range(first, -(-stop // self.block))]
        rows = torch.cat(blocks) if len(blocks) > 1 else blocks[0]
        return rows[start - first * self.block : stop - first * self.block]

    def _drawn(self, number: int) -> torch.Tensor:
        generator = torch.Generator(self._device)
        generator.manual_seed(_mixed((self._first + number) % _WORD))
        return self._draw(self.block, generator)


def _mixed(word: int) -> int:
    """Scramble 32 bits, all that torch's generator takes of a seed, without making two words the same.

    The finaliser of MurmurHash3.
    """
    word = (word ^ word >> 16) * 0x85EBCA6B % _WORD
    word = (word ^ word >> 13) * 0xC2B2AE35 % _WORD
    return word ^ word >> 16


def power_of_two_below(limit: int) -> int:
    """Return the largest power of two up to ``limit``, at least 1."""
    return 1 << max(limit, 1).bit_length() - 1
