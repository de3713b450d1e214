"""What proves that a small chain of ReLU layers is injective: all pairs of its linear regions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from unrelu.certificates._collision_certificates import chain_fields, read_chain
from unrelu.certificates._domain_record import DomainRecord, domain_fields
from unrelu.certificates._fields import Fields
from unrelu.certificates._format import Certificate, registered
from unrelu.certificates._layer_record import LayerRecord, LayerReference
from unrelu.certificates._packing import pack, unpack


@registered
@dataclass(frozen=True, eq=False)
class NetworkRegionsCertificate(Certificate):
    r"""No two inputs of a polyhedron have the same output: shown for all pairs of linear regions.

    Affine functions are rows ``(a, c)`` on points ``(x, 1)``. The rows of a region are those of the domain,
    ``(g_j, -h_j)`` for ``G x <= h``, then ``(0, -1)``, then one for each branch on the way to it, ``(a, c)``
    where the neuron is inactive and ``-(a, c)`` where it is active: none is positive on the region.

    A *circuit* is a set of rows with :math:`\sum \lambda_i row_i = 0` for one ``lambda > 0``, up to a factor:
    its rows are 0 wherever none is positive; with ``(0, -1)`` among them there is no such point.

    ``tree`` visits the neurons in order, layer by layer, depth first. A pre-activation that is 0 throughout
    has no entry; for any other there is:

    - ``0``: a branch; the side where it is ``<= 0`` comes first.
    - ``k > 0``, then ``k`` numbers of the region's rows, which make a circuit together with the
      pre-activation: it is nowhere negative.
    - ``-k < 0``, then ``k`` numbers: likewise with the opposite of the pre-activation, nowhere positive.

    ``pairs`` has an entry for each pair of regions ``r <= s``, in order: a number of circuits, and for each
    its size and its rows, those of ``r`` and behind them those of ``s``. They are circuits on the space of
    ``(x, x', 1)`` with the same output in both regions. Where all of their rows are 0 there, ``x = x'``, or a
    circuit shows that there is no such point.

    Attributes:
        layers: The ReLU layers, in order.
        last: An affine map behind them, without a ReLU; ``None`` where there is none.
        domain: The domain, polyhedral.
        tree: int32.
        pairs: int32.
    """

    form: ClassVar[str] = "network-injective-regions"

    layers: tuple[LayerRecord | LayerReference, ...]
    last: LayerRecord | LayerReference | None
    domain: DomainRecord
    tree: np.ndarray
    pairs: np.ndarray

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        tree, pairs = (stream.astype(np.int32) for stream in (self.tree, self.pairs))
        return {
            **chain_fields(self.layers, self.last, rows),
            "domain": domain_fields(self.domain),
            "tree": len(tree),
            "pairs": len(pairs),
            "proof": pack(tree, pairs),
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        layers, last, domain = read_chain(fields)
        sizes = [("<i4", fields.whole(key)) for key in ("tree", "pairs")]
        tree, pairs = unpack(fields.text("proof"), fields.name("proof"), sizes)
        return cls(layers, last, domain, tree, pairs)
