"""Checking that a layer is, or is not, injective on a domain: exact, without a solver."""

from unrelu.certificates.injective._corners import always_active, bounds
from unrelu.certificates.injective._dependencies import positive_dependencies
from unrelu.certificates.injective._structure_proof import part_of, verify_structure
from unrelu.certificates.injective._tree_proof import verify_injective
from unrelu.certificates.injective._witness_proof import certify_witness, verify_witness

__all__ = [
    "always_active",
    "bounds",
    "certify_witness",
    "part_of",
    "positive_dependencies",
    "verify_injective",
    "verify_structure",
    "verify_witness",
]
