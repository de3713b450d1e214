"""A link: the part of a network between two places through which everything behind sees what is in front."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate
from typing import Protocol, runtime_checkable

import numpy as np

from unrelu.certificates._fields import refuse
from unrelu.certificates._layer_record import LayerRecord, LayerReference
from unrelu.certificates._rows import Rows
from unrelu.certificates.links._step import LinkStep, StepReference, step_digest


@dataclass(frozen=True)
class LinkReference:
    """A link that a certificate names without holding its numbers.

    Attributes:
        name: Name of its last step.
        n: Number of entries that it reads.
        m: Number of entries of its result.
        exact: Whether the numbers are the model's own.
        steps: Its steps.
    """

    name: str
    n: int
    m: int
    exact: bool
    steps: tuple[StepReference, ...]

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes of all steps."""
        return tuple(step.node for step in self.steps)

    @property
    def sha256(self) -> str:
        """Digest of everything but names."""
        return _digest(self.n, self.steps)


@dataclass(frozen=True, eq=False)
class LinkRecord:
    """A map of ``u`` in R^n to the result of the last step.

    Steps that the last one does not need are left out, and every step reads its inputs in ascending order:
    what is the same has the same digest.

    Attributes:
        n: Number of entries of ``u``.
        steps: What is computed, in order.

    Raises:
        ArgumentError: If a step reads what is not there, or its map has another number of columns.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import LayerRecord, LinkRecord, LinkStep
        >>> inner = LayerRecord.dense(np.array([[0.5, 0.0]]), np.zeros(1))
        >>> outer = LayerRecord.dense(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.zeros(2))
        >>> link = LinkRecord(2, (LinkStep("relu", (0,), inner), LinkStep("affine", (0, 1), outer)))
        >>> link.m, link.part(2, 1).n, link.sha256[:8]
        (2, 1, '...')
    """

    n: int
    steps: tuple[LinkStep, ...]

    def __post_init__(self) -> None:
        steps = tuple(self.steps)
        if self.n < 1 or not steps:
            refuse("link", "at least one entry and one step", f"{self.n} and {len(steps)}")
        sizes = [self.n, *(step.size for step in steps)]
        for k, step in enumerate(steps, start=1):
            if max(step.inputs) >= k:
                refuse("inputs", f"earlier activations than {k}", f"{step.inputs}")
            if step.map.n != sum(sizes[i] for i in step.inputs):
                refuse("map", f"{sum(sizes[i] for i in step.inputs)} columns", f"{step.map.n}")
        ascending = [_ascending(step, sizes) for step in steps]
        object.__setattr__(self, "steps", tuple(_needed(ascending)))

    @property
    def m(self) -> int:
        """Number of entries of the result."""
        return self.last.size

    @property
    def last(self) -> LinkStep:
        """The step whose result is that of the link."""
        return self.steps[-1]

    @property
    def name(self) -> str:
        """Name of the last step."""
        return self.last.map.name

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes of all steps."""
        return tuple(step.map.node for step in self.steps)

    @property
    def exact(self) -> bool:
        """Whether all numbers are the model's own."""
        return all(step.map.exact for step in self.steps)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of entries of ``u`` and of every step's result."""
        return (self.n, *(step.size for step in self.steps))

    @cached_property
    def sha256(self) -> str:
        """Digest of everything but names."""
        return _digest(self.n, self.steps)

    @cached_property
    def reference(self) -> LinkReference:
        """What identifies the link, without its numbers."""
        steps = tuple(step.reference for step in self.steps)
        return LinkReference(self.name, self.n, self.m, self.exact, steps)

    def columns(self, k: int) -> dict[int, np.ndarray]:
        """Return for every input of step ``k``, from 1, the columns of the step's map that belong to it."""
        inputs = self.steps[k - 1].inputs
        starts = accumulate((self.sizes[i] for i in inputs), initial=0)
        return {i: np.arange(start, start + self.sizes[i]) for i, start in zip(inputs, starts, strict=False)}

    def part(self, k: int, source: int) -> Rows:
        """Return the rows of step ``k``, from 1, on the entries of one activation."""
        columns = self.columns(k).get(source, np.zeros(0, dtype=np.int64))
        found = self.steps[k - 1].map.rows.within(columns)
        return found if len(columns) else replace(found, n=self.sizes[source])

    def single(self, kind: str) -> LayerRecord | None:
        """Return the map of a link that is one step of this kind, ``None`` where it is none."""
        return self.last.map if len(self.steps) == 1 and self.last.kind == kind else None

    def link_records(self) -> tuple[LinkRecord, ...]:
        """Return the link itself, so that it may be given where a network is."""
        return (self,)


@runtime_checkable
class HasLinks(Protocol):
    """Whatever falls apart into links: a ``Network``, a `LinkRecord`."""

    def link_records(self) -> tuple[LinkRecord, ...]:
        """Return the links, in order."""
        ...


class LinkRecords(tuple[LinkRecord, ...]):
    """The links of a network, in order."""

    __slots__ = ()

    def link_records(self) -> tuple[LinkRecord, ...]:
        """Return the links, so that they may be given where a network is."""
        return self


def link_of(layer: LayerRecord) -> LinkRecord:
    """Return the link that is a ReLU layer."""
    return LinkRecord(layer.n, (LinkStep("relu", (0,), layer),))


def reference_of(link: LinkRecord | LinkReference | LayerRecord | LayerReference) -> LinkReference:
    """Return what identifies a link, that of a layer too."""
    if isinstance(link, LinkReference):
        return link
    if isinstance(link, LinkRecord):
        return link.reference
    step = StepReference("relu", (0,), link.node, step_digest("relu", (0,), link.sha256))
    return LinkReference(link.name, link.n, link.m, link.exact, (step,))


def _digest(n: int, steps: Sequence[LinkStep | StepReference]) -> str:
    digest = hashlib.sha256(np.array([n, len(steps)], "<i8").tobytes())
    for step in steps:
        digest.update(step.sha256.encode("ascii"))
    return digest.hexdigest()


def _needed(steps: list[LinkStep]) -> list[LinkStep]:
    """Leave out steps that the last one does not need."""
    needed = {len(steps)}
    for k in range(len(steps), 0, -1):
        if k in needed:
            needed |= {i for i in steps[k - 1].inputs if i}
    if len(needed) == len(steps):
        return steps
    place = {0: 0} | {k: number for number, k in enumerate(sorted(needed), start=1)}
    return [
        replace(steps[k - 1], inputs=tuple(place[i] for i in steps[k - 1].inputs)) for k in sorted(needed)
    ]


def _ascending(step: LinkStep, sizes: Sequence[int]) -> LinkStep:
    """Return the step with its inputs, and the columns of its map, in ascending order."""
    order = np.argsort(step.inputs)
    if (order == np.arange(len(order))).all():
        return step
    lengths = [sizes[i] for i in step.inputs]
    ends = np.cumsum(lengths)
    kept = np.concatenate([np.arange(ends[k] - lengths[k], ends[k]) for k in order])
    place = np.empty(len(kept), dtype=np.int64)
    place[kept] = np.arange(len(kept))
    moved = replace(step.map, columns=place[step.map.columns])
    return replace(step, inputs=tuple(step.inputs[k] for k in order), map=moved)
