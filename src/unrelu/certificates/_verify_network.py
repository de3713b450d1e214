"""Whether a chain of layers is injective, layer by layer, or is not (Puthawala et al. 2022, Section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._forward import forward, preactivations
from unrelu.certificates._injectivity import InjectivityCertificate
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._network_certificates import (
    LayerProof,
    NetworkInjectivityCertificate,
    NetworkWitnessCertificate,
)
from unrelu.certificates._rank import proved_rank
from unrelu.certificates._two_inputs import require_two_inputs
from unrelu.certificates._verification import NotProvedError, Proved, require
from unrelu.certificates.injective import (
    always_active,
    bounds,
    box_around,
    verify_injective,
    verify_structure,
)
from unrelu.certificates.injective._signs import lies_inside


def verify_network_injectivity(
    certificate: NetworkInjectivityCertificate, layers: list[LayerRecord], last: LayerRecord | None
) -> Proved:
    """Check every layer's proof, that its domain holds the image of the one before, and the last map's rank.

    Raises:
        NotProvedError: Naming the layer where the proof fails.
    """
    for layer, proof in zip(layers, certificate.proofs, strict=True):
        check_layer(layer, proof)
    steps = zip(layers, pairwise(certificate.proofs), strict=False)
    for layer, (before, after) in steps:
        check_image(layer, before.domain, after.domain)
    if last is not None:
        rank = proved_rank(last.rows)
        require(rank == last.n, f"the last map was proved to have rank {rank}, not {last.n}")
    return Proved(exact=True, reason="each layer is injective on a set that holds all its inputs")


def check_layer(layer: LayerRecord, proof: LayerProof) -> None:
    """Check the proof of one layer.

    Raises:
        NotProvedError: Naming the layer, if it does not hold.
    """
    try:
        if isinstance(proof, InjectivityCertificate):
            verify_injective(proof, layer)
        else:
            verify_structure(proof, layer)
    except NotProvedError as error:
        raise NotProvedError(f"layer {layer.name!r}: {error}") from None


def check_image(layer: LayerRecord, domain: DomainRecord, target: DomainRecord) -> None:
    """Check that all outputs of a layer on a closed domain lie in another closed domain.

    Raises:
        NotProvedError: If this is not so, or cannot be seen from bounds.
    """
    where = f"layer {layer.name!r}: outputs"
    require(target.n == layer.m, f"{where} lie in R^{layer.m}, not in R^{target.n}")
    known = bounds(target)
    if known is None:
        raise NotProvedError(f"{where} are not shown to lie in {target.describe()}")
    lower, upper = known
    require(not (upper < 0).any(), f"{where} are never negative")
    for needed, sign, bound in ((lower > 0, 1.0, lower), (np.isfinite(upper), -1.0, upper)):
        rows = np.flatnonzero(needed)
        sure = np.isin(rows, rows[_at_least(layer, domain, rows, sign, bound)])
        if not sure.all():
            i, side = rows[~sure][0], "below" if sign > 0 else "above"
            raise NotProvedError(f"{where} {i} may lie {side} {bound[i]:g}")


def _at_least(
    layer: LayerRecord, domain: DomainRecord, index: np.ndarray, sign: float, bound: np.ndarray
) -> np.ndarray:
    """Return positions in ``index`` of rows with ``sign (w_i · x + b_i - bound_i) >= 0`` on a domain.

    The bias becomes the weight of one more entry, which is always 1, so that nothing is rounded.
    """
    known = box_around(domain)
    if known is None or not len(index):
        return np.zeros(0, dtype=np.int64)
    chosen = layer.rows.take(index).beside(layer.bias[index])
    constant = np.diff(chosen.starts) == 0
    shifted = LayerRecord(
        layer.name,
        layer.node,
        chosen.n,
        chosen.starts,
        chosen.columns,
        sign * chosen.values,
        -sign * bound[index],
    )
    low, high = (np.append(side, 1.0) for side in known)
    active = always_active(shifted, DomainRecord("box", chosen.n, low, high))
    return np.union1d(active, np.flatnonzero(constant & (shifted.bias >= 0)))


def verify_network_witness(
    certificate: NetworkWitnessCertificate, layers: list[LayerRecord], last: LayerRecord | None
) -> Proved:
    """Compute both outputs, or count the neurons that are weakly active at the point.

    Raises:
        NotProvedError: If it does not prove its statement.
    """
    x, other = certificate.x, certificate.other
    if other is None:
        require(lies_inside(certificate.domain, x), "x does not lie in the interior of the domain")
        return _check_count(layers, last, x)
    require_two_inputs(certificate.domain, x, other)
    same = forward(layers, last, x) == forward(layers, last, other)
    require(same, "the outputs at x and other differ")
    return Proved(exact=True, reason="x and other have exactly the same output")


def _check_count(layers: list[LayerRecord], last: LayerRecord | None, x: np.ndarray) -> Proved:
    n = layers[0].n
    if last is not None and last.m < n:
        return Proved(exact=True, reason=f"{last.m} outputs cannot tell {n} inputs apart")
    counts = [count_active(layer, z) for layer, z in zip(layers, preactivations(layers, x), strict=True)]
    fewest = int(np.argmin(counts))
    require(counts[fewest] < n, f"at least {counts[fewest]} neurons of every layer are weakly active at x")
    name = layers[fewest].name
    return Proved(
        exact=True,
        reason=f"neurons of layer {name!r} that are weakly active at x: {counts[fewest]} of {n} needed",
    )


def count_active(layer: LayerRecord, z: Sequence[Fraction]) -> int:
    """Return how many neurons that see anything have a pre-activation of at least 0."""
    sees = (np.diff(layer.starts) > 0).tolist()
    return sum(v >= 0 and seen for v, seen in zip(z, sees, strict=True))
