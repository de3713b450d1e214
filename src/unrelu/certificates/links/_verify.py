"""Verification of networks link by link (Puthawala et al. 2022, Section 2)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from unrelu.certificates._domain_record import DomainRecord, domain_fields
from unrelu.certificates._verification import NotProvedError, Proved, require
from unrelu.certificates._verify_network import check_layer
from unrelu.certificates.injective import holds_projection
from unrelu.certificates.links._alone import check_alone
from unrelu.certificates.links._certificate import LinksCertificate
from unrelu.certificates.links._contraction import check_contraction
from unrelu.certificates.links._maxima import check_maxima
from unrelu.certificates.links._normalisation import check_normalisation
from unrelu.certificates.links._proofs import (
    AloneProof,
    ContractionProof,
    LinkProof,
    MaximaProof,
    NormalisationProof,
    Proof,
)
from unrelu.certificates.links._record import LinkRecord
from unrelu.certificates.links._results import check_results

_CHECKS: dict[type[Any], Callable[[Any, LinkRecord], str]] = {
    AloneProof: check_alone,
    ContractionProof: check_contraction,
    MaximaProof: check_maxima,
    NormalisationProof: check_normalisation,
}


def check_link(proof: Proof, link: LinkRecord) -> str:
    """Check the proof of one link, on the domain that it names.

    Args:
        proof: The proof.
        link: The link; it is for the caller to see that the proof speaks of it.

    Returns:
        What shows it, in some words.

    Raises:
        NotProvedError: If it does not prove its statement.
    """
    if isinstance(proof, LinkProof):
        return _CHECKS[type(proof)](proof, link)
    layer = link.single("relu")
    if layer is None:
        raise NotProvedError("a layer's proof for what is no ReLU layer")
    check_layer(layer, proof)
    return "injective layers"


def verify_links(certificate: LinksCertificate, links: list[LinkRecord]) -> Proved:
    """Check every link's proof, and that its domain holds all that may come in.

    Raises:
        NotProvedError: Naming the link where the proof fails.
    """
    reasons = []
    for k, (proof, link) in enumerate(zip(certificate.proofs, links, strict=True), start=1):
        try:
            reasons.append(check_link(proof, link))
        except NotProvedError as error:
            raise NotProvedError(f"link {k} ({link.name!r}): {error}") from None
    first = certificate.proofs[0].domain
    inside = first is None or _holds(first, certificate.domain)
    require(inside, "the domain is larger than that of the first link's proof")
    for link, (before, after) in zip(links, pairwise(certificate.proofs), strict=False):
        if after.domain is not None:
            check_results(link, before.domain, after.domain)
    return Proved(exact=True, reason=f"links: {', '.join(dict.fromkeys(reasons))}")


def _holds(outer: DomainRecord, inner: DomainRecord) -> bool:
    """Say whether one domain is seen to hold another."""
    same = domain_fields(outer) == domain_fields(inner)
    return same or (outer.n == inner.n and holds_projection(outer, inner, np.arange(inner.n)))
