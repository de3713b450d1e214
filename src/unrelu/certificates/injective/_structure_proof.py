"""Verification of proofs by structure (Puthawala et al. 2022, domain decomposition)."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import integer_rows
from unrelu.certificates._span import Span
from unrelu.certificates._structure import Block, StructureCertificate
from unrelu.certificates._verification import NotProvedError, Proved, require
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
    corner = _Corners(certificate.domain)
    for i in always.tolist():
        require(corner.least(layer, i) >= 0, f"row {i} is not weakly active on the whole domain")
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
    (columns_i, a), (columns_j, b) = _row(layer, i), _row(layer, j)
    opposite = np.array_equal(columns_i, columns_j) and len(a) > 0 and (a[0] > 0) != (b[0] > 0)
    if opposite and not np.array_equal(a, -b):
        p, q = ([Fraction(v) for v in values.tolist()] for values in (a, b))
        opposite = all(s * q[0] == t * p[0] for s, t in zip(p, q, strict=True))
    require(opposite, f"rows {i} and {j} are not opposite")
    first, second = abs(Fraction(float(a[0]))), abs(Fraction(float(b[0])))
    sum_of_offsets = Fraction(float(layer.bias[i])) / first + Fraction(float(layer.bias[j])) / second
    require(sum_of_offsets >= 0, f"rows {i} and {j} are both negative somewhere")


def _row(layer: LayerRecord, i: int) -> tuple[np.ndarray, np.ndarray]:
    part = slice(layer.starts[i], layer.starts[i + 1])
    return layer.columns[part], layer.values[part]


class _Corners:
    """Least values of affine functions on a domain whose bounds concern one coordinate each."""

    def __init__(self, domain: DomainRecord) -> None:
        self.lower, self.upper = np.full(domain.n, -np.inf), np.full(domain.n, np.inf)
        if domain.kind == "orthant":
            self.lower[:] = 0.0
        if domain.kind == "box" and domain.lower is not None and domain.upper is not None:
            self.lower, self.upper = domain.lower, domain.upper

    def least(self, layer: LayerRecord, i: int) -> Fraction | float:
        """Return the least value of ``w_i · x + b_i``, exactly."""
        columns, values = _row(layer, i)
        corner = np.where(values > 0, self.lower[columns], self.upper[columns])
        if not np.isfinite(corner).all():
            return -math.inf
        products = (Fraction(v) * Fraction(c) for v, c in zip(values.tolist(), corner.tolist(), strict=True))
        return sum(products, Fraction(float(layer.bias[i])))

    def holds_projection(self, other: DomainRecord, columns: np.ndarray) -> bool:
        """Say whether another domain holds the projection of this one to some columns."""
        if other.kind not in {"space", "orthant", "box"}:
            return False
        outer = _Corners(other)
        return bool((outer.lower <= self.lower[columns]).all() and (outer.upper >= self.upper[columns]).all())


def _check_block(name: str, block: Block, layer: LayerRecord, domain: DomainRecord) -> None:
    """Check a block's proof, and that its numbers stand in every place that it names."""
    known, corners = block.proof.layer, _Corners(domain)
    shapes = (len(block.rows), known.m), (len(block.rows), known.n)
    require((block.rows.shape, block.columns.shape) == shapes, f"{name}: places of the wrong shape")
    first: LayerRecord | None = None
    for place, (rows, columns) in enumerate(zip(block.rows, block.columns, strict=True)):
        where = f"{name}, place {place}"
        part = part_of(layer, rows, columns, where)
        require(part.sha256 == known.sha256, f"{where}: other numbers stand there (SHA-256)")
        require(
            corners.holds_projection(block.proof.domain, columns),
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
