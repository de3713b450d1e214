"""Certificates: statements about layers with their proofs, in one JSON format, and an exact verifier.

Nothing here imports torch, a solver or any other part of unrelu: whoever checks a proof need not trust the
code that found it.
"""

from unrelu.certificates._certify_singletons import certify_singletons
from unrelu.certificates._collision_certificates import CollisionCertificate, NetworkCollisionCertificate
from unrelu.certificates._cone_proof import ConeProof
from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._dominance import Dominance
from unrelu.certificates._format import Certificate, from_json, load
from unrelu.certificates._forward import forward, preactivations
from unrelu.certificates._injectivity import RANK_LEAF, InjectivityCertificate
from unrelu.certificates._layer_record import LayerRecord, LayerReference
from unrelu.certificates._network_certificates import (
    NetworkInjectivityCertificate,
    NetworkWitnessCertificate,
)
from unrelu.certificates._network_regions import NetworkRegionsCertificate
from unrelu.certificates._preimage_certificate import PreimageCertificate
from unrelu.certificates._singletons_certificate import SingletonsCertificate
from unrelu.certificates._structure import Block, StructureCertificate
from unrelu.certificates._verification import NotProvedError, Verification
from unrelu.certificates._verify import verify
from unrelu.certificates._verify_collision import certify_collision
from unrelu.certificates._witness import WitnessCertificate
from unrelu.certificates.links import (
    AloneProof,
    ContractionProof,
    EntryFunction,
    HasLinks,
    LinkProof,
    LinkRecord,
    LinkRecords,
    LinkReference,
    LinksCertificate,
    LinkStep,
    MaximaProof,
    NormalisationProof,
    NormRecord,
    check_link,
    layer_alone,
)
from unrelu.certificates.onnx import read_onnx, read_onnx_links

__all__ = [
    # the numbers that a statement is about
    "DomainRecord",
    "LayerRecord",
    "LayerReference",
    # of parts of a network that are no layer
    "EntryFunction",
    "HasLinks",
    "LinkRecord",
    "LinkRecords",
    "LinkReference",
    "LinkStep",
    "NormRecord",
    # statements with their proofs
    "Certificate",
    "CollisionCertificate",
    "ConeProof",
    "NetworkCollisionCertificate",
    "PreimageCertificate",
    "SingletonsCertificate",
    "certify_collision",
    "certify_singletons",
    "from_json",
    "load",
    # of injectivity
    "RANK_LEAF",
    "Block",
    "Dominance",
    "InjectivityCertificate",
    "NetworkInjectivityCertificate",
    "NetworkRegionsCertificate",
    "NetworkWitnessCertificate",
    "StructureCertificate",
    "WitnessCertificate",
    # of injectivity, link by link
    "AloneProof",
    "ContractionProof",
    "LinkProof",
    "LinksCertificate",
    "MaximaProof",
    "NormalisationProof",
    "layer_alone",
    # checking them
    "NotProvedError",
    "Verification",
    "check_link",
    "forward",
    "preactivations",
    "read_onnx",
    "read_onnx_links",
    "verify",
]
