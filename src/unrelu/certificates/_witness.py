"""What proves that a layer is not injective (Puthawala et al. 2022, Theorem 1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from unrelu.certificates._collision_certificates import check_sizes
from unrelu.certificates._domain_record import KINDS, DomainRecord, domain_fields, read_domain
from unrelu.certificates._fields import Fields, number_list, refuse
from unrelu.certificates._format import Certificate, registered
from unrelu.certificates._layer_record import LayerRecord, LayerReference, layer_fields, read_layer


@registered
@dataclass(frozen=True, eq=False)
class WitnessCertificate(Certificate):
    """A point inside of the domain whose weakly active rows (``w_i · x + b_i >= 0``) do not span R^n.

    Close to it, inputs that differ by a multiple of a vector orthogonal to these rows have the same output.

    Attributes:
        layer: The layer.
        domain: The domain.
        x: The point, shape ``(n,)``, float64 or Fractions.
        direction: A vector other than 0 that is orthogonal to the weakly active rows, float64 or Fractions;
            ``None`` where those that are not zero lie on fewer than n lines.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import DomainRecord, LayerRecord, WitnessCertificate, verify
        >>> layer = LayerRecord.dense(np.eye(2), np.zeros(2))
        >>> verify(WitnessCertificate(layer, DomainRecord("space", 2), np.array([1.0, -1.0]))).reason
        'only 1 rows other than 0 are weakly active at x'
    """

    form: ClassVar[str] = "not-injective"

    layer: LayerRecord | LayerReference
    domain: DomainRecord
    x: np.ndarray
    direction: np.ndarray | None = None

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {
            "layer": layer_fields(self.layer, rows),
            "domain": domain_fields(self.domain),
            "x": number_list(self.x),
            "direction": number_list(self.direction),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        layer, domain = read_layer(fields.child("layer")), read_domain(fields.child("domain"), KINDS)
        check_sizes([layer], domain, fields, KINDS)
        x, direction = fields.numbers("x", layer.n), fields.numbers("direction", layer.n)
        if x is None:
            refuse(fields.name("x"), f"{layer.n} numbers", "null")
        return cls(layer, domain, x, direction)
