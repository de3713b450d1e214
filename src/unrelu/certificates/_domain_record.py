"""A convex domain as plain numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from unrelu.certificates._fields import Fields, refuse, vector

POLYHEDRA = ("space", "orthant", "box", "polytope")
KINDS = (*POLYHEDRA, "ball")


@dataclass(frozen=True, eq=False)
class DomainRecord:
    """A set ``{x : G x <= h}`` of inputs, or a ball.

    Rows are numbered as the domain itself numbers them: upper bounds of a box come before lower bounds, and
    infinite ones have no row.

    Attributes:
        kind: ``"space"``, ``"orthant"`` (``x >= 0``), ``"box"``, ``"polytope"`` or ``"ball"``.
        n: Dimension.
        lower: Lower bounds of a box, float64, shape ``(n,)``, maybe ``-inf``.
        upper: Upper bounds, maybe ``inf``.
        matrix: ``G`` of a polytope, float64, shape ``(p, n)``.
        offsets: ``h`` of a polytope, float64, shape ``(p,)``.
        center: Of a ball, float64, shape ``(n,)``.
        radius: Of a ball, Euclidean, positive.

    Raises:
        ArgumentError: If the kind is unknown or its numbers are missing, of another shape or not finite.

    Example:
        >>> from unrelu.certificates import DomainRecord
        >>> DomainRecord("orthant", 2).inequalities()[0]
        array([[-1., -0.],
               [-0., -1.]])
    """

    kind: str
    n: int
    lower: np.ndarray | None = None
    upper: np.ndarray | None = None
    matrix: np.ndarray | None = None
    offsets: np.ndarray | None = None
    center: np.ndarray | None = None
    radius: float | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            refuse("kind", f"one of {', '.join(KINDS)}", repr(self.kind))
        if self.n < 1:
            refuse("n", "at least 1", f"{self.n}")
        if self.kind == "box":
            lower, upper = _bounds(self.lower, self.upper, self.n)
            object.__setattr__(self, "lower", lower)
            object.__setattr__(self, "upper", upper)
        if self.kind == "polytope":
            matrix = np.array(self.matrix, dtype=np.float64)
            if matrix.ndim != 2 or matrix.shape[1] != self.n or not np.isfinite(matrix).all():
                refuse("matrix", f"finite numbers of shape (p, {self.n})", f"shape {matrix.shape}")
            object.__setattr__(self, "matrix", matrix)
            object.__setattr__(self, "offsets", vector(self.offsets, "offsets", len(matrix)))
        if self.kind == "ball":
            object.__setattr__(self, "center", vector(self.center, "center", self.n))
            if self.radius is None or not 0 < self.radius < np.inf:
                refuse("radius", "a positive number", f"{self.radius}")

    def inequalities(self) -> tuple[np.ndarray, np.ndarray]:
        """Return ``G`` of shape ``(p, n)`` and ``h`` of shape ``(p,)``, finite.

        Raises:
            ArgumentError: For a ball, which has none.
        """
        if self.kind == "ball":
            refuse("domain", f"one of {', '.join(POLYHEDRA)}", "a ball")
        if self.kind == "orthant":
            return -np.eye(self.n), np.zeros(self.n)
        if self.lower is not None and self.upper is not None:
            h = np.concatenate([self.upper, -self.lower])
            kept = np.isfinite(h)
            return np.concatenate([np.eye(self.n), -np.eye(self.n)])[kept], h[kept]
        if self.matrix is not None and self.offsets is not None:
            return self.matrix, self.offsets
        return np.zeros((0, self.n)), np.zeros(0)

    def describe(self) -> str:
        """Return the domain in words."""
        if self.kind == "orthant":
            return f"[0, inf)^{self.n}"
        if self.lower is not None and self.upper is not None:
            low, high = self.lower[0], self.upper[0]
            if (self.lower == low).all() and (self.upper == high).all():
                return f"[{low:g}, {high:g}]^{self.n}"
            return f"a box in R^{self.n}"
        if self.matrix is not None:
            return f"a polyhedron of {len(self.matrix)} inequalities in R^{self.n}"
        if self.center is not None:
            return f"a ball of radius {self.radius:g} in R^{self.n}"
        return f"R^{self.n}"


def domain_fields(domain: DomainRecord) -> dict[str, Any]:
    """Return a domain as JSON holds it; null stands for a bound that is infinite."""
    fields: dict[str, Any] = {"kind": domain.kind, "n": domain.n}
    for key, bound in (("lower", domain.lower), ("upper", domain.upper)):
        if domain.kind == "box" and bound is not None:
            fields[key] = [v if np.isfinite(v) else None for v in bound.tolist()]
    if domain.matrix is not None and domain.offsets is not None and domain.kind == "polytope":
        fields |= {"matrix": domain.matrix.tolist(), "offsets": domain.offsets.tolist()}
    if domain.kind == "ball" and domain.center is not None:
        fields |= {"center": domain.center.tolist(), "radius": domain.radius}
    return fields


def read_domain(fields: Fields, kinds: tuple[str, ...] = POLYHEDRA) -> DomainRecord:
    """Read what `domain_fields` returned, of one of some kinds.

    Raises:
        ArgumentError: If a field is not as expected.
    """
    kind, n = fields.choice("kind", kinds), fields.whole("n", 1)
    lower = upper = matrix = offsets = center = radius = None
    if kind == "box":
        lower = fields.floats("lower", n, -np.inf)
        upper = fields.floats("upper", n, np.inf)
    if kind == "polytope":
        offsets = fields.floats("offsets")
        rows = fields.entries("matrix", len(offsets))
        each = [Fields({"row": row}, fields.name("matrix")).floats("row", n) for row in rows]
        matrix = np.array(each, dtype=np.float64).reshape(len(offsets), n)
    if kind == "ball":
        center, radius = fields.floats("center", n), fields.number("radius")
    fields.end()
    return DomainRecord(kind, n, lower, upper, matrix, offsets, center, radius)


def _bounds(lower: object, upper: object, n: int) -> tuple[np.ndarray, np.ndarray]:
    low, high = (np.array(v, dtype=np.float64) for v in (lower, upper))
    for name, bound in (("lower", low), ("upper", high)):
        if bound.shape != (n,) or np.isnan(bound).any():
            refuse(name, f"{n} numbers", f"shape {bound.shape}")
    if (np.isposinf(low) | np.isneginf(high)).any():
        refuse("lower, upper", "bounds with a number between", "none")
    return low, high
