"""Verification of proofs by structure (Puthawala et al. 2022, domain decomposition)."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import integer_rows
from unrelu.certificates._span import Span
from unrelu.certificates._structure import Block, StructureCertificate
from unrelu.certificates._verification import NotProvedError, Proved, require
from unrelu.certificates.injective._corners import always_active, bounds
from unrelu.certificates.injective._tree_proof import verify_injective


def verify_structure(certificate: StructureCertificate, layer: LayerRecord) -> Proved:
    """Check every part, and that what they span is R^n.

    Raises:
        NotProvedError: Naming the first part that does not hold.
    """
    pairs, always = np.asarray(certificate.pairs), np.asarray(certificate.always)
    for name, rows in (("pairs", pairs), ("always", always)):
        require(bool(((rows >= 0) & (rows < layer.m)).all()), f"{name}: a row does not exist")
    for i, j in pairs.tolist():
        _check_pair(layer, i, j)
    active = np.isin(always, always_active(layer, certificate.domain))
    if not active.all():
        raise NotProvedError(f"row {always[~active][0]} is not weakly active on the whole domain, or 0")
    covered = np.zeros(layer.n, dtype=bool)
    for number, block in enumerate(certificate.blocks):
        _check_block(f"block {number}", block, layer, certificate.domain)
        covered[block.columns] = True
    left = np.flatnonzero(~covered)
    lines = layer.rows.take(np.concatenate([pairs[:, 0], always])).within(left)
    rank = Span(lines, integer_rows(lines)).rank if len(left) else 0
    require(
        rank == len(left), f"the parts were proved to span {rank + covered.sum()} dimensions, not {layer.n}"
    )
    return Proved(exact=True, reason=_summary(certificate))


def _summary(certificate: StructureCertificate) -> str:
    places = sum(len(block.rows) for block in certificate.blocks)
    parts = [
        (len(certificate.pairs), "pairs of opposite rows"),
        (len(certificate.always), "rows that are always active"),
        (places, "injective blocks"),
    ]
    return f"{', '.join(f'{count} {what}' for count, what in parts if count)} span R^n at every point"


def _check_pair(layer: LayerRecord, i: int, j: int) -> None:
    """Check that rows are opposite, and that no point has both negative."""
    (columns_i, p, b), (columns_j, q, c) = _whole_row(layer, i), _whole_row(layer, j)
    opposite = len(p) > 0 and np.array_equal(columns_i, columns_j) and (p[0] > 0) != (q[0] > 0)
    opposite = opposite and all(s * q[0] == t * p[0] for s, t in zip(p, q, strict=True))
    require(opposite, f"rows {i} and {j} are not opposite")
    require(b * abs(q[0]) + c * abs(p[0]) >= 0, f"rows {i} and {j} are both negative somewhere")


def _whole_row(layer: LayerRecord, i: int) -> tuple[np.ndarray, list[int], int]:
    """Return columns, weights and bias of a row times a power of two, as whole numbers."""
    columns, entries = layer.affine.row(i)
    if len(columns) and columns[-1] == layer.n:
        return columns[:-1], entries[:-1], entries[-1]
    return columns, entries, 0


def _holds_projection(outer: DomainRecord, inner: DomainRecord, columns: np.ndarray) -> bool:
    """Say whether one domain holds the projection of another to some columns."""
    around, within = bounds(outer), bounds(inner)
    if around is None:
        return False
    low, high = (np.full(inner.n, -np.inf), np.full(inner.n, np.inf)) if within is None else within
    return bool((around[0] <= low[columns]).all() and (around[1] >= high[columns]).all())


def _check_block(name: str, block: Block, layer: LayerRecord, domain: DomainRecord) -> None:
    """Check a block's proof, and that its numbers stand in every place that it names."""
    known = block.proof.layer
    shapes = (len(block.rows), known.m), (len(block.rows), known.n)
    require((block.rows.shape, block.columns.shape) == shapes, f"{name}: places of the wrong shape")
    first: LayerRecord | None = None
    for place, (rows, columns) in enumerate(zip(block.rows, block.columns, strict=True)):
        where = f"{name}, place {place}"
        part = part_of(layer, rows, columns, where)
        require(part.sha256 == known.sha256, f"{where}: other numbers stand there (SHA-256)")
        require(
            _holds_projection(block.proof.domain, domain, columns),
            f"{where}: the domain is larger than the block's",
        )
        first = first or part
    if first is None:
        raise NotProvedError(f"{name}: it stands nowhere")
    try:
        verify_injective(block.proof, first)
    except NotProvedError as error:
        raise NotProvedError(f"{name}: {error}") from None


def part_of(layer: LayerRecord, rows: np.ndarray, columns: np.ndarray, name: str = "part") -> LayerRecord:
    """Return the layer of some rows, which must use no other columns than those given.

    Args:
        layer: The whole.
        rows: Row numbers.
        columns: Column numbers.
        name: For messages.

    Raises:
        NotProvedError: If numbers are out of range or not ascending, or a row uses another column.
    """
    for numbers, limit in ((rows, layer.m), (columns, layer.n)):
        ascends = bool((np.diff(numbers) > 0).all() and (numbers >= 0).all() and (numbers < limit).all())
        require(ascends, f"{name}: row or column numbers do not ascend within the layer")
    chosen = layer.rows.take(rows)
    inner = chosen.within(columns)
    require(len(inner.values) == len(chosen.values), f"{name}: a row uses a column outside of the block")
    return LayerRecord(
        layer.name,
        layer.node,
        inner.n,
        inner.starts,
        inner.columns,
        inner.values,
        layer.bias[rows],
        layer.exact,
    )
