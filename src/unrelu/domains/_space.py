"""The whole space and the non-negative orthant."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from unrelu.certificates import DomainRecord
from unrelu.domains._arrays import Array, Floats, namespace
from unrelu.domains._base import Domain


@dataclass(frozen=True, eq=False)
class Space(Domain):
    """All of R^n."""

    convex: ClassVar[bool] = True
    polyhedral: ClassVar[bool] = True

    @property
    def bounded(self) -> bool:
        """False."""
        return False

    def _holds(self, x: Array, tol: float) -> Array:
        return (x == x).all(-1)

    def _project(self, x: Array) -> Array:
        return x

    def _inequalities(self, n: int) -> tuple[Floats, Floats]:
        return np.zeros((0, n)), np.zeros(0)

    def _record(self, n: int) -> DomainRecord:
        return DomainRecord("space", n)


@dataclass(frozen=True, eq=False)
class Orthant(Domain):
    """{x : x >= 0}, where the outputs of a ReLU live."""

    convex: ClassVar[bool] = True
    polyhedral: ClassVar[bool] = True

    @property
    def bounded(self) -> bool:
        """False."""
        return False

    def _holds(self, x: Array, tol: float) -> Array:
        return (x >= -tol).all(-1)

    def _project(self, x: Array) -> Array:
        return namespace(x).clip(x, 0, None)

    def _inequalities(self, n: int) -> tuple[Floats, Floats]:
        return -np.eye(n), np.zeros(n)

    def _record(self, n: int) -> DomainRecord:
        return DomainRecord("orthant", n)
