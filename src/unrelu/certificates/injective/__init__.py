"""Checking that a layer is, or is not, injective on a domain: exact, without a solver."""

from unrelu.certificates.injective._corners import always_active, bounds, box_around
from unrelu.certificates.injective._dependencies import positive_dependencies
from unrelu.certificates.injective._dominance_proof import is_dominant
from unrelu.certificates.injective._opposite import mirrored
from unrelu.certificates.injective._rows import exact_vector
from unrelu.certificates.injective._signs import lies_inside, signs_at
from unrelu.certificates.injective._structure_proof import holds_projection, part_of, verify_structure
from unrelu.certificates.injective._tree_proof import verify_injective
from unrelu.certificates.injective._witness_proof import certify_witness, verify_witness

__all__ = [
    "always_active",
    "bounds",
    "box_around",
    "certify_witness",
    "exact_vector",
    "holds_projection",
    "is_dominant",
    "lies_inside",
    "mirrored",
    "part_of",
    "positive_dependencies",
    "signs_at",
    "verify_injective",
    "verify_structure",
    "verify_witness",
]
