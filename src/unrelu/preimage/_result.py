"""What a preimage is, and what proves it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates import ConeProof, DomainRecord, PreimageCertificate
from unrelu.errors import ArgumentError

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.layers import ReLULayer
    from unrelu.preimage.cones import Cone


class Kind(StrEnum):
    """How large a preimage is."""

    SINGLETON = "singleton"
    BOUNDED = "bounded"  # more than one point
    UNBOUNDED = "unbounded"
    UNDECIDED = "undecided"


class Evidence(StrEnum):
    """How strong the proof is."""

    EXACT = "exact"  # true for the numbers as stored
    FLOAT = "float"  # true for numbers that differ from the stored ones by rounding
    NONE = "none"  # undecided


def cone_proof(equalities: np.ndarray, inequalities: np.ndarray, cone: Cone) -> ConeProof:
    """Say of which rows a cone consists."""
    dimension = cone.low if cone.low == cone.high else -1
    return ConeProof(equalities, inequalities, dimension, cone.implied, cone.multipliers, cone.direction)


@dataclass(frozen=True)
class Proof:
    """The parts of a `PreimageCertificate` that prove its statement; see there.

    Attributes:
        spanning: Strictly active rows that span R^n.
        tangent: Directions in which one can leave the point inside the preimage.
        recession: Directions in which the preimage goes to infinity.
        output: For a given output: that it is one.
    """

    spanning: np.ndarray | None = None
    tangent: ConeProof | None = None
    recession: ConeProof | None = None
    output: ConeProof | None = None


@dataclass(frozen=True)
class Preimage:
    """All inputs with the same output, in a domain.

    Attributes:
        kind: Singleton, bounded, unbounded or undecided; what is not undecided is proved.
        dimension: Affine dimension, -1 where it is not proved.
        radius: Certified radius: every point of the domain in the open ball of this Euclidean radius around
            ``x`` has a singleton preimage; 0 where that is not known.
        x: A point of the preimage, shape ``(n,)``; for a given output up to rounding, and ``None`` where none
            was found.
        proof: The proof.
        reason: Why, in a sentence.
        evidence: How strong the proof is.
        used_lp: Whether a linear program was solved.
        certificate: The statement and its proof together, to be kept and verified elsewhere; ``None`` where
            the kind is undecided, and for the points of a batch.
    """

    kind: Kind
    dimension: int
    radius: float
    x: np.ndarray | None
    proof: Proof
    reason: str
    evidence: Evidence
    used_lp: bool = False
    certificate: PreimageCertificate | None = None


def certificate_of(
    layer: ReLULayer,
    domain: Domain | None,
    given: tuple[np.ndarray | None, np.ndarray | None],
    claim: tuple[str, int],
    proof: Proof,
) -> PreimageCertificate:
    """Put a statement and its proof together.

    Args:
        layer: The layer.
        domain: The domain; all of R^n when ``None``.
        given: The input, or the output, of which the statement speaks.
        claim: Kind and dimension.
        proof: The proof.
    """
    return PreimageCertificate(
        layer.record(),
        DomainRecord("space", layer.n) if domain is None else domain.record(layer.n),
        *given,
        *claim,
        proof.spanning,
        proof.tangent,
        proof.recession,
        proof.output,
    )


@dataclass(frozen=True)
class Preimages:
    """What `preimage` says of a batch of inputs; arrays of shape ``(...,)``, the batch axes.

    Attributes:
        kinds: `Kind` of each, as strings.
        dimensions: Affine dimensions, -1 where not proved.
        radii: Certified radii.
        reasons: Why, a sentence each.
        n_lp: How many inputs needed a linear program.
    """

    kinds: np.ndarray
    dimensions: np.ndarray
    radii: np.ndarray
    reasons: np.ndarray
    n_lp: int


class OutputError(ArgumentError):
    """No input has the given output.

    Attributes:
        certificate: That the preimage is empty, by Farkas multipliers in its ``output``. ``None`` where an
            entry is negative.
    """

    def __init__(self, message: str, certificate: PreimageCertificate | None = None) -> None:
        super().__init__(message)
        self.certificate = certificate
