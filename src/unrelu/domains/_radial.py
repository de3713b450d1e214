"""Sets of points at a distance from a center: balls, spheres and the shells between two spheres."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from unrelu.domains._arrays import Array, Floats, Numbers, Tensor, constant, namespace, norms
from unrelu.domains._base import Domain
from unrelu.domains._checks import number, parameter
from unrelu.errors import ArgumentError


@dataclass(frozen=True, eq=False)
class _Radial(Domain):
    """{x : inner <= |x - center| <= outer}."""

    polyhedral: ClassVar[bool] = False

    @property
    def bounded(self) -> bool:
        """True."""
        return True

    @abstractmethod
    def _radii(self) -> tuple[float, float]: ...

    def _center(self) -> Numbers:
        return 0.0

    def _holds(self, x: Array, tol: float) -> Array:
        inner, outer = self._radii()
        r = norms(x - constant(np.asarray(self._center()), x))[..., 0]
        return (r >= inner - tol) & (r <= outer + tol)

    def _project(self, x: Array) -> Array:
        where = namespace(x).where
        center = constant(np.asarray(self._center()), x)
        inner, outer = self._radii()
        r = norms(x - center)
        target = namespace(x).clip(r, inner, outer)
        direction = where(r > 0, x - center, _first_axis(x)) / where(r > 0, r, 1.0)
        direction = direction / norms(direction)  # a subnormal r is rounded by up to its half
        return where(r == target, x, center + target * direction)

    def _sample(self, count: int, n: int, options: dict[str, Any]) -> Tensor:
        # radius by the inverse of its distribution function, (r^n - inner^n) / (outer^n - inner^n)
        import torch

        inner, outer = self._radii()
        g = torch.randn(count, n, **options)
        r = norms(g)
        direction = torch.where(r > 0, g, _first_axis(g)) / torch.where(r > 0, r, 1.0)
        share = (inner / outer) ** n
        u = torch.rand(count, 1, **options)
        radius = torch.clip(outer * (share + (1 - share) * u) ** (1 / n), inner, outer)
        center: Tensor = constant(np.asarray(self._center()), g)
        return center + radius * direction


def _first_axis(like: Array) -> Array:
    """The direction taken where a point is at the center and all are as good."""
    axis = namespace(like).zeros_like(like)
    axis[..., 0] = 1
    return axis


@dataclass(frozen=True, eq=False)
class Ball(_Radial):
    """{x : |x - center| <= radius}, Euclidean and closed.

    Args:
        center: A vector, or a number for all coordinates.
        radius: Positive and finite.

    Raises:
        ArgumentError: A center that is not finite, a radius that is not positive and finite.
    """

    center: Numbers = 0.0
    radius: float = 1.0

    convex: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "center", parameter("center", self.center))
        object.__setattr__(self, "radius", number("radius", self.radius, positive=True))

    @property
    def dimension(self) -> int | None:
        """The length of the center; None where it is a number."""
        return np.size(self.center) if np.ndim(self.center) else None

    def center_point(self, n: int | None = None) -> Floats:
        """The center as a float64 vector of length n.

        Raises:
            ArgumentError: `n` does not fit, or is missing where the center is a number.
        """
        return np.full(self.resolve_dimension(n), self.center, dtype=np.float64)

    def _radii(self) -> tuple[float, float]:
        return 0.0, self.radius

    def _center(self) -> Numbers:
        return self.center


@dataclass(frozen=True, eq=False)
class Sphere(_Radial):
    """{x : |x| = radius}, centered at the origin; membership wants a tolerance, for norms are rounded.

    The center has no unique nearest point: its projection is the one on the first axis.

    Args:
        radius: Positive and finite.

    Raises:
        ArgumentError: A radius that is not positive and finite.
    """

    radius: float = 1.0

    convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", number("radius", self.radius, positive=True))

    def _radii(self) -> tuple[float, float]:
        return self.radius, self.radius


@dataclass(frozen=True, eq=False)
class Shell(_Radial):
    """{x : inner <= |x| <= outer}, what is left of normalised data without a neighbourhood of the origin.

    The center has no unique nearest point: its projection is the one on the first axis.

    Args:
        inner: Not negative.
        outer: Positive, finite, at least `inner`.

    Raises:
        ArgumentError: Radii that are not finite, or out of order.
    """

    inner: float
    outer: float

    convex: ClassVar[bool] = False

    def __post_init__(self) -> None:
        inner, outer = number("inner", self.inner), number("outer", self.outer, positive=True)
        if inner > outer:
            raise ArgumentError(f"inner: expected at most outer = {outer}, got {inner}")
        object.__setattr__(self, "inner", inner)
        object.__setattr__(self, "outer", outer)

    def _radii(self) -> tuple[float, float]:
        return self.inner, self.outer
