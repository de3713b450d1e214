"""A link of a network: a map between two tensors, as a few steps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import scipy.sparse as sp

from unrelu.certificates import LayerRecord, LinkRecord, LinkStep, NormRecord

if TYPE_CHECKING:
    import torch

    from unrelu.certificates import EntryFunction
    from unrelu.layers._normalisation import Normalisation
    from unrelu.layers._relu_layer import ReLULayer
    from unrelu.layers.maps import LinearMap


@dataclass(frozen=True, eq=False)
class LinkPart:
    """One activation computed inside a link: a function of a sum of ``W z`` over earlier ones, plus ``b``.

    Attributes:
        kind: What it is, see `LinkStep`.
        name: Name of the layer, or of the node.
        node: Name of the node in the model.
        terms: Pairs of what it reads (0 is what the link reads, ``k`` the result of part ``k``, from 1) and
            the map applied to it; for an opaque function the map is the identity.
        offset: ``b``, flattened.
        rounded: Whether ``b`` was rounded when maps were folded.
        size: Number of entries of the result.
        groups: Of maxima: the entries of which each result is the largest, shape ``(count, size)``.
        normalisation: Of a normalisation.
        entry: Of a function of entries.
    """

    kind: str
    name: str
    node: str
    terms: tuple[tuple[int, LinearMap], ...]
    offset: torch.Tensor
    rounded: bool
    size: int
    groups: torch.Tensor | None = None
    normalisation: Normalisation | None = None
    entry: EntryFunction | None = None

    @property
    def inputs(self) -> tuple[int, ...]:
        """What it reads."""
        return tuple(k for k, _ in self.terms)

    @property
    def exact(self) -> bool:
        """Whether all numbers are the model's own."""
        return not self.rounded and all(linear.exact for _, linear in self.terms)

    def step(self) -> LinkStep:
        """Return it as certificates hold it."""
        if self.kind == "opaque":
            n = sum(linear.n for _, linear in self.terms)
            return LinkStep.opaque(self.name, self.node, self.inputs, n, self.size)
        rows = sp.hstack([linear.csr() for _, linear in self.terms], format="csr")
        bias = self.offset.detach().cpu().numpy()
        record = LayerRecord(
            self.name, self.node, rows.shape[1], rows.indptr, rows.indices, rows.data, bias, self.exact
        )
        groups = None if self.groups is None else self.groups.cpu().numpy()
        return LinkStep(self.kind, self.inputs, record, groups, self._norm(), self.entry)

    def _norm(self) -> NormRecord | None:
        known = self.normalisation
        if known is None:
            return None
        gain, offset = (t.detach().cpu().numpy() for t in (known.gain, known.offset))
        return NormRecord(gain, offset, known.count, float(known.eps), known.centred)


@dataclass(frozen=True, eq=False)
class Link:
    """The part of a network between two tensors: everything behind the second depends on the first alone.

    A network is injective if all its links are.

    Attributes:
        name: Name of the layer, or of the last node.
        node: Name of the last node.
        source: Name of the node that it reads.
        shape: Shape of what it reads, without batch axis.
        n: Number of entries of that.
        parts: What is computed, in order; the last one is the result.
        behind_relu: Whether what it reads is put out by a ReLU, and so in the orthant.
        layer: The layer, where it is one and nothing else.
    """

    name: str
    node: str
    source: str
    shape: tuple[int, ...]
    n: int
    parts: tuple[LinkPart, ...]
    behind_relu: bool
    layer: ReLULayer | None

    def record(self) -> LinkRecord:
        """Return the numbers as certificates hold them: float64, sparse by rows."""
        return self._record

    @cached_property
    def _record(self) -> LinkRecord:
        if self.layer is not None:
            return LinkRecord(self.n, (LinkStep("relu", (0,), self.layer.record()),))
        return LinkRecord(self.n, tuple(part.step() for part in self.parts))
