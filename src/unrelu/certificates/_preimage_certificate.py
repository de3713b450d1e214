"""What proves the kind and the dimension of a preimage."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from unrelu.certificates._collision_certificates import check_sizes
from unrelu.certificates._cone_proof import ConeProof, cone_fields, read_cone
from unrelu.certificates._domain_record import DomainRecord, domain_fields, read_domain
from unrelu.certificates._fields import Fields, number_list, refuse
from unrelu.certificates._format import Certificate, registered
from unrelu.certificates._layer_record import LayerRecord, LayerReference, layer_fields, read_layer

CLAIMS = ("singleton", "bounded", "unbounded", "empty")
_PROOFS = ("tangent", "recession", "output")


@registered
@dataclass(frozen=True, eq=False)
class PreimageCertificate(Certificate):
    """The inputs in a domain that share one output: how many they are, with proof.

    Attributes:
        layer: The layer.
        domain: The domain.
        x: The input whose output is meant, shape ``(n,)``; ``None`` where ``y`` is given.
        y: The output itself, shape ``(m,)``; ``None`` where ``x`` is given.
        kind: ``"singleton"``, ``"bounded"`` (more than one point), ``"unbounded"`` or ``"empty"``.
        dimension: Affine dimension claimed, -1 where none is.
        spanning: Strictly active rows that span R^n: nothing else is needed for a singleton.
        tangent: Directions in which one can leave the point inside the preimage: its dimension is the
            preimage's, and moving a little in ``direction`` leads into the preimage's relative interior.
        recession: Directions in which the preimage goes to infinity: {0} if it is bounded. Where a bounded
            domain settles that, it names the domain's rows alone.
        output: For a given output: that it is one, or is none. The system is homogenised: rows
            ``(w_i, b_i, -y_i)`` are 0 on active rows and at most 0 on the others and the domain's
            ``(g, -h, 0)``; then come ``s - s' = 0`` and ``-s <= 0``. Its ``direction`` ``(x, s, s')`` has
            ``s > 0``, and ``x / s`` lies in the preimage's relative interior; for an empty preimage its last
            row is an implied equality.
    """

    form: ClassVar[str] = "preimage"

    layer: LayerRecord | LayerReference
    domain: DomainRecord
    x: np.ndarray | None
    y: np.ndarray | None
    kind: str
    dimension: int
    spanning: np.ndarray | None = None
    tangent: ConeProof | None = None
    recession: ConeProof | None = None
    output: ConeProof | None = None

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {
            "layer": layer_fields(self.layer, rows),
            "domain": domain_fields(self.domain),
            "x": number_list(self.x),
            "y": number_list(self.y),
            "claim": str(self.kind),
            "dimension": int(self.dimension),
            "spanning": number_list(self.spanning),
            **{key: cone_fields(getattr(self, key)) for key in _PROOFS},
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        layer, domain = read_layer(fields.child("layer")), read_domain(fields.child("domain"))
        check_sizes([layer], domain, fields)
        x, y = fields.optional_floats("x", layer.n), fields.optional_floats("y", layer.m)
        if (x is None) == (y is None):
            refuse(f"{fields.name('x')}, y", "exactly one of the two", "both" if x is not None else "none")
        kind, dimension = fields.choice("claim", CLAIMS), fields.whole("dimension", -1, layer.n)
        total = layer.m + len(domain.inequalities()[1])
        proofs: dict[str, Any] = {"spanning": None}
        if not fields.skip_null("spanning"):
            proofs["spanning"] = fields.indices("spanning")
        for key in _PROOFS:
            further = 2 if key == "output" else 0
            if not fields.skip_null(key):
                proofs[key] = read_cone(fields.child(key), total + further, layer.n + further)
        return cls(layer, domain, x, y, kind, dimension, **proofs)
