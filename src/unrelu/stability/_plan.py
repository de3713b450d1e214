"""How singular values are looked for: the method, and how many samples at a time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from unrelu.errors import ArgumentError
from unrelu.layers import OUTPUT, Linearisation
from unrelu.stability._dense import all_values
from unrelu.stability._found import Found
from unrelu.stability._matrix_free import extreme_values
from unrelu.stability._window import directions_along

if TYPE_CHECKING:
    from unrelu.layers import Network

Method = Literal["auto", "dense", "lanczos"]
_LIVE = 4  # derivatives of the widest layer at a time: before, after, the next one, what is multiplied


@dataclass(frozen=True)
class Plan:
    """What is asked for.

    Attributes:
        network: The network.
        names: Stages that are wanted.
        entries: Input entries along which to differentiate, flat indices of shape ``(d,)``.
        method: As asked for.
        extremes: How many values at either end where not all are wanted.
        steps: At most so many products there.
        memory: Bytes for derivatives.
    """

    network: Network
    names: tuple[str, ...]
    entries: torch.Tensor
    method: Method
    extremes: int
    steps: int
    memory: int

    def choice(self, x: torch.Tensor) -> Literal["dense", "lanczos"]:
        """Return the method, the dense one by itself where one sample's derivatives fit into the memory.

        Raises:
            ArgumentError: If all values are asked for and they do not.
        """
        size = self._sample_bytes(x)
        if self.method == "dense" and size > self.memory:
            raise ArgumentError(
                f"memory: expected at least {size:,} bytes for method 'dense', got {self.memory:,}; take a "
                "window, fewer layers, or method 'lanczos'"
            )
        if self.method == "auto":
            return "dense" if size <= self.memory else "lanczos"
        return self.method

    def run(self, x: torch.Tensor, bar: Any) -> Found:
        """Return the singular values of all samples, or of the first ones if this is interrupted.

        Raises:
            ArgumentError: As in `choice`.
            KeyboardInterrupt: If that came before the first samples were done.
        """
        dense = self.choice(x) == "dense"
        together = max(1, self.memory // self._sample_bytes(x)) if dense else 1
        parts: list[Found] = []
        task = bar and bar.add_task("spectrum", total=len(x))
        try:
            for samples in x.split(together):
                parts.append(self._all(samples) if dense else self._ends(samples))
                if bar:
                    bar.advance(task, len(samples))
        except KeyboardInterrupt:
            if not parts:
                raise
        return Found.joined(parts)

    def _sample_bytes(self, x: torch.Tensor) -> int:
        shapes = Linearisation(self.network, x[:1]).shapes
        last = max(list(shapes).index(name) for name in self.names)
        widest = max(math.prod(shape) for shape in list(shapes.values())[: last + 1])
        return _LIVE * 8 * len(self.entries) * max(widest, x.shape[1])

    def _all(self, x: torch.Tensor) -> Found:
        directions = directions_along(self.entries, x.shape[1])
        return all_values(Linearisation(self.network, x), directions, self.names)

    def _ends(self, x: torch.Tensor) -> Found:
        """Return a few values at either end for one sample, NaN where fewer were found."""
        found, linearisation = Found(), Linearisation(self.network, x)
        for name in self.names:
            before = linearisation.function(name, after=False)
            found.before[name], found.error_before[name] = self._ends_of(before, x)
            if name != OUTPUT:
                after = linearisation.function(name, after=True)
                found.after[name], found.error_after[name] = self._ends_of(after, x)
                found.active[name] = (before(x) > 0).sum(dim=1)
        return found

    def _ends_of(self, function: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        values, error = x.new_full((2, 1, 2 * self.extremes), torch.nan)
        got = extreme_values(function, x, self.entries, self.extremes, self.steps)
        values[0, : len(got[0])], error[0, : len(got[1])] = got
        return values, error
