"""The tensors of a network as a graph: every affine operation and every activation is a place of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unrelu.layers._graph import Step, Value
from unrelu.layers.maps import Reindex

if TYPE_CHECKING:
    from unrelu.layers._network import Network
    from unrelu.layers.maps import LinearMap

Source = Value | Step | str  # an affine tensor, an activation, or the name of the network's input


@dataclass(frozen=True, eq=False)
class Place:
    """One tensor.

    Attributes:
        name: Name of the node that it comes from.
        owner: Name of the module that owns its weight; the node's where there is none.
        shape: Its shape at batch size 1.
        reads: What it is computed from, by position.
        step: The activation that it is; ``None`` for an affine operation and for the network's input.
        maps: Of an affine operation, what is applied to each of ``reads``.
        constant: Of an affine operation, what is added; ``None`` for 0.
        rounded: Whether the constant is rounded.
    """

    name: str
    owner: str
    shape: tuple[int, ...]
    reads: tuple[int, ...] = ()
    step: Step | None = None
    maps: tuple[LinearMap, ...] = ()
    constant: torch.Tensor | None = None
    rounded: bool = False

    @property
    def size(self) -> int:
        """Number of entries."""
        return math.prod(self.shape)

    @property
    def is_relu(self) -> bool:
        """Whether it is what a ReLU puts out."""
        return self.step is not None and self.step.function is None

    @property
    def is_affine(self) -> bool:
        """Whether it is affine in what it reads."""
        return self.step is None and bool(self.reads)

    @property
    def only_moves(self) -> bool:
        """Whether it holds the entries of one other tensor in another order."""
        if not self.is_affine or len(self.maps) > 1 or self.constant is not None:
            return False
        linear = self.maps[0]
        return isinstance(linear, Reindex) and linear.m == linear.n == linear.max_rank


class Places:
    """All tensors that the output of a network needs, each behind those that it reads.

    Attributes:
        places: The tensors: the input first, the output last.
    """

    def __init__(self, net: Network) -> None:
        """Follow the output back to the input."""
        self._net = net
        self._steps = {step.name: step for step in net.steps}
        self.places: list[Place] = []
        self._found: dict[str | int, int] = {}
        self._enter(net.input_name)
        self._enter(self._source(net.output))

    def of_activation(self, name: str) -> int | None:
        """Return the position of an activation; ``None`` where the output does not need it."""
        return self._found.get(_key(self._named(name)))

    def cuts(self) -> list[int]:
        """Return the places through which everything behind sees the input, that itself included."""
        last = list(range(len(self.places)))
        for position, place in enumerate(self.places):
            for read in place.reads:
                last[read] = position
        reach, found = 0, []
        for position, reader in enumerate(last):
            if reach <= position:
                found.append(position)
            reach = max(reach, reader)
        return found

    def _enter(self, output: Source) -> None:
        """Add a tensor behind all that it needs, without recursion: networks may be deep."""
        waiting = [output]
        while waiting:
            item = waiting[-1]
            missing = [other for other in self._read(item) if _key(other) not in self._found]
            waiting += missing
            if not missing:
                waiting.pop()
                if _key(item) not in self._found:
                    self.places.append(self._place(item))
                    self._found[_key(item)] = len(self.places) - 1

    def _named(self, name: str) -> Source:
        """Return what an activation is: a sum of several is an affine tensor as others are."""
        step = self._steps.get(name)
        if step is None:
            return name
        return self._source(step.inputs[0]) if step.is_sum else step

    def _source(self, value: Value) -> Source:
        """Return a tensor, or the activation that it is as it stands."""
        if value.made is None and len(value.terms) == 1 and not bool(value.offset.any()):
            name, linear = value.terms[0]
            if isinstance(linear, Reindex) and linear.is_identity:
                return self._named(name)
        return value

    def _read(self, item: Source) -> list[Source]:
        if isinstance(item, str):
            return []
        if isinstance(item, Step):
            return [self._source(value) for value in item.inputs]
        if item.made is None:
            return [self._named(name) for name in item.sources]
        return [self._source(part) for part, _ in item.made.parts]

    def _place(self, item: Source) -> Place:
        reads = tuple(self._found[_key(other)] for other in self._read(item))
        if isinstance(item, str):
            return Place(item, item, (1, *self._net.input_shape))
        if isinstance(item, Step):
            return Place(item.name, self._net.name_of(item), item.shape, reads, item)
        name = item.nodes[-1][0] if item.nodes else self._net.input_name
        made = item.made
        linears = [linear for _, linear in (item.terms if made is None else made.parts)]
        maps = tuple(linear.to(device="cpu", dtype=torch.float64) for linear in linears)
        rounded = item.rounded if made is None else made.rounded
        constant = item.offset if made is None else made.constant
        if constant is not None:
            constant = constant.double().cpu() if bool(constant.any()) else None
        return Place(name, item.owner or name, item.shape, reads, None, maps, constant, rounded)


def _key(item: Source) -> str | int:
    """Return the name of an activation, and what tells other tensors apart."""
    if isinstance(item, Step):
        return item.name
    return item if isinstance(item, str) else id(item)
