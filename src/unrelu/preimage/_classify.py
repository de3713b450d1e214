"""The preimage of a layer's output, from the signs at one of its points (Behrmann et al. 2018, Theorem 4).

Around a point of the preimage only the rows at 0 bound it, so that its dimension is that of the cone of these
rows; far away all rows count, by their directions alone.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import lsmr

from unrelu.certificates import ConeProof
from unrelu.domains import Box, Domain
from unrelu.errors import ArgumentError
from unrelu.frames._frame import to_dense
from unrelu.frames._scaling import near_one
from unrelu.frames._scaling import scaled_rows as rows_scaled_by
from unrelu.preimage._result import Evidence, Kind, Preimage, Proof, cone_proof
from unrelu.preimage.cones import Cone, ScaledRows, independent_direction, scaled_rows

if TYPE_CHECKING:
    from unrelu.frames import Frame

_ENTRIES = 20_000_000  # of a dense matrix with all rows: 160 MB, and seconds for a factorisation
TOO_LARGE = "the rows are too many to be worked with as a dense matrix"


class Classifier:
    """Classifies preimages under one layer in one domain.

    Attributes:
        frame: The layer's rows.
        domain_rows: ``G`` of the domain ``{x : G x <= h}``, shape ``(p, n)``.
        domain_offsets: ``h``.
    """

    def __init__(self, frame: Frame, domain: Domain | None, *, exact: bool = True) -> None:
        """Take the rows, and whether these and the bias are the model's own numbers.

        Raises:
            ArgumentError: If the domain is not polyhedral or of another dimension.
        """
        self.frame, self._domain = frame, domain
        n = frame.n
        no_rows = np.zeros((0, n)), np.zeros(0)
        self.domain_rows, self.domain_offsets = no_rows if domain is None else domain.inequalities(n)
        self.evidence = Evidence.EXACT if exact else Evidence.FLOAT

    @property
    def total(self) -> int:
        """Number of rows, the layer's and then the domain's."""
        return self.frame.m + len(self.domain_rows)

    @property
    def fits(self) -> bool:
        """Whether all rows may be held as a dense matrix."""
        return self.total * self.frame.n <= _ENTRIES

    @cached_property
    def rows(self) -> ScaledRows:
        """All rows, dense."""
        own = to_dense(self.frame.rows(np.arange(self.frame.m)))
        return scaled_rows(np.concatenate([own, self.domain_rows]))

    @cached_property
    def bounded_domain(self) -> ConeProof | None:
        """A proof that the domain is bounded, by its own rows."""
        if self._domain is None or not self._domain.bounded:
            return None
        p = len(self.domain_rows)
        numbers = self.frame.m + np.arange(p)
        if isinstance(self._domain, Box):  # each unit row comes with its opposite
            return ConeProof(numbers[:0], numbers, 0, numbers, np.ones(p))
        cone = scaled_rows(self.domain_rows).cone(np.arange(0), np.arange(p))
        if cone.high:
            return None
        return ConeProof(numbers[:0], numbers, 0, numbers[cone.implied], cone.multipliers)

    @cached_property
    def _line(self) -> np.ndarray | None:
        """A direction orthogonal to all rows, nearly, where it is known beforehand that there is one."""
        frame = self.frame
        if len(self.domain_rows) or frame.max_rank == frame.n:
            return None
        if len(frame.zero_columns):
            return np.eye(1, frame.n, frame.zero_columns[0])[0]
        rows = rows_scaled_by(frame.matrix, near_one(frame.matrix))
        start = np.random.default_rng(0).standard_normal(frame.n)
        line = start - lsmr(rows, rows @ start, atol=1e-14, btol=1e-14)[0]
        size = np.linalg.norm(line)
        return line / size if 0 < size < np.inf else None

    def prepare(self, points: int) -> None:
        """Do what all points share, before threads start.

        Args:
            points: Their number: what costs more than it saves is left out.
        """
        if self.bounded_domain is not None or self._line is not None or not self.fits:
            return
        if self.rows.recession and points > self.total / self.frame.n:
            self.rows.recession.hold()

    def spanning(self, active: np.ndarray, x: np.ndarray | None, radius: float) -> Preimage:
        """Return the singleton that rows ``active``, proved to span, make it."""
        reason = "strictly active rows span R^n"
        return Preimage(Kind.SINGLETON, 0, radius, x, Proof(spanning=active), reason, self.evidence)

    def classify(self, signs: np.ndarray, x: np.ndarray | None, rank: int = -1) -> Preimage:
        """Classify the preimage around one of its points, where active rows are not known to span.

        Args:
            signs: Of ``W x + b`` and ``G x - h`` at the point, exact, shape ``(m + p,)``.
            x: The point, to be returned.
            rank: Of the strictly active rows, -1 where it is not proved.
        """
        active, zero, others = (np.flatnonzero(part) for part in (signs > 0, signs == 0, signs <= 0))
        far = None if len(zero) else self._far(active, others)
        tangent = self._tangent(active, zero, len(active) if far else rank)
        proof = cone_proof(active, zero, tangent)
        if tangent.high == 0:
            reason = "rows at 0 leave no direction to go" if len(zero) else "strictly active rows span R^n"
            certificate = Proof(tangent=proof)
            return Preimage(
                Kind.SINGLETON, 0, 0.0, x, certificate, reason, self.evidence, used_lp=tangent.used_lp
            )
        kind, reason, recession, used_lp = self._recession(active, others, far)
        if kind == Kind.BOUNDED and tangent.low == 0:
            kind, reason = Kind.UNDECIDED, "it is bounded, but its dimension could not be proved"
        return Preimage(
            kind,
            proof.dimension,
            0.0,
            x,
            Proof(tangent=proof, recession=recession),
            reason,
            Evidence.NONE if kind == Kind.UNDECIDED else self.evidence,
            tangent.used_lp or used_lp,
        )

    def _far(self, active: np.ndarray, others: np.ndarray) -> Cone | None:
        """Return the recession cone of active rows that are easily proved independent."""
        if not self.fits or self.bounded_domain is not None or self._line is not None:
            return None
        return self.rows.recession_cone(active, others)

    def _tangent(self, active: np.ndarray, zero: np.ndarray, rank: int) -> Cone:
        n = self.frame.n
        if rank < 0 and not len(zero):
            low, high = self.frame.rank_bounds(active, eliminate=False)
            rank = low if low == high else -1
        if rank >= 0 and not len(zero):
            return Cone(n - rank, n - rank, zero)
        if self.fits:
            return self.rows.cone(active, zero)
        own = zero[zero < self.frame.m]
        borders = sp.csr_array(self.domain_rows[zero[len(own) :] - self.frame.m])
        rows = sp.vstack([sp.csr_array(self.frame.rows(np.append(active, own))), borders]).tocsr()
        direction = independent_direction(rows, len(active)) if rows.shape[0] <= n else None
        if direction is not None:
            return Cone(n - len(active), n - len(active), zero[:0], direction=direction)
        # All of these rows are 0 on a subspace of at least this dimension.
        return Cone(max(0, n - rows.shape[0]), n, zero)

    def _recession(
        self, active: np.ndarray, others: np.ndarray, far: Cone | None
    ) -> tuple[Kind, str, ConeProof | None, bool]:
        if self.bounded_domain is not None:
            return Kind.BOUNDED, "the domain is bounded", self.bounded_domain, False
        if self._line is not None:
            proof = ConeProof(active, others, -1, others, direction=self._line)
            return Kind.UNBOUNDED, "a line is orthogonal to all rows", proof, False
        if not self.fits:
            return Kind.UNDECIDED, TOO_LARGE, None, False
        cone = far or self.rows.cone(active, others)
        proof = cone_proof(active, others, cone)
        if cone.high == 0:
            reason = "rows that span combine to 0, the inactive ones with positive weights"
            return Kind.BOUNDED, reason, proof, cone.used_lp
        if cone.low > 0:
            return Kind.UNBOUNDED, "a direction leads to infinity", proof, cone.used_lp
        reason = "directions to infinity were neither proved nor excluded: rounding errors, or too many rows"
        return Kind.UNDECIDED, reason, proof, cone.used_lp


def check_domain(domain: object) -> None:
    """Refuse what is no domain.

    Raises:
        ArgumentError: Naming what was given.
    """
    if domain is not None and not isinstance(domain, Domain):
        raise ArgumentError(f"domain: expected a domain such as unrelu.Box(0, 1), got {domain!r}")
