"""Sets given by linear inequalities."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from unrelu.certificates import DomainRecord
from unrelu.domains._arrays import Array, Floats, Numbers, Tensor, constant
from unrelu.domains._base import Domain
from unrelu.domains._checks import matrix, parameter
from unrelu.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class Polytope(Domain):
    """{x : G x <= h}, bounded or not; whether any x fulfils the inequalities is not checked.

    Args:
        G: Outer normals, shape (p, n).
        h: Right-hand sides, shape (p,), or one number for all.

    Raises:
        ArgumentError: Shapes that do not fit, or numbers that are not finite.
    """

    G: Numbers
    h: Numbers

    convex: ClassVar[bool] = True
    polyhedral: ClassVar[bool] = True

    def __post_init__(self) -> None:
        G = matrix("G", self.G)
        h = np.zeros(0) if np.size(self.h) == 0 else np.asarray(parameter("h", self.h))
        if h.ndim and h.shape[0] != G.shape[0]:
            raise ArgumentError(f"h: expected {G.shape[0]} numbers, one for each row of G, got {h.shape[0]}")
        h = np.full(G.shape[0], h)
        h.flags.writeable = False
        object.__setattr__(self, "G", G)
        object.__setattr__(self, "h", h)

    @property
    def dimension(self) -> int:
        """The number of columns of G."""
        return int(np.shape(self.G)[1])

    @cached_property
    def bounded(self) -> bool:
        """Whether {d : G d <= 0} is {0}, decided by a linear program in float64.

        By Stiemke's theorem that is: G has rank n and some lambda > 0 solves G^T lambda = 0. An empty
        polytope may be called unbounded.
        """
        from scipy.optimize import linprog

        G = np.asarray(self.G)
        scale = np.linalg.norm(G, axis=1, keepdims=True)
        rows = (G / np.where(scale > 0, scale, 1))[scale[:, 0] > 0]
        if np.linalg.matrix_rank(rows) < self.dimension:
            return False
        # any positive lambda can be scaled to lambda >= 1
        found = linprog(np.zeros(len(rows)), A_eq=rows.T, b_eq=np.zeros(self.dimension), bounds=(1, None))
        return bool(found.status == 0)

    def _holds(self, x: Array, tol: float) -> Array:
        G, h = self._inequalities(self.dimension)
        slack = h + tol * np.linalg.norm(G, axis=1)
        return (x @ constant(G, x).T <= constant(slack, x)).all(-1)

    def _sample(self, count: int, n: int, options: dict[str, Any]) -> Tensor:
        self._refuse("no uniform sampler here; draw from an enclosing Box and keep what it contains")

    def _inequalities(self, n: int) -> tuple[Floats, Floats]:
        return np.asarray(self.G), np.asarray(self.h)

    def _record(self, n: int) -> DomainRecord:
        return DomainRecord("polytope", n, matrix=np.asarray(self.G), offsets=np.asarray(self.h))
