"""Verification of witnesses against injectivity (Puthawala et al. 2022, Theorem 1)."""

from __future__ import annotations

import math

import flint
import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import IntegerRows, integer_rows, whole
from unrelu.certificates._span import Span
from unrelu.certificates._verification import Proved, require
from unrelu.certificates._witness import WitnessCertificate
from unrelu.certificates.injective._rows import exact_vector
from unrelu.certificates.injective._signs import lies_inside, lines_of, signs_at

_ELIMINATION = 300  # columns; seconds


def verify_witness(certificate: WitnessCertificate, layer: LayerRecord) -> Proved:
    """Decide the signs of all rows at the point, and that the weakly active ones do not span.

    Raises:
        NotProvedError: If the point lies outside of the open domain, or nothing shows that they do not span.
    """
    require(lies_inside(certificate.domain, certificate.x), "x does not lie in the interior of the domain")
    active = np.flatnonzero((signs_at(layer, certificate.x) >= 0) & (np.diff(layer.starts) > 0))
    if certificate.direction is None:
        if len(active) < layer.n:
            return Proved(exact=True, reason=f"only {len(active)} rows other than 0 are weakly active at x")
        lines = lines_of(layer.rows.take(active))
        require(
            lines < layer.n,
            f"rows on {lines} lines are weakly active at x, no fewer than {layer.n}, "
            "and no direction is given",
        )
        return Proved(exact=True, reason=f"the rows that are weakly active at x lie on only {lines} lines")
    direction, _ = whole(certificate.direction.tolist())
    require(any(direction), "the direction is 0")
    products = integer_rows(layer.rows.take(active)).times(direction)
    seen = next((i for i, v in zip(active.tolist(), products, strict=True) if v), -1)
    require(seen < 0, f"the direction is not orthogonal to row {seen}, which is weakly active at x")
    return Proved(
        exact=True, reason=f"{len(active)} rows are weakly active at x, and a direction is orthogonal to all"
    )


def certify_witness(
    layer: LayerRecord, domain: DomainRecord, x: np.ndarray, *, directed: bool = False
) -> WitnessCertificate | None:
    """Return the certificate of a point whose weakly active rows do not span R^n.

    Args:
        layer: The layer.
        domain: The domain.
        x: The point, shape ``(n,)``.
        directed: Whether a direction is wanted even where so few rows are active that none is needed.

    Returns:
        The certificate; ``None`` where the point is none of the open domain, the rows span, or elimination
        over the integers would take long (more than some hundred columns).
    """
    if not lies_inside(domain, x):
        return None
    active = np.flatnonzero((signs_at(layer, x) >= 0) & (np.diff(layer.starts) > 0))
    if len(active) < layer.n and not directed:
        return WitnessCertificate(layer, domain, x)
    chosen = layer.rows.take(active)
    unused = np.flatnonzero(np.bincount(chosen.columns, minlength=layer.n) == 0)
    if len(unused):
        return WitnessCertificate(layer, domain, x, np.eye(1, layer.n, unused[0])[0])
    if not directed and lines_of(chosen) < layer.n:
        return WitnessCertificate(layer, domain, x)
    whole_rows = integer_rows(chosen)
    span = Span(chosen, whole_rows)
    if layer.n > _ELIMINATION or span.rank == layer.n:
        return None
    null, nullity = flint.fmpz_mat(_basis(span, whole_rows)).nullspace()
    if not nullity:
        return None
    direction = [int(null[j, 0]) for j in range(layer.n)]
    if any(whole_rows.times(direction)):
        return None
    common = math.gcd(*direction)
    return WitnessCertificate(layer, domain, x, exact_vector(v // common for v in direction))


def _basis(span: Span, rows: IntegerRows) -> list[list[int]]:
    """Return rows that span what all of them do, if the prime does not mislead."""
    chosen = [*span.single.values(), *span.others[span.basis].tolist()]
    table = rows.dense()
    return [table[i] for i in chosen] or [[0] * rows.n]
