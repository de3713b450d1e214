"""What proves that a network of links is injective (Puthawala et al. 2022, Section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

from unrelu.certificates._domain_record import KINDS, DomainRecord, domain_fields, read_domain
from unrelu.certificates._fields import Fields, refuse
from unrelu.certificates._format import Certificate, registered
from unrelu.certificates._injectivity import GRADES
from unrelu.certificates._layer_record import LayerRecord, LayerReference
from unrelu.certificates.links._proofs import GIVEN, LinkProof, NormalisationProof, Proof, read_proof
from unrelu.certificates.links._record import LinkRecord, LinkReference

_MOST_LINKS = 10_000


@registered
@dataclass(frozen=True, eq=False)
class LinksCertificate(Certificate):
    """Every link of a network is injective on a set that holds all its inputs; then so is the network.

    A ReLU layer is a link of its own, with a proof of its own. The domain of each proof holds all results of
    the link in front: for a layer behind a layer this is checked as in a `NetworkInjectivityCertificate`,
    behind another link nothing is assumed but that a ReLU is not negative.

    Where means or scales of a normalisation are given, two different inputs of the domain differ in the
    output or in one of these.

    Attributes:
        domain: The domain of the network.
        proofs: For each link, in order, that it is injective.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import ContractionProof, LayerRecord, LinkRecord, LinksCertificate
        >>> from unrelu.certificates import DomainRecord, LinkStep, verify
        >>> inner = LayerRecord.dense(np.array([[0.5, 0.0]]), np.zeros(1))
        >>> outer = LayerRecord.dense(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), np.zeros(2))
        >>> link = LinkRecord(2, (LinkStep("relu", (0,), inner), LinkStep("affine", (0, 1), outer)))
        >>> verify(LinksCertificate(DomainRecord("space", 2), (ContractionProof(link),))).statement
        '1 link is injective on R^2'
    """

    form: ClassVar[str] = "network-injective-links"

    domain: DomainRecord
    proofs: tuple[Proof, ...]

    @property
    def links(self) -> tuple[LinkRecord | LinkReference | LayerRecord | LayerReference, ...]:
        """The links, in order; the layer where that is one."""
        return tuple(proof.link if isinstance(proof, LinkProof) else proof.layer for proof in self.proofs)

    @property
    def given(self) -> dict[str, str]:
        """What has to be known beside the output: ``"means"`` or ``"statistics"``, by name of the node."""
        known = (proof for proof in self.proofs if isinstance(proof, NormalisationProof))
        return {p.link.nodes[p.step - 1]: p.given for p in known if p.given != GIVEN[0]}

    @property
    def grade(self) -> str:
        """The weakest of the grades of the links' proofs."""
        return max((proof.grade for proof in self.proofs), key=GRADES.index)

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {
            "domain": domain_fields(self.domain),
            "links": [{"kind": proof.form, **proof.to_fields(rows)} for proof in self.proofs],
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        domain = read_domain(fields.child("domain"), KINDS)
        entries, where = fields.entries("links"), fields.name("links")
        if not 1 <= len(entries) <= _MOST_LINKS:
            refuse(where, f"1 to {_MOST_LINKS} links", f"{len(entries)}")
        found = cls(domain, tuple(read_proof(Fields(v, f"{where}[{k}]")) for k, v in enumerate(entries)))
        sizes = [domain.n, *(size for link in found.links for size in (link.n, link.m))]
        for k, (before, after) in enumerate(zip(sizes[::2], sizes[1::2], strict=False)):
            if before != after:
                refuse(f"{where}[{k}]", f"a link on {before} entries", f"{after}")
        named = sum(isinstance(p, NormalisationProof) and p.given != GIVEN[0] for p in found.proofs)
        if len(found.given) < named:
            refuse(where, "another name for each node at which something is given", "one twice")
        return found
