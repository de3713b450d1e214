"""The verifier: every certificate is checked from scratch, in exact arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from unrelu.certificates._collision_certificates import CollisionCertificate, NetworkCollisionCertificate
from unrelu.certificates._fields import Fields
from unrelu.certificates._format import Certificate
from unrelu.certificates._injectivity import InjectivityCertificate
from unrelu.certificates._layer_record import HasChain, HasRecord, LayerRecord, LayerReference
from unrelu.certificates._network_certificates import (
    NetworkInjectivityCertificate,
    NetworkWitnessCertificate,
)
from unrelu.certificates._network_regions import NetworkRegionsCertificate
from unrelu.certificates._preimage_certificate import PreimageCertificate
from unrelu.certificates._singletons_certificate import SingletonsCertificate
from unrelu.certificates._statements import statement
from unrelu.certificates._structure import StructureCertificate
from unrelu.certificates._verification import NotProvedError, Proved, Verification
from unrelu.certificates._verify_collision import verify_collision, verify_network_collision
from unrelu.certificates._verify_network import verify_network_injectivity, verify_network_witness
from unrelu.certificates._verify_preimage import verify_preimage
from unrelu.certificates._verify_regions import verify_network_regions
from unrelu.certificates._verify_singletons import verify_singletons
from unrelu.certificates._witness import WitnessCertificate
from unrelu.certificates.injective import verify_injective, verify_structure, verify_witness
from unrelu.certificates.links import (
    HasLinks,
    LinkRecord,
    LinkReference,
    LinksCertificate,
    link_of,
    reference_of,
    verify_links,
)
from unrelu.errors import ArgumentError

Layers: TypeAlias = HasRecord | Mapping[str, Any]
Model: TypeAlias = Layers | HasLinks

# Kinds of statements about one layer, and who checks them.
_CHECKS: dict[type[Any], Callable[[Any, LayerRecord], Proved]] = {
    CollisionCertificate: verify_collision,
    InjectivityCertificate: verify_injective,
    PreimageCertificate: verify_preimage,
    SingletonsCertificate: verify_singletons,
    StructureCertificate: verify_structure,
    WitnessCertificate: verify_witness,
}

# Kinds of statements about a chain of layers, with an affine map behind them or without.
_NETWORK_CHECKS: dict[type[Any], Callable[[Any, list[LayerRecord], LayerRecord | None], Proved]] = {
    NetworkCollisionCertificate: verify_network_collision,
    NetworkInjectivityCertificate: verify_network_injectivity,
    NetworkRegionsCertificate: verify_network_regions,
    NetworkWitnessCertificate: verify_network_witness,
}


def verify(certificate: Certificate, layer: Model | None = None) -> Verification:
    """Check a certificate from scratch: no number, sign or set of rows in it is taken on trust.

    Args:
        certificate: The certificate.
        layer: The layer that it should speak of: a `LayerRecord`, anything with ``record()`` such as
            ``ReLULayer``, or a mapping of names to those, such as ``Network``. It must have the digest that
            the certificate names. ``None`` takes the numbers inside the certificate. For statements about
            networks a ``Network``, whose maps or links are compared in order; a refutation may name the first
            maps only.

    Returns:
        Whether the statement is proved, and how strongly; a bad certificate raises nothing.

    Raises:
        ArgumentError: If something else than a certificate is given.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import DomainRecord, LayerRecord, PreimageCertificate, verify
        >>> layer = LayerRecord.dense(np.eye(2), np.zeros(2))
        >>> claim = (np.ones(2), None, "singleton", 0, np.array([0, 1]))
        >>> verify(PreimageCertificate(layer, DomainRecord("space", 2), *claim)).statement
        'the preimage of relu(W x + b) at the given x in R^2 is a single point'
    """
    if not isinstance(certificate, Certificate):
        raise ArgumentError(f"certificate: expected a certificate, got {certificate!r}")
    try:
        type(certificate).read(Fields(certificate.to_fields(rows=False), "certificate"))
    except ArgumentError as error:
        return Verification(False, "", "a statement that cannot be read", str(error))
    said = statement(certificate)
    try:
        proved, exact = _checked(certificate, layer)
    except NotProvedError as error:
        return Verification(False, "", said, str(error))
    grade = _strongest(certificate) if proved.exact and exact else "float"
    return Verification(True, grade, said, proved.reason)


def _strongest(certificate: Certificate) -> str:
    """Return the grade that a certificate has if no number is rounded."""
    kinds = InjectivityCertificate | StructureCertificate | NetworkInjectivityCertificate | LinksCertificate
    if isinstance(certificate, kinds):
        return certificate.grade
    return "exact"


def _checked(certificate: Certificate, layer: Model | None) -> tuple[Proved, bool]:
    """Return what is proved, and whether the layers' numbers are the model's own."""
    if isinstance(certificate, LinksCertificate):
        links = _links(certificate, layer)
        return verify_links(certificate, links), all(one.exact for one in (*links, *certificate.links))
    if layer is not None and not isinstance(layer, HasRecord | Mapping):
        raise NotProvedError(f"the certificate speaks of layers, and a {type(layer).__name__} is given")
    for kind, check_network in _NETWORK_CHECKS.items():
        if isinstance(certificate, kind):
            maps, has_last = _maps(certificate, layer)
            layers, last = (maps[:-1], maps[-1]) if has_last else (maps, None)
            return check_network(certificate, layers, last), all(one.exact for one in maps)
    for kind, check in _CHECKS.items():
        if isinstance(certificate, kind):
            record = _resolved(certificate.layer, layer)
            return check(certificate, record), record.exact and certificate.layer.exact
    raise NotProvedError(f"certificates of kind {certificate.form!r} are not known")


def _links(certificate: LinksCertificate, model: Model | None) -> list[LinkRecord]:
    """Return the links that a certificate names.

    Raises:
        NotProvedError: If there are none, or the network given falls apart into others.
    """
    known = certificate.links
    if model is None:
        return [_held(one) for one in known]
    references = [reference_of(one) for one in known]
    if not isinstance(model, HasLinks):
        raise NotProvedError("the model given does not fall apart into links")
    try:
        given = model.link_records()
    except ArgumentError as error:
        raise NotProvedError(str(error)) from None
    if len(given) != len(known):
        raise NotProvedError(
            f"the network given has {len(given)} links, the certificate speaks of {len(known)}"
        )
    for k, (one, found) in enumerate(zip(references, given, strict=True), start=1):
        if found.sha256 != one.sha256:
            raise NotProvedError(f"link {k} ({one.name!r}): the network given has another there (SHA-256)")
    return list(given)


def _held(link: LinkRecord | LinkReference | LayerRecord | LayerReference) -> LinkRecord:
    if isinstance(link, LinkRecord):
        return link
    if isinstance(link, LayerRecord):
        return link_of(link)
    raise NotProvedError(f"link {link.name!r}: the certificate does not hold its numbers")


def _maps(certificate: Any, layer: Layers | None) -> tuple[list[LayerRecord], bool]:
    """Return the maps of the chain that a certificate names, and whether the last one has no ReLU.

    Raises:
        NotProvedError: If those of the network given are others.
    """
    has_last = certificate.last is not None
    known = [*certificate.layers, *([certificate.last] if has_last else [])]
    if layer is None:
        return [_resolved(one, None) for one in known], has_last
    given, affine_end = _given(layer, has_last)
    prefix = isinstance(certificate, NetworkWitnessCertificate) and not has_last
    if len(given) != len(known) and not (prefix and len(given) > len(known)):
        raise NotProvedError(
            f"the network given has {len(given)} maps, the certificate speaks of {len(known)}"
        )
    if len(given) == len(known) and affine_end != has_last:
        raise NotProvedError("of certificate and network, a ReLU follows the last map of only one")
    return [_resolved(one, part) for one, part in zip(known, given, strict=False)], has_last


def _given(layer: Layers, has_last: bool) -> tuple[list[HasRecord], bool]:
    """Return all maps of the network given, in order, and whether the last one has no ReLU.

    A mapping that does not say the latter is taken to be as the certificate says.

    Raises:
        NotProvedError: If it is no chain.
    """
    if not isinstance(layer, HasChain):
        return list(layer.values()) if isinstance(layer, Mapping) else [layer], has_last
    try:
        chain = layer.stacked()
        return list(chain.records()), chain.last_record() is not None
    except ArgumentError as error:
        raise NotProvedError(str(error)) from None


def _resolved(known: LayerRecord | LayerReference, layer: Layers | None) -> LayerRecord:
    """Return the numbers of the layer that a certificate names.

    Raises:
        NotProvedError: If there are none, or they have another digest.
    """
    if layer is None:
        if isinstance(known, LayerReference):
            raise NotProvedError(f"layer {known.name!r}: the certificate does not hold its numbers")
        return known
    found = _named(layer, known).record() if isinstance(layer, Mapping) else layer.record()
    if not isinstance(found, LayerRecord) or found.sha256 != known.sha256:
        raise NotProvedError(f"layer {known.name!r}: the layer given has other numbers (SHA-256)")
    return found


def _named(layers: Mapping[str, Any], known: LayerRecord | LayerReference) -> HasRecord:
    for name in (known.node, known.name):
        if name in layers:
            found: HasRecord = layers[name]
            return found
    raise NotProvedError(f"layer {known.name!r}: no layer of this name was given")
