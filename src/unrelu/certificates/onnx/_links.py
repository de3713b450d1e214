"""The links of an ONNX file, found where a certificate says: an independent reading of the model."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from unrelu.certificates._rows import Rows
from unrelu.certificates.links import (
    LinkRecord,
    LinkRecords,
    LinksCertificate,
    LinkStep,
    StepReference,
    reference_of,
)
from unrelu.certificates.onnx._graph import Graph, read_graph
from unrelu.certificates.onnx._tensors import Tensor
from unrelu.certificates.onnx._values import Value
from unrelu.errors import ModelError


def read_onnx_links(path: str | os.PathLike[str], certificate: LinksCertificate) -> LinkRecords:
    """Read the links that a certificate names from an ONNX file: an independent reading of the model.

    Where a network is cut, and which maps are folded into one, is the certificate's choice. A step of a link
    is found if some tensor of the model is the same function, with the same numbers, of the results of the
    steps before: what is found computes what the model computes.

    Args:
        path: The file. Constants are inside it; the operators are those of `read_onnx`, branches, maxima,
            normalisations, and any others that are computed entry by entry.
        certificate: The certificate; nothing in it but digests counts.

    Returns:
        The links with the model's own numbers, in float64, to be given to `verify`.

    Raises:
        ModelError: If the file is damaged, a node is not understood, or the model has other links.
    """
    graph, start, found = read_graph(path), 0, []
    for k, link in enumerate(map(reference_of, certificate.links), start=1):
        segment = _Segment(graph, start)
        if segment.sizes[0] != link.n or not segment.matches(link.steps):
            where = f"link {k} ({link.name!r}), behind {graph.tensors[start].node!r}"
            raise ModelError(f"{where}: the model computes nothing with its numbers there (SHA-256)")
        found.append(LinkRecord(link.n, tuple(segment.steps)))
        start = segment.assigned[-1]
    if start != graph.output:
        raise ModelError(f"{os.fspath(path)}: the model does not end behind the {len(found)} links named")
    return LinkRecords(found)


class _Segment:
    """Tensors to which the steps of a link have been assigned so far.

    Attributes:
        assigned: What the link reads, and then the tensor of each step.
        sizes: Their sizes.
        steps: The steps.
    """

    def __init__(self, graph: Graph, start: int) -> None:
        self._tensors = graph.tensors
        self.assigned, self.sizes = [start], [graph.tensors[start].size]
        self.steps: list[LinkStep] = []
        self._known: dict[int, Value | None] = {}

    def matches(self, steps: Sequence[StepReference]) -> bool:
        """Find a tensor for each step; of several that are alike every one is tried."""
        if not steps:
            return True
        for number in range(self.assigned[0], len(self._tensors)):
            step = self._step(number, steps[0])
            if step is not None and step.sha256 == steps[0].sha256:
                self._assign(number, step)
                if self.matches(steps[1:]):
                    return True
                self._forget()
        return False

    def _assign(self, number: int, step: LinkStep) -> None:
        self.assigned.append(number)
        self.sizes.append(step.size)
        self.steps.append(step)
        self._known.clear()

    def _forget(self) -> None:
        for known in (self.assigned, self.sizes, self.steps):
            known.pop()
        self._known.clear()

    def _step(self, number: int, wanted: StepReference) -> LinkStep | None:
        """Return a tensor as a step with these inputs; ``None`` where it is no such function of them."""
        tensor = self._tensors[number]
        inputs = wanted.inputs
        known = number in self.assigned
        if max(inputs) >= len(self.assigned) or (known and wanted.kind != "affine"):
            return None
        if wanted.kind == "opaque" and tensor.kind != "affine":
            n = sum(self.sizes[k] for k in inputs)
            sources = self._sources(number)
            same = sources == set(inputs)
            return LinkStep.opaque(tensor.node, tensor.node, inputs, n, tensor.size) if same else None
        same = tensor.kind == wanted.kind
        value = self._value(number) if known else self._composed(tensor) if same else None
        if value is None:
            return None
        starts = np.cumsum([0, *self.sizes])
        rows = value.rows.within(np.concatenate([np.arange(starts[k], starts[k + 1]) for k in inputs]))
        if len(rows.values) < len(value.rows.values):
            return None
        record = replace(value, rows=rows).record(tensor.node)
        special = (None,) * 3 if known else (tensor.groups, tensor.norm, tensor.function)
        return LinkStep(wanted.kind, inputs, record, *special)

    def _value(self, number: int) -> Value | None:
        """Return a tensor as an affine function of all that is assigned; ``None`` where it is none."""
        if number in self.assigned:
            return self._entries(self.assigned.index(number))
        if number not in self._known:
            tensor = self._tensors[number]
            self._known[number] = self._composed(tensor) if tensor.kind == "affine" else None
        return self._known[number]

    def _composed(self, tensor: Tensor) -> Value | None:
        """Return the affine map of a tensor as one of all that is assigned."""
        reads = [self._value(number) for number in tensor.reads]
        inner = [value for value in reads if value is not None]
        if not inner or len(inner) < len(reads):
            return None
        own = tensor.value
        found = reduce(Value.above, inner).mapped(own.rows, own.offset, own.shape)
        return replace(found, exact=found.exact and own.exact)

    def _entries(self, k: int) -> Value:
        start, size = sum(self.sizes[:k]), self.sizes[k]
        rows = Rows(sum(self.sizes), np.arange(size + 1), start + np.arange(size), np.ones(size))
        return Value((size,), rows, np.zeros(size))

    def _sources(self, number: int) -> set[int] | None:
        """Return which of the assigned tensors an opaque one depends on; ``None`` where on others too."""
        found: set[int] = set()
        waiting = list(self._tensors[number].reads)
        while waiting:
            other = waiting.pop()
            if other in self.assigned:
                found.add(self.assigned.index(other))
            elif self._tensors[other].kind == "affine":
                waiting += self._tensors[other].reads
            else:
                return None
        return found
