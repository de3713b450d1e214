"""What certificates state, in one sentence each."""

from __future__ import annotations

import math

from unrelu.certificates._collision_certificates import CollisionCertificate, NetworkCollisionCertificate
from unrelu.certificates._format import Certificate
from unrelu.certificates._injectivity import GRADES, InjectivityCertificate
from unrelu.certificates._layer_record import LayerRecord, LayerReference
from unrelu.certificates._network_certificates import (
    NetworkInjectivityCertificate,
    NetworkWitnessCertificate,
)
from unrelu.certificates._network_regions import NetworkRegionsCertificate
from unrelu.certificates._preimage_certificate import PreimageCertificate
from unrelu.certificates._singletons_certificate import SingletonsCertificate
from unrelu.certificates._structure import StructureCertificate
from unrelu.certificates._witness import WitnessCertificate
from unrelu.certificates.links import LinksCertificate

_GENERAL_POSITION = ", if any n of the rows that the proof names are linearly independent"


def statement(certificate: Certificate) -> str:
    """Return what a certificate states."""
    if isinstance(certificate, PreimageCertificate):
        return _of_preimage(certificate)
    if isinstance(certificate, SingletonsCertificate):
        return _of_singletons(certificate)
    if isinstance(certificate, CollisionCertificate):
        return _of_collision(certificate)
    if isinstance(certificate, NetworkCollisionCertificate):
        return _of_network(certificate)
    if isinstance(certificate, InjectivityCertificate | StructureCertificate):
        where = certificate.domain.describe()
        return f"relu(W x + b) is injective on {where}{_assumed(certificate.grade)}"
    if isinstance(certificate, WitnessCertificate):
        return f"relu(W x + b) is not injective on {certificate.domain.describe()}"
    if isinstance(certificate, NetworkInjectivityCertificate):
        return f"{_of_chain(certificate, 'injective')}{_assumed(certificate.grade)}"
    if isinstance(certificate, NetworkRegionsCertificate):
        return _of_chain(certificate, "injective")
    if isinstance(certificate, NetworkWitnessCertificate):
        return _of_chain(certificate, "not injective")
    if isinstance(certificate, LinksCertificate):
        return _of_links(certificate)
    return f"a statement of kind {certificate.form!r}"


def _of_preimage(certificate: PreimageCertificate) -> str:
    where = certificate.domain.describe()
    if certificate.kind == "empty":
        return f"no input in {where} has the given output y of relu(W x + b)"
    of = (
        "of the given output y of relu(W x + b)"
        if certificate.x is None
        else "of relu(W x + b) at the given x"
    )
    subject = f"the preimage {of} in {where}"
    if certificate.kind == "singleton":
        return f"{subject} is a single point"
    size = f" of dimension {certificate.dimension}" if certificate.dimension >= 0 else ", more than one point"
    return f"{subject} is {certificate.kind}{size}"


def _of_singletons(certificate: SingletonsCertificate) -> str:
    count = len(certificate.points)
    points = f"{count} point{'' if count == 1 else 's'}"
    inputs = f"input within {certificate.radius!r} of one" if certificate.radius else "one"
    where = f"R^{certificate.layer.n}"
    return f"each {inputs} of {points} is the only one in {where} with its output of relu(W x + b)"


def _of_collision(certificate: CollisionCertificate) -> str:
    where = certificate.domain.describe()
    near = (
        f"the outputs of relu(W x + b) at x and other in {where} differ by at most {certificate.difference!r}"
    )
    if not math.isfinite(certificate.radius):
        return near
    return f"an input within {certificate.radius!r} of other in {where} has exactly the output of x; {near}"


def _of_network(certificate: NetworkCollisionCertificate) -> str:
    where, count = certificate.domain.describe(), len(certificate.layers)
    chain = f"{count} ReLU layers{' and an affine map' if certificate.last else ''}"
    return f"the outputs of {chain} at x and other in {where} differ by at most {certificate.difference!r}"


def _of_chain(
    certificate: NetworkInjectivityCertificate | NetworkRegionsCertificate | NetworkWitnessCertificate,
    what: str,
) -> str:
    count = len(certificate.layers)
    behind = "" if certificate.last is None else " and an affine map"
    verb = "is" if count == 1 and not behind else "are"
    layers = f"{count} ReLU layer{'' if count == 1 else 's'}"
    return f"{layers}{behind} {verb} {what} on {certificate.domain.describe()}"


def _of_links(certificate: LinksCertificate) -> str:
    count = len(certificate.proofs)
    layers = sum(isinstance(link, LayerRecord | LayerReference) for link in certificate.links)
    named = f"{layers} ReLU layer{'' if layers == 1 else 's'}"
    among = f", {named} among them," if layers else ""
    subject = named if layers == count else f"{count} link{'' if count == 1 else 's'}{among}"
    given = [f"the {what} at {node!r}" for node, what in certificate.given.items()]
    known = f" given {' and '.join(given)}" if given else ""
    verb = "is" if count == 1 else "are"
    return (
        f"{subject} {verb} injective on {certificate.domain.describe()}{known}{_assumed(certificate.grade)}"
    )


def _assumed(grade: str) -> str:
    return "" if grade == GRADES[0] else _GENERAL_POSITION
