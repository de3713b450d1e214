"""Axis-parallel boxes, such as pixels in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unrelu.certificates import DomainRecord
from unrelu.domains._arrays import Array, Floats, Numbers, Tensor, constant, namespace
from unrelu.domains._base import Domain
from unrelu.domains._checks import parameter
from unrelu.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class Box(Domain):
    """{x : lo <= x <= hi}, coordinate by coordinate.

    Args:
        lo: Lower bounds, a number for all coordinates or a vector; -inf where there is none.
        hi: Upper bounds, likewise; +inf where there is none.

    Raises:
        ArgumentError: NaN, lengths that differ, or a pair of bounds with nothing between.
    """

    lo: Numbers
    hi: Numbers

    convex: ClassVar[bool] = True
    polyhedral: ClassVar[bool] = True

    def __post_init__(self) -> None:
        lo = parameter("lo", self.lo, infinite=True)
        hi = parameter("hi", self.hi, infinite=True)
        if np.ndim(lo) and np.ndim(hi) and np.size(lo) != np.size(hi):
            raise ArgumentError(f"hi: expected {np.size(lo)} bounds, as many as lo has, got {np.size(hi)}")
        self._refuse_empty(np.atleast_1d(lo), np.atleast_1d(hi))
        object.__setattr__(self, "lo", lo)
        object.__setattr__(self, "hi", hi)

    @staticmethod
    def _refuse_empty(lo: Floats, hi: Floats) -> None:
        empty = np.flatnonzero((lo > hi) | np.isposinf(lo) | np.isneginf(hi))
        if empty.size:
            i = int(empty[0])
            pair = np.broadcast_arrays(lo, hi)
            raise ArgumentError(
                f"lo: expected lo <= hi with a number between, got {pair[0][i]} and {pair[1][i]}"
            )

    @property
    def bounded(self) -> bool:
        """Whether all bounds are finite."""
        return bool(np.isfinite(self.lo).all() and np.isfinite(self.hi).all())

    @property
    def dimension(self) -> int | None:
        """The length of the vector of bounds; None where both are numbers."""
        return max(np.size(self.lo), np.size(self.hi)) if np.ndim(self.lo) or np.ndim(self.hi) else None

    def bounds(self, n: int | None = None) -> tuple[Floats, Floats]:
        """Lower and upper bounds, float64 vectors of length n (infinite where there is no bound).

        Raises:
            ArgumentError: `n` does not fit, or is missing where the bounds are numbers.
        """
        n = self.resolve_dimension(n)
        return np.full(n, self.lo, dtype=np.float64), np.full(n, self.hi, dtype=np.float64)

    def _holds(self, x: Array, tol: float) -> Array:
        lo, hi = self._limits(x)
        return ((x >= lo - tol) & (x <= hi + tol)).all(-1)

    def _project(self, x: Array) -> Array:
        return namespace(x).clip(x, *self._limits(x))

    def _sample(self, count: int, n: int, options: dict[str, Any]) -> Tensor:
        import torch

        if not self.bounded:
            self._refuse("no uniform distribution to sample from, because a bound is infinite")
        u = torch.rand(count, n, **options)
        lo, hi = self._limits(u)
        # not lo + (hi - lo) u: the difference may overflow, and rounding may leave the box
        return torch.clip((1 - u) * lo + u * hi, lo, hi)

    def _inequalities(self, n: int) -> tuple[Floats, Floats]:
        lo, hi = self.bounds(n)
        G = np.concatenate([np.eye(n), -np.eye(n)])
        h = np.concatenate([hi, -lo])
        return G[np.isfinite(h)], h[np.isfinite(h)]

    def _record(self, n: int) -> DomainRecord:
        return DomainRecord("box", n, *self.bounds(n))

    def _limits(self, like: Array) -> tuple[Array, Array]:
        # both as arrays of one kind: torch clips by two tensors or by two numbers
        return constant(np.asarray(self.lo), like), constant(np.asarray(self.hi), like)
