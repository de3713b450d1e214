"""From an output to a point of its preimage, or to a proof that it is none (Farkas).

Homogenised, ``W_I x + b_I s = y_I s', s = s', W_i x + b_i s <= 0, s >= 0`` is a cone like any other. The
output is one if ``s`` is not 0 on all of it, and a direction inside it is a point of the preimage's relative
interior. Two variables ``s`` and ``s'`` keep all coefficients the stored numbers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from unrelu.certificates import ConeProof
from unrelu.frames import analyse_points
from unrelu.frames._frame import to_dense
from unrelu.preimage._classify import TOO_LARGE, Classifier
from unrelu.preimage._result import (
    Evidence,
    Kind,
    OutputError,
    Preimage,
    Proof,
    certificate_of,
    cone_proof,
)
from unrelu.preimage.cones import pivots, scaled_rows
from unrelu.solvers import minimize

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.layers import ReLULayer
    from unrelu.preimage.cones import Cone

_ROUNDING = 16.0  # allowed on top of the dtype's rounding error and the number of terms
_NEAR = 1e-6  # violation, of a row scaled to largest number 1, that the solver does not tell from none


def classify_output(
    layer: ReLULayer, y: np.ndarray, eps: float, classifier: Classifier, domain: Domain | None
) -> Preimage:
    """Describe the preimage of one output.

    Args:
        layer: The layer, in float64.
        y: The output, finite, shape ``(m,)``.
        eps: Relative rounding error that ``y`` was computed with.
        classifier: Knows the rows.
        domain: The domain, all of R^n when ``None``.

    Raises:
        OutputError: If ``y`` is no output.
    """
    negative = int((y < 0).sum())
    if negative:
        raise OutputError(f"y: expected outputs of a ReLU, got {negative} negative entries")
    if not classifier.fits:
        return _undecided(TOO_LARGE)
    system = _System(classifier, layer.bias.cpu().numpy(), y)
    active = np.flatnonzero(y > 0)
    first = system.cone(active)
    if system.feasible(first):
        signs, x = system.point(first, active)
        found = _around(layer, classifier, signs, x)
        return _with_output(found, system.proof(first, active))
    basis = active[pivots(classifier.rows.matrix[active]).basis]
    if len(basis) < len(active):
        second = system.cone(basis)
        if system.feasible(second):
            signs, x = system.point(second, active)
            if x is not None and system.near(x, active, eps):
                found = _rounded(_around(layer, classifier, signs, x))
                return _with_output(found, system.proof(second, basis))
    if not system.infeasible(first):
        return _undecided("y was neither proved to be an output nor proved not to be one")
    if system.distance(active) <= _NEAR:
        return _undecided("no input has exactly this output, but one may have it up to rounding")
    message = "y: expected an output of the layer on the domain, but no input has this one"
    proof = Proof(output=system.proof(first, active))
    raise OutputError(message, certificate_of(layer, domain, (None, y), ("empty", -1), proof))


def _undecided(reason: str) -> Preimage:
    return Preimage(Kind.UNDECIDED, -1, 0.0, None, Proof(), reason, Evidence.NONE)


def _around(layer: ReLULayer, classifier: Classifier, signs: np.ndarray, x: np.ndarray | None) -> Preimage:
    """Classify with the exact signs at a point in the relative interior, of which ``x`` is a rounding."""
    active = np.flatnonzero(signs > 0)
    if classifier.frame.rank_bounds(active)[0] < classifier.frame.n:
        return classifier.classify(signs, x)
    near = () if x is None else analyse_points(layer, x, frame=classifier.frame, n_jobs=1).radius.tolist()
    return classifier.spanning(active, x, max(near, default=0.0))


def _with_output(found: Preimage, proof: ConeProof) -> Preimage:
    return replace(found, proof=replace(found.proof, output=proof))


def _rounded(found: Preimage) -> Preimage:
    """Say that the answer is for an output that differs from ``y`` by rounding."""
    evidence = Evidence.NONE if found.evidence == Evidence.NONE else Evidence.FLOAT
    return replace(found, evidence=evidence, reason=f"{found.reason}; y is an output up to rounding")


class _System:
    """The homogenised equations and inequalities of one output."""

    def __init__(self, classifier: Classifier, bias: np.ndarray, y: np.ndarray) -> None:
        frame = classifier.frame
        self.m, self.n, self.total = frame.m, frame.n, classifier.total
        self.bias, self.y = bias, y
        self.inactive = np.concatenate([np.flatnonzero(y == 0), np.arange(self.m, self.total)])
        own = np.column_stack([to_dense(frame.rows(np.arange(frame.m))), bias, -y])
        h = classifier.domain_offsets
        borders = np.column_stack([classifier.domain_rows, -h, np.zeros(len(h))])
        both, above = np.zeros((2, self.n + 2))
        both[-2:] = 1.0, -1.0
        above[-2] = -1.0
        self.matrix = np.vstack([own, borders, both, above])
        self.scaled = scaled_rows(self.matrix)

    def cone(self, active: np.ndarray) -> Cone:
        """Analyse the system with equations for these rows only."""
        return self.scaled.cone(np.append(active, self.total), np.append(self.inactive, self.total + 1))

    def feasible(self, cone: Cone) -> bool:
        """Whether the cone is proved to reach ``s > 0``."""
        return cone.direction is not None and self.total + 1 not in cone.implied

    def infeasible(self, cone: Cone) -> bool:
        """Whether the cone is proved to have ``s = 0``."""
        return cone.high == 0 or (cone.multipliers is not None and self.total + 1 in cone.implied)

    def point(self, cone: Cone, active: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Return the signs of all rows inside the preimage, and a point there, rounded if in range."""
        signs = np.full(self.total, -1, dtype=np.int8)
        signs[active] = 1
        signs[cone.implied[cone.implied < self.total]] = 0
        direction = np.asarray(cone.direction)
        try:
            x = (direction[: self.n] / direction[self.n]).astype(np.float64)
        except OverflowError:  # of a Fraction
            return signs, None
        return signs, x if np.isfinite(x).all() else None

    def near(self, x: np.ndarray, active: np.ndarray, eps: float) -> bool:
        """Whether the outputs at ``x`` differ from ``y`` by rounding."""
        rows = self.matrix[active, : self.n]
        size = np.abs(rows) @ np.abs(x) + np.abs(self.bias[active]) + self.y[active]
        off = np.abs(rows @ x + self.bias[active] - self.y[active])
        return bool((off <= _ROUNDING * (self.n + 8) * eps * size).all())

    def distance(self, active: np.ndarray) -> float:
        """Return by how much the best input violates a scaled row, nearly."""
        rows = self.scaled.matrix[:-2].copy()
        rows[:, -2:] /= self.scaled.by_column[-2:]  # s = s' = 1, whatever their scale
        equal, below = rows[active], rows[self.inactive]
        below[:, -1] = 0.0  # the output of these rows is 0
        both = np.concatenate([equal, -equal, below])
        low, high = np.full(self.n + 1, -np.inf), np.full(self.n + 1, np.inf)
        low[-1] = 0.0
        found = minimize(
            np.eye(1, self.n + 1, self.n)[0],
            np.column_stack([both[:, : self.n], -np.ones(len(both))]),
            -both[:, self.n] - both[:, self.n + 1],
            (low, high),
        )
        return float(found.v[-1]) if found.optimal else np.inf

    def proof(self, cone: Cone, active: np.ndarray) -> ConeProof:
        """Return the proof, rows numbered as in the system: equation ``s = s'`` and ``-s <= 0`` come last."""
        return cone_proof(np.append(active, self.total), np.append(self.inactive, self.total + 1), cone)
