"""Links of a network: what lies between two places through which everything behind sees what is in front."""

from unrelu.certificates.links._alone import layer_alone
from unrelu.certificates.links._certificate import LinksCertificate
from unrelu.certificates.links._entrywise import EntryFunction
from unrelu.certificates.links._proofs import (
    AloneProof,
    ContractionProof,
    LinkProof,
    MaximaProof,
    NormalisationProof,
)
from unrelu.certificates.links._record import (
    HasLinks,
    LinkRecord,
    LinkRecords,
    LinkReference,
    link_of,
    reference_of,
)
from unrelu.certificates.links._step import LinkStep, NormRecord, StepReference
from unrelu.certificates.links._verify import check_link, verify_links

__all__ = [
    # what is computed
    "EntryFunction",
    "HasLinks",
    "LinkRecord",
    "LinkRecords",
    "LinkReference",
    "LinkStep",
    "NormRecord",
    "StepReference",
    "layer_alone",
    "link_of",
    "reference_of",
    # what proves it
    "AloneProof",
    "ContractionProof",
    "LinkProof",
    "LinksCertificate",
    "MaximaProof",
    "NormalisationProof",
    "check_link",
    "verify_links",
]
