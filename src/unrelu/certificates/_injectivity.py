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

    A *support* is a set ``C`` of rows with :math:`\sum_{i \in C} \lambda_i row_i = 0` for some
    ``lambda > 0``: at no point of the domain are all layer rows of ``C`` negative.
    Let ``F`` be a flat (the rows in some subspace other than R^n) such that all rows outside ``F`` are
    negative at a point. A node ``(Z, N)`` of the tree speaks of those flats that contain ``Z`` and nothing of
    ``N``; the root of all. When no node is left open there is no such flat. The nodes, depth first:

    - ``k >= 0``: branch on support ``k``, which has nothing in ``Z``. ``F`` contains a row of it. The
      children follow, one for each of its layer rows outside ``N``, ascending: ``Z`` and this row, ``N`` and
      the rows of earlier children. Without children the node is closed.
    - ``-p``, then ``p >= 1`` supports that have nothing in common with each other, outside ``N``, nor with
      ``Z``: any choice of one row from each, together with ``Z``, has rank n, or its span holds a row of
      ``N``, so that ``F`` is none. In general position it is enough that ``|Z| + p >= n``.
    - `RANK_LEAF`: the same without supports: already the rows ``Z`` are too many.

    Attributes:
        layer: The layer.
        domain: The domain.
        grade: ``"exact"``: the rank at every leaf is checked. ``"exact-general-position"``: rows are counted,
            which is right where any n rows of the layer are linearly independent.
        support_starts: Where each support starts, int64, shape ``(s + 1,)``.
        support_rows: The rows of each support, ascending, int32.
        tree: The nodes, int32.
        support_weights: For each support ``None``, or ``lambda`` as Fractions where the rows leave a choice
            of it; ``None`` where no support needs them.

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
        return cls(layer, domain, grade, starts, support_rows, tree, weights)


def _read_weights(fields: Fields, lengths: list[int]) -> tuple[np.ndarray | None, ...]:
    """Read one vector, or null, for each support."""
    entries = fields.entries("weights", len(lengths))
    each = [Fields({"support": entry}, fields.name("weights")) for entry in entries]
    return tuple(entry.numbers("support", length) for entry, length in zip(each, lengths, strict=True))
