"""Checking that a layer is, or is not, injective on a domain: exact, without a solver."""

from unrelu.certificates.injective._structure_proof import part_of, verify_structure
from unrelu.certificates.injective._tree_proof import verify_injective
from unrelu.certificates.injective._witness_proof import certify_witness, verify_witness

__all__ = ["certify_witness", "part_of", "verify_injective", "verify_structure", "verify_witness"]
