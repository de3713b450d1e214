"""From what refutes a layer, or a point with few active neurons, to what refutes the network."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates import DomainRecord, LayerRecord, NetworkWitnessCertificate, verify
from unrelu.certificates._affine import AffineRows
from unrelu.certificates._rows import whole
from unrelu.certificates.injective import certify_witness
from unrelu.certificates.injective._signs import lies_in

if TYPE_CHECKING:
    from unrelu.certificates import WitnessCertificate

_HALVINGS = 60


def of_first_layer(proof: WitnessCertificate) -> NetworkWitnessCertificate | None:
    """Return the proof that a network is not injective whose first layer is not; ``None`` if it fails."""
    layer = proof.layer
    if not isinstance(layer, LayerRecord):
        return None
    few = NetworkWitnessCertificate((layer,), None, proof.domain, proof.x)
    if verify(few).valid:
        return few
    directed = proof
    if proof.direction is None:
        directed = certify_witness(layer, proof.domain, proof.x, directed=True) or proof
    if directed.direction is None:
        return None
    other = _along(layer, proof.domain, proof.x, directed.direction)
    pair = NetworkWitnessCertificate((layer,), None, proof.domain, proof.x, other)
    return pair if verify(pair).valid else None


def _along(layer: LayerRecord, domain: DomainRecord, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Go along a direction half way to where a negative row of the layer or the domain becomes 0."""
    polyhedral = domain if domain.kind != "ball" else DomainRecord("space", domain.n)
    rows = AffineRows(layer, polyhedral)
    chosen = rows.chosen(np.arange(rows.total))
    (start, unit), (step, share) = whole(x.tolist()), whole(direction.tolist())
    values, slopes = chosen.times([*start, unit]), chosen.times([*step, 0])
    rooms = (
        Fraction(-value * share, 2 * slope * unit)
        for value, slope in zip(values, slopes, strict=True)
        if slope > 0
    )
    length = min(rooms, default=Fraction(1))
    for _ in range(_HALVINGS):
        other = np.array(
            [Fraction(a) + length * Fraction(v) for a, v in zip(x.tolist(), direction.tolist(), strict=True)],
            dtype=object,
        )
        if lies_in(domain, other):
            break
        length /= 2
    return other
