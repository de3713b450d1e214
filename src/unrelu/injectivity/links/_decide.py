"""Injectivity of a network from that of its links (Puthawala et al. 2022, layer by layer)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unrelu.certificates import (
    AloneProof,
    InjectivityCertificate,
    LinkProof,
    LinksCertificate,
    NotProvedError,
    StructureCertificate,
    check_link,
    layer_alone,
    verify,
)
from unrelu.errors import ArgumentError
from unrelu.injectivity._layer import domain_record, prove_layer, try_layer
from unrelu.injectivity._verdict import Decision, Verdict
from unrelu.injectivity.links._candidates import candidates
from unrelu.injectivity.links._starts import starts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    from unrelu.domains import Domain
    from unrelu.injectivity._layer import Options
    from unrelu.layers import Link, ReLULayer

    Found: TypeAlias = InjectivityCertificate | StructureCertificate | LinkProof


@dataclass(frozen=True, eq=False)
class LinksAnswer:
    """What is known of the links of a network.

    Attributes:
        certificate: That all are injective, verified; ``None`` where one is open.
        reason: Why there is one, or which link is open and why.
    """

    certificate: LinksCertificate | None
    reason: str


def decide_links(
    links: Sequence[Link], domain: Domain, options: Options, known: dict[ReLULayer, Decision]
) -> LinksAnswer:
    """Prove link by link, those first that need no search, until one is open.

    Args:
        links: The links of a network, in order, at least one.
        domain: Where its inputs live.
        options: How to decide layers.
        known: The answers for links that are layers, on sets that contain their inputs; further ones are
            added.

    Raises:
        KeyboardInterrupt: If Ctrl-C ended the search for a proof.
    """
    sets = starts(links, domain)
    proofs: dict[int, Found] = {}
    for k in sorted(range(len(links)), key=lambda k: links[k].parts[-1].kind == "relu"):
        try:
            found = _proved(links[k], sets[k], options, known)
        except ArgumentError as error:  # it is too large, or the domain is flat
            found = f"link {links[k].name!r} is open: {error}"
        if isinstance(found, str):
            return LinksAnswer(None, found)
        proofs[k] = found
    whole = LinksCertificate(domain_record(domain, links[0].n), tuple(proofs[k] for k in sorted(proofs)))
    checked = verify(whole)
    return LinksAnswer(whole if checked.valid else None, checked.reason)


def _proved(link: Link, start: Domain, options: Options, known: dict[ReLULayer, Decision]) -> Found | str:
    """Return a proof, or why there is none."""
    if link.layer is not None:
        return _layer(link.layer, start, options, known)
    if link.parts[-1].kind == "relu":
        return _ends_in_relu(link, start, options)
    reasons = []
    for proof in candidates(link):
        try:
            check_link(proof, link.record())
        except NotProvedError as error:
            reasons.append(str(error))
        else:
            return proof
    return f"link {link.name!r} is open: {'; '.join(dict.fromkeys(reasons)) or _unknown(link)}"


def _unknown(link: Link) -> str:
    """Say why there is not even a proof to be tried."""
    opaque = [repr(part.node) for part in link.parts if part.kind == "opaque"]
    if opaque:
        return f"nothing is known of {', '.join(opaque)}"
    return f"too little of it reads {link.source!r} alone"


def _layer(
    layer: ReLULayer, start: Domain, options: Options, known: dict[ReLULayer, Decision]
) -> Found | str:
    if layer not in known:
        known[layer] = try_layer(layer, start, options)
    decision = known[layer]
    if isinstance(decision.certificate, InjectivityCertificate | StructureCertificate):
        return decision.certificate
    if decision.verdict == Verdict.NOT_INJECTIVE:
        return f"layer {layer.name!r}: not injective on a set around its inputs, but perhaps on these"
    return f"layer {layer.name!r}: {decision.reason}"


def _ends_in_relu(link: Link, start: Domain, options: Options) -> Found | str:
    """Prove the layer of those rows of the last step that read the link's input alone."""
    record = link.record()
    try:
        proof = prove_layer(layer_alone(record), start, options)
    except ArgumentError:  # there is no such row
        proof = None
    if proof is None:
        what = f"its rows that read {link.source!r} alone are not proved to be an injective layer"
        return f"link {link.name!r} is open: {what}"
    return AloneProof(record, proof)
