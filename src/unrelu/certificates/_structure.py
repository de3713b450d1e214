"""What proves that a layer is injective by its structure (Puthawala et al. 2022, domain decomposition)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from unrelu.certificates._collision_certificates import check_sizes
from unrelu.certificates._domain_record import KINDS, DomainRecord, domain_fields, read_domain
from unrelu.certificates._dominance import Dominance
from unrelu.certificates._fields import Fields, refuse
from unrelu.certificates._format import Certificate, registered
from unrelu.certificates._injectivity import GRADES, InjectivityCertificate
from unrelu.certificates._layer_record import LayerRecord, LayerReference, layer_fields, read_layer
from unrelu.certificates._packing import pack, small, unpack

_MOST_BLOCKS = 1_000_000


@dataclass(frozen=True, eq=False)
class Block:
    """Rows that use only some columns, and span those at every point of the domain.

    The same numbers may stand in several places, as those of a convolution do.

    Attributes:
        proof: That the layer of these rows and columns alone is injective, on a domain that holds the
            projection of the whole one. It may name the layer without its numbers, and has no blocks itself.
        rows: Row numbers, int64, shape ``(places, m of the block)``.
        columns: Column numbers, int64, shape ``(places, n of the block)``.
    """

    proof: InjectivityCertificate | StructureCertificate
    rows: np.ndarray
    columns: np.ndarray


@registered
@dataclass(frozen=True, eq=False)
class StructureCertificate(Certificate):
    """At every point of the domain the weakly active rows span R^n: parts of the layer show it.

    Each part names vectors that the weakly active rows span at every point of the closed domain: a row that
    is weakly active everywhere; a row ``i`` of a pair ``(w_i, b_i)``, ``(-d w_i, b_j)`` with ``d > 0`` and
    ``b_i + b_j / d >= 0``, of which one or the other is; the unit vectors of a block's columns. These vectors
    together span R^n: their rank is computed, or they are block diagonally dominant.

    Attributes:
        layer: The layer.
        domain: The domain.
        pairs: Numbers ``(i, j)`` of opposite rows, int64, shape ``(k, 2)``.
        always: Rows that are weakly active on the whole domain, int64.
        blocks: Blocks of rows and columns.
        faces: On a polytope, for each row of ``always`` those of the domain that bound it from below: numbers
            of inequalities, ascending, and their count where the bound is not tight. The row
            ``(w_i, b_i)``, these ``(g_j, -h_j)``, and then ``(0, -1)`` have one positive dependency.
            ``None`` on other domains, where the bound is known in closed form.
        dominance: A partition of the columns that no block covers, and of rows ``i`` of ``pairs`` and then
            rows of ``always``, under which these are block diagonally dominant. ``None``: their rank is to be
            computed.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import DomainRecord, LayerRecord, StructureCertificate, verify
        >>> layer = LayerRecord.dense(np.array([[1.0], [-1.0]]), np.array([-1.0, 1.0]))
        >>> parts = (np.array([[0, 1]]), np.zeros(0, dtype=int))
        >>> verify(StructureCertificate(layer, DomainRecord("space", 1), *parts)).reason
        '1 pairs of opposite rows span R^n at every point'
    """

    form: ClassVar[str] = "injective-structure"

    layer: LayerRecord | LayerReference
    domain: DomainRecord
    pairs: np.ndarray
    always: np.ndarray
    blocks: tuple[Block, ...] = ()
    faces: tuple[np.ndarray, ...] | None = None
    dominance: Dominance | None = None

    @property
    def grade(self) -> str:
        """The weakest of the grades of the blocks' proofs."""
        return max((block.proof.grade for block in self.blocks), default=GRADES[0], key=GRADES.index)

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them."""
        return {
            "layer": layer_fields(self.layer, rows),
            "domain": domain_fields(self.domain),
            "pairs": len(self.pairs),
            "always": len(self.always),
            "rows": pack(small(self.pairs), small(self.always)),
            "faces": None if self.faces is None else [np.asarray(part).tolist() for part in self.faces],
            "dominance": None if self.dominance is None else self.dominance.to_fields(),
            "blocks": [
                {
                    "places": len(block.rows),
                    "numbers": pack(small(block.rows), small(block.columns)),
                    "proof": block.proof.to_fields(False),
                }
                for block in self.blocks
            ],
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        layer, domain = read_layer(fields.child("layer")), read_domain(fields.child("domain"), KINDS)
        check_sizes([layer], domain, fields, KINDS)
        sizes = [2 * fields.whole("pairs", 0, layer.m), fields.whole("always", 0, layer.m)]
        pairs, always = _numbers(fields, "rows", sizes)
        entries = fields.entries("blocks")
        if len(entries) > _MOST_BLOCKS:
            refuse(fields.name("blocks"), f"at most {_MOST_BLOCKS} blocks", f"{len(entries)}")
        faces = None if fields.skip_null("faces") else _read_faces(fields, sizes[1])
        dominance = _read_dominance(fields, len(pairs) // 2 + len(always), layer.n)
        blocks = tuple(
            _read_block(Fields(entry, f"{fields.name('blocks')}[{k}]")) for k, entry in enumerate(entries)
        )
        return cls(layer, domain, pairs.reshape(-1, 2), always, blocks, faces, dominance)


def _numbers(fields: Fields, key: str, sizes: list[int]) -> list[np.ndarray]:
    """Read whole numbers, one array after another."""
    arrays = unpack(fields.text(key), fields.name(key), [("<i4", size) for size in sizes])
    return [array.astype(np.int64) for array in arrays]


def _read_faces(fields: Fields, count: int) -> tuple[np.ndarray, ...]:
    entries = fields.entries("faces", count)
    return tuple(Fields({"row": entry}, fields.name("faces")).indices("row") for entry in entries)


def _read_dominance(fields: Fields, lines: int, n: int) -> Dominance | None:
    return None if fields.skip_null("dominance") else Dominance.read(fields.child("dominance"), lines, n)


def _read_block(fields: Fields) -> Block:
    value = fields.take("proof")
    inner = Fields(value, fields.name("proof"))
    proof = (StructureCertificate if "pairs" in value else InjectivityCertificate).read(inner)
    inner.end()
    places = fields.whole("places", 1)
    m, n = proof.layer.m, proof.layer.n
    rows, columns = _numbers(fields, "numbers", [places * m, places * n])
    fields.end()
    return Block(proof, rows.reshape(places, m), columns.reshape(places, n))
