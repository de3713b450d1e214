"""What a preimage is, and what proves it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from unrelu.errors import ArgumentError

if TYPE_CHECKING:
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


@dataclass(frozen=True)
class ConeProof:
    """What is proved about ``{d : w_i · d = 0 for i in equalities, w_i · d <= 0 for i in inequalities}``.

    Rows are numbered through: those of the layer, then those of ``G`` in the domain ``G x <= h``.

    Attributes:
        equalities: Row numbers.
        inequalities: Row numbers.
        dimension: Proved dimension of the cone, -1 where the bounds do not meet.
        implied: Inequalities that are 0 on the whole cone.
        multipliers: Proof from above: one number for each of ``equalities`` and then of ``implied``, positive
            on the latter, whose combination of rows is 0. ``None`` where there is no such proof, or no need.
        direction: Proof from below: 0 on ``equalities`` and ``implied``, negative on the other inequalities.

    Vectors are `fractions.Fraction`, or float64 and exact up to a correction that is proved to change no
    sign: the smallest one, with rows and columns scaled by powers of two to similar sizes.
    """

    equalities: np.ndarray
    inequalities: np.ndarray
    dimension: int
    implied: np.ndarray
    multipliers: np.ndarray | None = None
    direction: np.ndarray | None = None


def cone_proof(equalities: np.ndarray, inequalities: np.ndarray, cone: Cone) -> ConeProof:
    """Say of which rows a cone consists."""
    dimension = cone.low if cone.low == cone.high else -1
    return ConeProof(equalities, inequalities, dimension, cone.implied, cone.multipliers, cone.direction)


@dataclass(frozen=True)
class Certificate:
    """What proves the kind and the dimension of a preimage.

    Attributes:
        spanning: Strictly active rows that span R^n: nothing else is needed for a singleton.
        tangent: Directions in which one can leave the point inside the preimage: its dimension is the
            preimage's, and moving a little in ``direction`` leads into the preimage's relative interior.
        recession: Directions in which the preimage goes to infinity: {0} if it is bounded. Where a bounded
            domain settles that, it names the domain's rows alone.
        output: For a given output: that it is one. The system is homogenised: rows ``(w_i, b_i, -y_i)`` are 0
            on active rows and at most 0 on the others and the domain's ``(g, -h, 0)``; then come
            ``s - s' = 0`` and ``-s <= 0``. Its ``direction`` ``(x, s, s')`` has ``s > 0``, and ``x / s`` lies
            in the preimage's relative interior.
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
        certificate: The proof.
        reason: Why, in a sentence.
        evidence: How strong the proof is.
        used_lp: Whether a linear program was solved.
    """

    kind: Kind
    dimension: int
    radius: float
    x: np.ndarray | None
    certificate: Certificate
    reason: str
    evidence: Evidence
    used_lp: bool = False


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
        certificate: Farkas multipliers that prove it, for the homogenised system of `Certificate.output`:
            they make its last row an implied equality. ``None`` where an entry is negative.
    """

    def __init__(self, message: str, certificate: ConeProof | None = None) -> None:
        super().__init__(message)
        self.certificate = certificate
