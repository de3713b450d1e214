"""One axis of a convolution: which taps of a kernel read every input, and where they stand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

_SIZES = 4  # how many times what a kernel reaches is a size on which no border acts on the other one


@dataclass(frozen=True)
class Axis:
    """Kernel, stride, padding and dilation along one axis, and its *window*.

    The window is a row of taps, as few as possible, of which some tap reads each input at some output
    position, for inputs of some sizes. It has at least ``stride`` taps. Where it has so many, each input is
    read once; a longer window, as without padding, reads inputs several times.

    Attributes:
        taps: Length of the kernel.
        stride: Distance of output positions.
        before: Padding in front.
        after: Padding behind.
        dilation: Distance of taps.
        circular: Whether the axis is padded with its other end.
        window: First tap and number of taps of the window; ``None`` if no size has all inputs read.
        residues: The sizes, modulo the stride, for which the window reads all inputs.
        least: The smallest size from which on it does.
    """

    taps: int
    stride: int
    before: int
    after: int
    dilation: int
    circular: bool
    window: tuple[int, int] | None = field(init=False)
    residues: frozenset[int] = field(init=False)
    least: int = field(init=False)

    def __post_init__(self) -> None:
        window = self._shortest()
        object.__setattr__(self, "window", window)
        object.__setattr__(self, "residues", frozenset() if window is None else self._residues(*window))
        object.__setattr__(self, "least", 0 if window is None else self._least(*window))

    @property
    def reach(self) -> int:
        """Number of inputs from the first tap to the last one."""
        return self.dilation * (self.taps - 1) + 1

    @property
    def padding(self) -> int:
        """Padding on both sides."""
        return self.before + self.after

    def outputs(self, size: int) -> int:
        """Return the number of output positions for inputs of a size."""
        return (size + self.padding - self.reach) // self.stride + 1

    def counts(self, size: int, first: int, width: int) -> np.ndarray:
        """Return how often taps from ``first`` on read each input, int64, shape ``(size,)``."""
        position = np.arange(max(self.outputs(size), 0))[:, None] * self.stride - self.before
        read = (position + (first + np.arange(width)) * self.dilation).ravel()
        if self.circular:
            return np.bincount(read % size, minlength=size)
        return np.bincount(read[(read >= 0) & (read < size)], minlength=size)

    def _shortest(self) -> tuple[int, int] | None:
        """Return the shortest window that will do for some sizes, multiples of the stride if it can."""
        if math.gcd(self.stride, self.dilation) > 1 or self._wraps_unevenly:
            return None
        widths = [self.stride] if self.circular else range(self.stride, self.taps + 1)
        for width in widths:
            middle = (self.taps - width) / 2
            ranked = []
            for first in range(self.taps - width + 1):
                found = self._residues(first, width)
                if found:
                    ranked.append((0 not in found, -len(found), abs(first - middle), first))
            if ranked:
                return min(ranked)[-1], width
        return None

    @property
    def _wraps_unevenly(self) -> bool:
        """Whether circular padding makes more or fewer output positions than one a stride."""
        return self.circular and not self.reach - self.stride <= self.padding < self.reach

    def _residues(self, first: int, width: int) -> frozenset[int]:
        """Return the sizes, modulo the stride, for which taps read all inputs if there are many of them."""
        if self.circular:
            return frozenset({0})
        large = _SIZES * (self.reach + self.padding + self.stride) * self.stride
        sizes = range(large, large + self.stride)
        return frozenset(size % self.stride for size in sizes if self.counts(size, first, width).all())

    def _least(self, first: int, width: int) -> int:
        """Return the smallest size from which on all inputs are read, of the right residues."""
        if self.circular:
            return max(self.stride, self.before, self.after)
        for size in range(self.reach + self.padding + 2 * self.stride, 0, -1):
            fits = self.outputs(size) >= 1 and self.counts(size, first, width).all()
            if size % self.stride in self.residues and not fits:
                return size + 1
        return 1

    def fits(self, size: int) -> bool:
        """Say whether the window reads all inputs of a size."""
        of_right_residue = len(self.residues) == self.stride or size % self.stride in self.residues
        return of_right_residue and size >= self.least

    def size_of(self, outputs: int) -> int | None:
        """Return the size that has so many output positions: a multiple of the stride, or the largest."""
        most = (outputs - 1) * self.stride + self.reach - self.padding + self.stride - 1
        sizes = [size for size in range(max(most - self.stride + 1, 1), most + 1) if self.fits(size)]
        return max(sizes, key=lambda size: (size % self.stride == 0, size), default=None)

    def expected(self) -> str:
        """Say which sizes fit."""
        which = "" if self.stride == 1 else f" that is {self._modulo()} modulo {self.stride}"
        return f"a size of at least {max(self.least, 1)}{which}"

    def _modulo(self) -> str:
        return " or ".join(map(str, sorted(self.residues)))
