"""What proves that a chain of ReLU layers is injective, or is not (Puthawala et al. 2022, Section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from unrelu.certificates._collision_certificates import (
    chain_fields,
    check_sizes,
    entries_of_layers,
    read_chain,
)
from unrelu.certificates._domain_record import KINDS, DomainRecord, domain_fields
from unrelu.certificates._fields import Fields, number_list, refuse
from unrelu.certificates._format import Certificate, registered
from unrelu.certificates._injectivity import GRADES, InjectivityCertificate
from unrelu.certificates._layer_record import LayerRecord, LayerReference, layer_fields, read_layer
from unrelu.certificates._structure import StructureCertificate

LayerProof: TypeAlias = InjectivityCertificate | StructureCertificate

LAYER_PROOFS: dict[str, type[LayerProof]] = {
    kind.form: kind for kind in (InjectivityCertificate, StructureCertificate)
}
"""The proofs of one layer, by what ``"kind"`` is in JSON."""


@registered
@dataclass(frozen=True, eq=False)
class NetworkInjectivityCertificate(Certificate):
    """Every layer of a chain is injective on a set that holds all its inputs; then so is the chain.

    The domain of each proof but the first holds the image of the one before under its layer. This is checked
    for R^n, the orthant and boxes.

    Attributes:
        proofs: For each ReLU layer, in order, that it is injective on its proof's domain.
        last: An affine map behind them, of rank ``n``; ``None`` where there is none.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import DomainRecord, LayerRecord, NetworkInjectivityCertificate
        >>> from unrelu.certificates import StructureCertificate, verify
        >>> first = LayerRecord.dense(np.array([[1.0], [-1.0]]), np.zeros(2))
        >>> none = np.zeros(0, dtype=int)
        >>> proof = StructureCertificate(first, DomainRecord("space", 1), np.array([[0, 1]]), none)
        >>> last = LayerRecord.dense(np.array([[1.0, 2.0], [0.0, 1.0]]), np.ones(2))
        >>> verify(NetworkInjectivityCertificate((proof,), last)).statement
        '1 ReLU layer and an affine map are injective on R^1'
    """

    form: ClassVar[str] = "network-injective"

    proofs: tuple[LayerProof, ...]
    last: LayerRecord | LayerReference | None

    @property
    def layers(self) -> tuple[LayerRecord | LayerReference, ...]:
        """The ReLU layers, in order."""
        return tuple(proof.layer for proof in self.proofs)

    @property
    def domain(self) -> DomainRecord:
        """The domain of the chain: that of its first layer."""
        return self.proofs[0].domain

    @property
    def grade(self) -> str:
        """The weakest of the grades of the layers' proofs."""
        return max((proof.grade for proof in self.proofs), key=GRADES.index)

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {
            "layers": [{"kind": proof.form, **proof.to_fields(rows)} for proof in self.proofs],
            "last": None if self.last is None else layer_fields(self.last, rows),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        proofs = tuple(map(read_layer_proof, entries_of_layers(fields)))
        last = None if fields.skip_null("last") else read_layer(fields.child("last"))
        layers = [proof.layer for proof in proofs]
        check_sizes(layers if last is None else [*layers, last], proofs[0].domain, fields, KINDS)
        return cls(proofs, last)


def read_layer_proof(fields: Fields) -> LayerProof:
    """Read the proof of one layer, of either kind.

    Raises:
        ArgumentError: If a field is not as expected.
    """
    found = LAYER_PROOFS[fields.choice("kind", tuple(LAYER_PROOFS))].read(fields)
    fields.end()
    return found


@registered
@dataclass(frozen=True, eq=False)
class NetworkWitnessCertificate(Certificate):
    """Two inputs with the same output, or a point around which too few neurons are active.

    Where no other input is given, the point lies inside of the domain, and fewer than ``n`` neurons of some
    layer, or outputs, are weakly active there. In a linear region that the point borders on, no others are
    active, so that the chain has rank below ``n`` there.

    A chain that goes on behind these maps confuses the same inputs.

    Attributes:
        layers: The ReLU layers, in order, as far as they are needed.
        last: An affine map behind them, without a ReLU; ``None`` where there is none.
        domain: The domain.
        x: The point, shape ``(n,)``, float64 or Fractions.
        other: Another input with exactly the same output, shape ``(n,)``; or ``None``.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import DomainRecord, LayerRecord, NetworkWitnessCertificate, verify
        >>> layers = (LayerRecord.dense(np.array([[1.0], [-1.0]]), np.zeros(2)),)
        >>> last = LayerRecord.dense(np.ones((1, 2)), np.zeros(1))  # the absolute value
        >>> pair = (np.array([1.0]), np.array([-1.0]))
        >>> verify(NetworkWitnessCertificate(layers, last, DomainRecord("space", 1), *pair)).statement
        '1 ReLU layer and an affine map are not injective on R^1'
    """

    form: ClassVar[str] = "network-not-injective"

    layers: tuple[LayerRecord | LayerReference, ...]
    last: LayerRecord | LayerReference | None
    domain: DomainRecord
    x: np.ndarray
    other: np.ndarray | None = None

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {
            **chain_fields(self.layers, self.last, rows),
            "domain": domain_fields(self.domain),
            "x": number_list(self.x),
            "other": number_list(self.other),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        layers, last, domain = read_chain(fields, KINDS)
        x, other = (fields.numbers(key, domain.n) for key in ("x", "other"))
        if x is None:
            refuse(fields.name("x"), f"{domain.n} numbers", "null")
        return cls(layers, last, domain, x, other)
