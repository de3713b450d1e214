"""The importers' common language: tensors that are affine in named activations."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from unrelu.certificates import EntryFunction
from unrelu.layers._normalisation import Normalisation
from unrelu.layers.maps import (
    Diagonal,
    LinearMap,
    Reindex,
    compose,
    products_are_exact,
    sums_are_exact,
    total,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Known = Normalisation | EntryFunction | torch.Tensor


@dataclass(frozen=True)
class Value:
    """A tensor of the network at batch size 1: the sum of ``linear(source)`` over its terms, plus an offset.

    Attributes:
        terms: Pairs of an activation's name and the map applied to it; one pair in a chain of layers.
        offset: Constant part, flattened.
        shape: Shape of the tensor, batch axes of length 1 included.
        nodes: Nodes folded in since the activations, as ``(name, operator)``.
        owner: Module that owns the last weight folded in, or ``None``.
        rounded: Whether an entry of the offset was rounded when it was folded.
        made: The last operation alone; ``None`` where only the whole is known.
    """

    terms: tuple[tuple[str, LinearMap], ...]
    offset: torch.Tensor
    shape: tuple[int, ...]
    nodes: tuple[tuple[str, str], ...] = ()
    owner: str | None = None
    rounded: bool = False
    made: Made | None = field(default=None, repr=False)

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the activations that this tensor is affine in."""
        return tuple(name for name, _ in self.terms)

    def evaluate(self, activations: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the tensor for a batch, flattened: shape ``(batch, size)``."""
        out = self.offset
        for name, linear in self.terms:
            out = linear.apply(activations[name]) + out
        return out


@dataclass(frozen=True)
class Made:
    """An affine operation: the sum of ``linear(part)`` over its parts, plus a constant.

    Attributes:
        parts: Pairs of a tensor and the map applied to it.
        constant: Flattened; ``None`` for 0.
        rounded: Whether the constant is rounded.
    """

    parts: tuple[tuple[Value, LinearMap], ...]
    constant: torch.Tensor | None = None
    rounded: bool = False


def identity(t: torch.Tensor) -> torch.Tensor:
    """Return the tensor itself."""
    return t


@dataclass(frozen=True)
class Step:
    """One activation to compute: ``function`` of the inputs, stored under ``name``.

    Attributes:
        name: Node name, under which later tensors refer to the result.
        operator: What the node is called in the model.
        inputs: Tensors it reads.
        function: Takes one ``(batch, *shape)`` tensor an input and returns ``(batch, *shape)``; ``None`` for
            a ReLU.
        shape: Shape of the result at batch size 1.
        normalisation: What the function is, where it divides by statistics of what it reads.
        groups: The entries of its only input of which each result is the largest, shape ``(count, size)``,
            where that is what the function is.
        entry: What the function does to every entry of its only input, where that is one that is known.
    """

    name: str
    operator: str
    inputs: tuple[Value, ...]
    function: Callable[..., torch.Tensor] | None
    shape: tuple[int, ...]
    normalisation: Normalisation | None = None
    groups: torch.Tensor | None = None
    entry: EntryFunction | None = None

    @property
    def is_sum(self) -> bool:
        """Whether it only gives a name to a sum of several activations."""
        return self.function is identity


@dataclass(frozen=True)
class Skipped:
    """A node that no layer's analysis covers, and why."""

    node: str
    operator: str
    reason: str


@dataclass
class GraphBuilder:
    """Collects a network while an importer walks its nodes in order."""

    steps: list[Step] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    _names: Counter[str] = field(default_factory=Counter)

    def unique(self, name: str) -> str:
        """Return ``name``, with a number behind it if it is taken."""
        self._names[name] += 1
        return name if self._names[name] == 1 else self.unique(f"{name}_{self._names[name] - 1}")

    def input(self, shape: Sequence[int], name: str = "input") -> Value:
        """Return the network's input, of ``shape`` at batch size 1."""
        self.unique(name)
        return _activation(name, tuple(shape))

    def affine(
        self,
        value: Value,
        linear: LinearMap,
        shape: Sequence[int],
        node: tuple[str, str],
        *,
        offset: torch.Tensor | None = None,
        rounded: bool = False,
        owner: str | None = None,
    ) -> Value:
        """Apply an affine map to a tensor.

        Args:
            value: The tensor.
            linear: Map from its flattened entries.
            shape: Shape of the result at batch size 1.
            node: Name and operator of the node.
            offset: Constant to add, of ``linear.m`` entries.
            rounded: Whether that constant is rounded.
            owner: Module that owns the weight, if the node has one.
        """
        constant = None if offset is None else offset.reshape(-1)
        image, folded = image_of(linear, value.offset)
        total, added = image, False
        if constant is not None:
            total, added = image + constant, not sums_are_exact(image, constant)
        return Value(
            tuple((source, compose(linear, inner)) for source, inner in value.terms),
            total,
            tuple(shape),
            (*value.nodes, node),
            owner or value.owner,
            value.rounded or folded or added or rounded,
            Made(((value, linear),), constant, rounded),
        )

    def move(
        self, value: Value, movement: Callable[[torch.Tensor], torch.Tensor], node: tuple[str, str]
    ) -> Value:
        """Apply a function that only moves, repeats, drops or zero-fills entries."""
        linear, shape = Reindex.moving(movement, value.shape)
        linear = Reindex(linear.index, sample_shape(value.shape), sample_shape(shape))
        return self.affine(value, linear, shape, node)

    def scale(
        self, value: Value, factor: torch.Tensor, node: tuple[str, str], *, exact: bool = True
    ) -> Value:
        """Multiply by a constant that broadcasts against the tensor, and may be known by rounding only."""
        shape = torch.broadcast_shapes(value.shape, factor.shape)
        value = self.broadcast(value, shape, node)
        spread = factor.double().expand(shape).reshape(-1)
        return self.affine(value, Diagonal(spread, sample_shape(shape), exact=exact), shape, node)

    def shift(
        self, value: Value, constant: torch.Tensor, node: tuple[str, str], *, exact: bool = True
    ) -> Value:
        """Add a constant that broadcasts against the tensor, and may be known by rounding only."""
        shape = torch.broadcast_shapes(value.shape, constant.shape)
        value = self.broadcast(value, shape, node)
        spread = constant.double().expand(shape).reshape(-1)
        same = Reindex.identity(sample_shape(shape))
        return replace(
            value,
            offset=value.offset + spread,
            nodes=(*value.nodes, node),
            rounded=value.rounded or not exact or not sums_are_exact(value.offset, spread),
            made=Made(((value, same),), spread, not exact),
        )

    def broadcast(self, value: Value, shape: Sequence[int], node: tuple[str, str]) -> Value:
        """Repeat a tensor to ``shape`` where it is smaller."""
        if tuple(shape) == value.shape:
            return value
        return self.move(value, lambda t: t.expand(tuple(shape)), node)

    def add(self, values: Sequence[Value], node: tuple[str, str], verb: str = "adds") -> Value:
        """Add tensors; ``verb`` says in the list of skipped nodes what the node does.

        The sum of maps of one activation stays affine in it. A sum over several activations becomes an
        activation of its own, listed as not analysed: what follows it is affine in that sum.
        """
        shape = torch.broadcast_shapes(*(v.shape for v in values))
        values = [self.broadcast(v, shape, node) for v in values]
        maps: dict[str, list[LinearMap]] = {}
        for value in values:
            for source, linear in value.terms:
                maps.setdefault(source, []).append(linear)
        terms = tuple((source, total(linears)) for source, linears in maps.items())
        offset, rounded = values[0].offset, any(v.rounded for v in values)
        for value in values[1:]:
            rounded = rounded or not sums_are_exact(offset, value.offset)
            offset = offset + value.offset
        same = Reindex.identity(sample_shape(shape))
        made = Made(tuple((value, same) for value in values))
        nodes = (*dict.fromkeys(entry for v in values for entry in v.nodes), node)
        owner = next((v.owner for v in reversed(values) if v.owner), None)
        result = Value(terms, offset, tuple(shape), nodes, owner, rounded, made)
        if len(terms) == 1:
            return result
        name = self.unique(node[0])
        self.steps.append(Step(name, node[1], (result,), identity, result.shape))
        sources = ", ".join(repr(s) for s in result.sources)
        self._skip(result, name, node[1], f"{verb} several activations ({sources}): affine in no single one")
        return _activation(name, result.shape)

    def relu(self, value: Value, name: str, operator: str) -> Value:
        """Apply a ReLU: the end of a layer and the start of the next."""
        name = self.unique(name)
        self.steps.append(Step(name, operator, (value,), None, value.shape))
        return _activation(name, value.shape)

    def opaque(
        self,
        values: Sequence[Value],
        function: Callable[..., torch.Tensor],
        node: tuple[str, str],
        reason: str,
        known: Known | None = None,
    ) -> Value:
        """Apply a function that is neither affine nor a ReLU; it is listed as not analysed.

        Args:
            values: Tensors it reads.
            function: Takes them at batch size 1, each in its own shape, and must allow `torch.vmap`.
            node: Name and operator of the node.
            reason: Why it is not analysed.
            known: What it does to its only input, if that is known: a normalisation, a function of entries,
                or the groups of entries that it takes maxima of.
        """
        probe = function(*(torch.zeros(v.shape, dtype=torch.float64) for v in values))
        name = self.unique(node[0])
        shape = tuple(probe.shape)
        normalisation = known if isinstance(known, Normalisation) else None
        groups = known if isinstance(known, torch.Tensor) else None
        entry = known if isinstance(known, EntryFunction) else None
        run = torch.vmap(function)
        self.steps.append(Step(name, node[1], tuple(values), run, shape, normalisation, groups, entry))
        for value in values:
            self._skip(value, name, node[1], reason)
        return _activation(name, tuple(probe.shape))

    def _skip(self, value: Value, name: str, operator: str, reason: str) -> None:
        """List a node that ends an affine segment without a ReLU, and the nodes folded in front of it."""
        self.skipped += [
            Skipped(node, op, f"affine, but leads to {name!r} ({operator}), not to a ReLU")
            for node, op in value.nodes
            if node != name
        ]
        self.skipped.append(Skipped(name, operator, reason))


def _activation(name: str, shape: tuple[int, ...]) -> Value:
    offset = torch.zeros(math.prod(shape), dtype=torch.float64)
    return Value(((name, Reindex.identity(sample_shape(shape))),), offset, shape)


def image_of(linear: LinearMap, offset: torch.Tensor) -> tuple[torch.Tensor, bool]:
    """Return the image of a constant, and whether it is rounded."""
    image = linear.apply(offset[None])[0]
    if not bool(offset.any()) or isinstance(linear, Reindex):
        return image, False
    scales = isinstance(linear, Diagonal) and products_are_exact(linear.scale, offset)
    return image, not (scales and linear.exact)


def sample_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Drop the batch axis of length 1; what is left has at least one axis."""
    shape = tuple(shape)
    return shape[1:] if len(shape) > 1 and shape[0] == 1 else shape or (1,)
