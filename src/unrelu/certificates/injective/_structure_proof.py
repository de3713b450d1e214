"""Verification of proofs by structure (Puthawala et al. 2022, domain decomposition)."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._domain_record import POLYHEDRA, DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rank import proved_rank
from unrelu.certificates._structure import Block, StructureCertificate
from unrelu.certificates._verification import NotProvedError, Proved, require
from unrelu.certificates.injective._corners import always_active, bounds, box_around
from unrelu.certificates.injective._dominance_proof import check_dominance
from unrelu.certificates.injective._opposite import check_pairs
from unrelu.certificates.injective._supports import check_supports
from unrelu.certificates.injective._tree_proof import verify_injective


def verify_structure(certificate: StructureCertificate, layer: LayerRecord) -> Proved:
    """Check every part, and that what they span is R^n.

    Raises:
        NotProvedError: Naming the first part that does not hold.
    """
    pairs, always = np.asarray(certificate.pairs), np.asarray(certificate.always)
    for name, rows in (("pairs", pairs), ("always", always)):
        require(bool(((rows >= 0) & (rows < layer.m)).all()), f"{name}: a row does not exist")
    check_pairs(layer, pairs)
    _check_always(layer, certificate, always)
    covered = np.zeros(layer.n, dtype=bool)
    for number, block in enumerate(certificate.blocks):
        _check_block(f"block {number}", block, layer, certificate.domain)
        covered[block.columns] = True
    left = np.flatnonzero(~covered)
    lines = layer.rows.take(np.concatenate([pairs[:, 0], always])).within(left)
    if certificate.dominance is not None:
        check_dominance(lines, certificate.dominance)
        return Proved(exact=True, reason=_summary(certificate))
    rank = proved_rank(lines)
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
    how = "" if certificate.dominance is None else ", block diagonally dominant,"
    return f"{', '.join(f'{count} {what}' for count, what in parts if count)}{how} span R^n at every point"


def _check_always(layer: LayerRecord, certificate: StructureCertificate, always: np.ndarray) -> None:
    """Check that rows are weakly active on the whole domain, on a polytope by the faces that show it."""
    if certificate.faces is None:
        active = np.isin(always, always_active(layer, certificate.domain))
        if not active.all():
            raise NotProvedError(f"row {always[~active][0]} is not weakly active on the whole domain, or 0")
        return
    require(certificate.domain.kind in POLYHEDRA, "faces: a ball has none")
    require(len(certificate.faces) == len(always), "faces: expected an entry for each row of `always`")
    supports = [
        np.append(row, layer.m + np.asarray(part))
        for row, part in zip(always, certificate.faces, strict=True)
    ]
    starts = np.cumsum([0, *map(len, supports)])
    rows = np.concatenate([np.zeros(0, dtype=np.int64), *supports])
    check_supports(layer, certificate.domain, starts, rows, None)


def holds_projection(outer: DomainRecord, inner: DomainRecord, columns: np.ndarray) -> bool:
    """Say whether one domain is seen to hold the projection of another to some columns."""
    around, within = bounds(outer), box_around(inner)
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
            holds_projection(block.proof.domain, domain, columns),
            f"{where}: the domain is larger than the block's",
        )
        first = first or part
    if first is None:
        raise NotProvedError(f"{name}: it stands nowhere")
    try:
        if isinstance(block.proof, StructureCertificate):
            require(not block.proof.blocks, "a block within a block")
            verify_structure(block.proof, first)
        else:
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
