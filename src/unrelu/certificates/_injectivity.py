"""What proves that a layer is injective: supports of positive dependencies, and a tree that branches on them.

Froese, Grillo and Skutella 2024 decide injectivity by such a tree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from unrelu.certificates._collision_certificates import check_sizes
from unrelu.certificates._domain_record import DomainRecord, domain_fields, read_domain
from unrelu.certificates._fields import Fields, number_list, refuse
from unrelu.certificates._format import Certificate, registered
from unrelu.certificates._layer_record import LayerRecord, LayerReference, layer_fields, read_layer
from unrelu.certificates._packing import pack, unpack

GRADES = ("exact", "exact-general-position")
RANK_LEAF = int(np.iinfo(np.int32).min)


@registered
@dataclass(frozen=True, eq=False)
class InjectivityCertificate(Certificate):
    r"""At every point of a convex domain the weakly active rows span R^n: the layer is injective there.

    Rows are homogenised: row ``i < m`` is ``(w_i, b_i)``, row ``m + j`` is ``(g_j, -h_j)`` for the domain
    ``G x <= h``, and the last one, ``m + p``, is ``(0, -1)``.

    A node ``(Z, N)`` of the tree speaks of those inner points of the domain at which the rows ``Z`` of the
    layer are weakly active and the rows ``N`` are not; the root of all. A *support* is a set ``C`` of rows,
    and a set ``D`` of rows of the layer, with
    :math:`\sum_{i \in C} \lambda_i row_i = \sum_{i \in D} \lambda_i row_i` for some ``lambda > 0``: where all
    of ``D`` are weakly active, so is a layer row of ``C``. At a node with ``D`` in ``Z`` it names rows, those
    of ``C`` outside ``N``, of which one is weakly active; where there are none, the node is void. The nodes,
    depth first:

    - ``i >= 0``: branch on row ``i`` of the layer. The node ``(Z + i, N)`` follows, and then ``(Z, N + i)``.
    - ``-p``, then ``p >= 1`` supports with ``D`` in ``Z`` and nothing of ``C`` in ``Z``. In grade ``exact``
      no two have a row outside ``N`` in common, and any choice of one row from each has rank n together
      with ``Z``. In general position it is enough to count: when no row is in more than ``c`` of them, the
      weakly active rows are at least ``|Z| + p / c``; closed if that is more than ``n - 1``.
    - `RANK_LEAF`: the same without supports: already the rows ``Z`` have rank n.

    Attributes:
        layer: The layer.
        domain: The domain.
        grade: ``"exact"``: the rank at every leaf is checked. ``"exact-general-position"``: rows are counted,
            which is right where any n rows of the layer are linearly independent.
        support_starts: Where each support starts, int64, shape ``(s + 1,)``.
        support_rows: The rows of each support, ascending, int32; a row ``i`` of ``D`` is written ``-1 - i``.
        tree: The nodes, int32.
        support_weights: For each support ``None``, or ``lambda`` as Fractions where the rows leave a choice
            of it; ``None`` where no support needs them.
        inner: A point inside of the domain, float64, shape ``(n,)``. Needed only where some ``C`` has neither
            a row of the layer nor the last one: such a support could also say that the domain has no
            inner point.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import DomainRecord, InjectivityCertificate, LayerRecord, verify
        >>> layer = LayerRecord.dense(np.array([[1.0], [-1.0]]), np.zeros(2))
        >>> proof = (np.array([0, 2]), np.array([0, 1]), np.array([-1, 0]))
        >>> verify(InjectivityCertificate(layer, DomainRecord("space", 1), "exact", *proof)).statement
        'relu(W x + b) is injective on R^1'
    """

    form: ClassVar[str] = "injective"

    layer: LayerRecord | LayerReference
    domain: DomainRecord
    grade: str
    support_starts: np.ndarray
    support_rows: np.ndarray
    tree: np.ndarray
    support_weights: Sequence[np.ndarray | None] | None = None
    inner: np.ndarray | None = None

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        lengths = np.diff(self.support_starts).astype(np.int32)
        return {
            "layer": layer_fields(self.layer, rows),
            "domain": domain_fields(self.domain),
            "grade": self.grade,
            "supports": len(lengths),
            "entries": len(self.support_rows),
            "nodes": len(self.tree),
            "proof": pack(lengths, self.support_rows.astype(np.int32), self.tree.astype(np.int32)),
            "inner": None if self.inner is None else self.inner.tolist(),
            "weights": None
            if self.support_weights is None
            else [number_list(w) for w in self.support_weights],
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        layer, domain = read_layer(fields.child("layer")), read_domain(fields.child("domain"))
        check_sizes([layer], domain, fields)
        grade = fields.choice("grade", GRADES)
        sizes = [fields.whole(key) for key in ("supports", "entries", "nodes")]
        lengths, support_rows, tree = unpack(
            fields.text("proof"), fields.name("proof"), [("<i4", size) for size in sizes]
        )
        starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])
        if (lengths < 1).any() or starts[-1] != len(support_rows):
            refuse(fields.name("proof"), f"supports of {sizes[1]} rows in all", "other lengths")
        weights = None if fields.skip_null("weights") else _read_weights(fields, lengths.tolist())
        inner = fields.optional_floats("inner", layer.n)
        return cls(layer, domain, grade, starts, support_rows, tree, weights, inner)


def _read_weights(fields: Fields, lengths: list[int]) -> tuple[np.ndarray | None, ...]:
    """Read one vector, or null, for each support."""
    entries = fields.entries("weights", len(lengths))
    each = [Fields({"support": entry}, fields.name("weights")) for entry in entries]
    return tuple(entry.numbers("support", length) for entry, length in zip(each, lengths, strict=True))
