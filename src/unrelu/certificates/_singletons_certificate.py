"""What proves that inputs, and all that is near them, share their outputs with no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from unrelu.certificates._cone_proof import ConeProof, cone_fields, read_cone
from unrelu.certificates._fields import Fields, refuse
from unrelu.certificates._format import Certificate, registered
from unrelu.certificates._layer_record import LayerRecord, LayerReference, layer_fields, read_layer
from unrelu.certificates._packing import pack, small, unpack


@registered
@dataclass(frozen=True, eq=False)
class SingletonsCertificate(Certificate):
    r"""Every input within a distance of some points is the only one in R^n with its output.

    To each point ``x_k`` belong rows that span R^n, those in `common` and one set of further ones, with
    :math:`w_i \cdot x_k + b_i > r |w_i|`: they are strictly active in the closed ball of radius ``r`` around
    the point, so that any output of it determines its input.

    With a radius of 0 a point may have a cone instead: of the directions in which active rows stay constant
    and rows that are 0 do not grow, those that keep its output, only 0 is left.

    Attributes:
        layer: The layer.
        points: Float64, shape ``(N, n)``, at least one.
        radius: Euclidean, at least 0; 0 for the points alone.
        common: Rows that belong to every point that has a set.
        sets: Row numbers, which many points may share.
        which: The number of each point's set, or ``len(sets)`` plus that of its cone, shape ``(N,)``.
        cones: Proofs that points are alone by rows that are 0 at them.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import LayerRecord, SingletonsCertificate, verify
        >>> layer = LayerRecord.dense(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), np.zeros(3))
        >>> points = np.array([[1.0, 2.0], [3.0, 4.0], [1.0, -2.0]])
        >>> rows = (np.array([0]), (np.array([1]), np.array([2])), np.array([0, 0, 1]))
        >>> verify(SingletonsCertificate(layer, points, 0.5, *rows)).statement
        'each input within 0.5 of one of 3 points is the only one in R^2 with its output of relu(W x + b)'
    """

    form: ClassVar[str] = "singletons"

    layer: LayerRecord | LayerReference
    points: np.ndarray
    radius: float
    common: np.ndarray
    sets: tuple[np.ndarray, ...]
    which: np.ndarray
    cones: tuple[ConeProof, ...] = ()

    def to_fields(self, rows: bool) -> dict[str, Any]:
        """Return the fields as JSON holds them.

        Raises:
            ArgumentError: If a number is too large for one of a row.
        """
        lengths = [len(part) for part in self.sets]
        numbers = [small(part) for part in (self.common, np.array(lengths), *self.sets, self.which)]
        return {
            "layer": layer_fields(self.layer, rows),
            "count": len(self.points),
            "radius": float(self.radius),
            "common": len(self.common),
            "sets": len(self.sets),
            "further": sum(lengths),
            "rows": pack(*numbers),
            "points": pack(np.asarray(self.points, dtype=np.float64)),
            "cones": [cone_fields(proof) for proof in self.cones],
        }

    @classmethod
    def read(cls, fields: Fields) -> Self:
        """Read what `to_fields` returned.

        Raises:
            ArgumentError: If a field is not as expected.
        """
        layer = read_layer(fields.child("layer"))
        count, radius = fields.whole("count", 1), fields.number("radius")
        sizes = [
            fields.whole("common", 0, layer.m),
            fields.whole("sets", 0, count),
            fields.whole("further"),
            count,
        ]
        arrays = unpack(fields.text("rows"), fields.name("rows"), [("<i4", size) for size in sizes])
        common, lengths, further, which = (array.astype(np.int64) for array in arrays)
        if (lengths < 0).any() or lengths.sum() != len(further):
            refuse(fields.name("rows"), f"sets of {len(further)} rows in all", "other lengths")
        sets = tuple(np.split(further, np.cumsum(lengths)[:-1])) if len(lengths) else ()
        cones = _read_cones(fields, layer)
        _check_numbers(fields.name("rows"), "row", [common, further], layer.m)
        _check_numbers(fields.name("rows"), "set", [which], len(sets) + len(cones))
        (points,) = unpack(fields.text("points"), fields.name("points"), [("<f8", count * layer.n)])
        if not np.isfinite(points).all():
            refuse(fields.name("points"), "finite numbers", "others")
        return cls(layer, points.reshape(count, layer.n), radius, common, sets, which, cones)


def _read_cones(fields: Fields, layer: LayerRecord | LayerReference) -> tuple[ConeProof, ...]:
    entries = fields.entries("cones")
    name = fields.name("cones")
    return tuple(
        read_cone(Fields(entry, f"{name}[{k}]"), layer.m, layer.n) for k, entry in enumerate(entries)
    )


def _check_numbers(name: str, what: str, numbers: list[np.ndarray], count: int) -> None:
    if any(((part < 0) | (part >= count)).any() for part in numbers):
        refuse(name, f"{what} numbers below {count}", "others")
