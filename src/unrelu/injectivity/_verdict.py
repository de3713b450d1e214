"""The three answers, and what comes with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unrelu.certificates import (
        InjectivityCertificate,
        LinksCertificate,
        NetworkInjectivityCertificate,
        NetworkRegionsCertificate,
        NetworkWitnessCertificate,
        StructureCertificate,
        WitnessCertificate,
    )
    from unrelu.preimage import Collision

    Proof: TypeAlias = InjectivityCertificate | StructureCertificate | WitnessCertificate
    NetworkProof: TypeAlias = (
        LinksCertificate
        | NetworkInjectivityCertificate
        | NetworkRegionsCertificate
        | NetworkWitnessCertificate
        | WitnessCertificate
    )


class Verdict(StrEnum):
    """Whether different inputs always have different outputs."""

    INJECTIVE = "injective"
    NOT_INJECTIVE = "not injective"
    UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class Decision:
    """The answer to whether a layer is injective on a domain.

    Attributes:
        verdict: The answer; INJECTIVE and NOT_INJECTIVE are true for the stored numbers.
        reason: Why, in a sentence.
        certificate: The proof, which `unrelu.verify` checks; ``None`` where unknown.
        collision: For NOT_INJECTIVE: two inputs of the domain with the same output, found from the witness.
        grade: ``"exact"``, or ``"exact-general-position"``: right where any n rows of ``W`` are linearly
            independent, which was assumed; ``"float"`` where ``W`` is itself a rounded product of several
            maps; empty where unknown.
        seconds: Time spent.
        interrupted: Whether Ctrl-C ended the search for an answer.
    """

    verdict: Verdict
    reason: str
    certificate: Proof | None = field(default=None, repr=False)
    collision: Collision | None = field(default=None, repr=False)
    grade: str = ""
    seconds: float = 0.0
    interrupted: bool = False


@dataclass(frozen=True, eq=False)
class NetworkDecision:
    """The answer to whether a network is injective on a domain.

    Attributes:
        verdict: The answer for the whole network.
        reason: Why, in a sentence; where unknown it names the layer or node that is open.
        layers: The answer for each layer, on a set that contains all its inputs. A layer that is not
            injective there refutes the network only if it is the first one. A layer inside of a residual
            block or another link that is proved as a whole is not asked, and UNKNOWN.
        collision: For NOT_INJECTIVE: two inputs with the same output, in float64.
        seconds: Time spent.
        certificate: The proof for the whole network, which `unrelu.verify` checks against it; of its first
            layer where that refutes a network that is no chain. ``None`` where there is none.
        grade: As for `Decision`, of the certificate.
        given: For INJECTIVE: nodes that subtract a mean of what they read, such as layer normalisation.
            Where there are any, the verdict is that of Puthawala et al. 2022: inputs with the same output
            *and* the same means at these nodes are the same. Without the means they may differ. With
            ``eps = 0`` scales are given too; the certificate's ``given`` says what.
    """

    verdict: Verdict
    reason: str
    layers: Mapping[str, Decision]
    collision: Collision | None = field(default=None, repr=False)
    seconds: float = 0.0
    certificate: NetworkProof | None = field(default=None, repr=False)
    grade: str = ""
    given: tuple[str, ...] = ()
