"""The proofs that may fit a link without a ReLU at its end, the cheapest ones first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates import (
    AloneProof,
    ContractionProof,
    DomainRecord,
    LinkProof,
    MaximaProof,
    NormalisationProof,
    layer_alone,
)
from unrelu.errors import ArgumentError
from unrelu.injectivity._mirrored import decide_by_mirrored_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.certificates import LinkRecord
    from unrelu.layers import Link

_FEW = 400  # entries up to which ranks and norms of whole matrices take a moment
_WITH_CONSTANTS = frozenset(["affine", "relu", "maximum", "entrywise"])  # Lipschitz constants are known


def candidates(link: Link) -> Iterator[LinkProof]:
    """Yield what may prove a link on all of R^n; the verifier tells whether it does.

    Args:
        link: The link, whose last step has no ReLU.
    """
    record = link.record()
    kinds = {step.kind for step in record.steps}
    if record.last.kind in {"affine", "entrywise"}:
        yield from _by_rank(record)
    if record.last.kind == "affine" and len(record.steps) > 1 and kinds <= _WITH_CONSTANTS:
        yield from _by_contraction(link, record)
    if "maximum" in kinds:
        yield MaximaProof(record)
    for k, step in enumerate(record.steps, start=1):
        if step.norm is not None:
            given = ("nothing", "means") if step.norm.eps > 0 else ("statistics",)
            yield from (NormalisationProof(record, k, what) for what in given)


def _by_rank(record: LinkRecord) -> Iterator[AloneProof]:
    """Yield the rank of the rows that read the input alone; of many, first by blocks that outweigh others."""
    try:
        mirrored = layer_alone(record)
    except ArgumentError:  # there is no such row
        return
    if mirrored.m < 2 * record.n:
        return
    if record.n > _FEW:
        proof = decide_by_mirrored_rows(mirrored, DomainRecord("space", record.n))
        if proof is not None:
            yield AloneProof(record, proof)
    yield AloneProof(record)


def _by_contraction(link: Link, record: LinkRecord) -> Iterator[ContractionProof]:
    """Yield whole activations as blocks, and the pixels of images."""
    shapes = {part.node: part.terms[0][1].out_shape for part in link.parts}
    known = [link.shape, *(shapes[node] for node in record.nodes)]
    images = any(len(shape) > 1 for shape in known)
    if not images or max(record.sizes) <= _FEW:
        yield ContractionProof(record)
    if images and all(math.prod(shape) == size for shape, size in zip(known, record.sizes, strict=True)):
        _, *steps = (_pixels(shape) for shape in known)
        yield ContractionProof(record, (_through_shortcut(record, steps[-1]), *steps))


def _through_shortcut(record: LinkRecord, of_result: np.ndarray) -> np.ndarray:
    """Return for each entry that a link reads the block of the first entry of its result that reads it."""
    rows = record.part(len(record.steps), 0)
    found = np.zeros(record.n, dtype=np.int64)
    found[rows.columns[::-1]] = of_result[rows.numbers[::-1]]
    return found


def _pixels(shape: tuple[int, ...]) -> np.ndarray:
    """Return for each entry of channels of images the number of its pixel; without pixels all are one."""
    return np.tile(np.arange(math.prod(shape[1:])), shape[0])
