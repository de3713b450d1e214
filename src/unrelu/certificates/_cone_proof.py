"""What is proved about a polyhedral cone given by rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unrelu.certificates._fields import Fields, number_list, refuse


@dataclass(frozen=True, eq=False)
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
            ``None`` likewise.

    Vectors are `fractions.Fraction`, or float64 and exact up to a correction that changes no sign.
    """

    equalities: np.ndarray
    inequalities: np.ndarray
    dimension: int
    implied: np.ndarray
    multipliers: np.ndarray | None = None
    direction: np.ndarray | None = None

    def __post_init__(self) -> None:
        for name in ("equalities", "inequalities", "implied"):
            if not len(getattr(self, name)):  # an empty array may be of any type
                object.__setattr__(self, name, np.zeros(0, dtype=np.int64))


def cone_fields(proof: ConeProof | None) -> dict[str, Any] | None:
    """Return a proof as JSON holds it."""
    if proof is None:
        return None
    return {
        "equalities": proof.equalities.tolist(),
        "inequalities": proof.inequalities.tolist(),
        "dimension": int(proof.dimension),
        "implied": proof.implied.tolist(),
        "multipliers": number_list(proof.multipliers),
        "direction": number_list(proof.direction),
    }


def read_cone(fields: Fields, rows: int, n: int) -> ConeProof:
    """Read what `cone_fields` returned.

    Args:
        fields: The proof's fields.
        rows: How many rows there are.
        n: Their length.

    Raises:
        ArgumentError: If a field is not as expected.
    """
    index = {}
    for key in ("equalities", "inequalities", "implied"):
        index[key] = fields.indices(key)
        if len(index[key]) and index[key].max() >= rows:
            refuse(fields.name(key), f"row numbers below {rows}", f"{index[key].max()}")
    proof = ConeProof(
        index["equalities"],
        index["inequalities"],
        fields.whole("dimension", -1, n),
        index["implied"],
        fields.numbers("multipliers", len(index["equalities"]) + len(index["implied"])),
        fields.numbers("direction", n),
    )
    fields.end()
    return proof
