"""Where the search moves: domains in coordinates in which all constraints have one size.

In each, ``z = rows y + offset`` has entries of size 1 at typical points: the rows have norm ``sqrt(d)`` and
``|y|`` is about 1. Rows and columns may be scaled as one likes, for only the signs of ``z`` matter.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import torch

from unrelu.domains import Ball, Box, Domain, Orthant, Space
from unrelu.errors import ArgumentError
from unrelu.injectivity.witness._inner_point import inner_point
from unrelu.injectivity.witness._rows import SearchRows

_WITHIN = 1 - 1e-6  # of bounded domains: float32 rounding must not lead out
_SPREADING = (3, 30)  # passes that make row norms and second moments equal, at least and at most
_WORK = 1e11  # products in a pass beyond which it takes too long
_EVEN = 2.0  # ratio of the largest to the smallest second moment at which they count as equal
_RANK = 1e-12  # eigenvalues of second moments, relative to the largest, below count as 0


@dataclass(frozen=True, eq=False)
class Region(ABC):
    """A part of the search space.

    Attributes:
        rows: Layer rows, then walls, float32, shape ``(r + walls, d)``.
        offset: Shape ``(r + walls, 1)``; 0 where there are walls.
        walls: Number of trailing rows that have to be negative: inequalities of the domain.
        inner: A point at which they are, shape ``(d, 1)``.
    """

    rows: torch.Tensor
    offset: torch.Tensor
    walls: int
    inner: torch.Tensor

    @abstractmethod
    def confine(self, Y: torch.Tensor, V: torch.Tensor) -> None:
        """Bring points, columns of ``Y``, back into the region and turn their velocities ``V``, in place."""

    @abstractmethod
    def point(self, y: torch.Tensor) -> np.ndarray:
        """Return the input that a point stands for, float64, shape ``(n,)``."""


@dataclass(frozen=True, eq=False)
class Cone(Region):
    """The unit sphere, on which points stand for rays.

    Attributes:
        lift: From points to inputs, or to inputs with a last coordinate that scales, float64 ``(n [+1], d)``.
        homogeneous: Whether there is no such last coordinate.
    """

    lift: np.ndarray
    homogeneous: bool

    def confine(self, Y: torch.Tensor, V: torch.Tensor) -> None:
        """Normalise, and make velocities tangential."""
        Y /= Y.norm(dim=0)
        V -= Y * (Y * V).sum(dim=0)

    def point(self, y: torch.Tensor) -> np.ndarray:
        """Return the input."""
        ray = self.lift @ y.double().cpu().numpy()
        with np.errstate(all="ignore"):
            return np.asarray(ray / np.abs(ray).max() if self.homogeneous else ray[:-1] / ray[-1])


@dataclass(frozen=True, eq=False)
class Bounded(Region):
    """A bounded domain with a closed-form projection, shifted and scaled to ``x = center + scale * y``."""

    center: np.ndarray
    scale: np.ndarray

    def point(self, y: torch.Tensor) -> np.ndarray:
        """Return the input."""
        return np.asarray(self.center + self.scale * y.double().cpu().numpy())


@dataclass(frozen=True, eq=False)
class Cube(Bounded):
    """A box."""

    def confine(self, Y: torch.Tensor, V: torch.Tensor) -> None:
        """Clip to ``|y_j| <= 1 / sqrt(d)``; what runs into a face stops there."""
        limit = _WITHIN / len(Y) ** 0.5
        V.masked_fill_(Y.abs().ge(limit), 0.0)
        Y.clamp_(-limit, limit)


@dataclass(frozen=True, eq=False)
class Disc(Bounded):
    """A ball."""

    def confine(self, Y: torch.Tensor, V: torch.Tensor) -> None:
        """Scale to ``|y| <= 1``; what runs out of the ball loses that part of its velocity."""
        norm = Y.norm(dim=0)
        outward = ((Y * V).sum(dim=0) / norm.square()).clamp(min=0)
        V -= torch.where(norm > _WITHIN, outward, 0.0) * Y
        Y /= (norm / _WITHIN).clamp(min=1)


@dataclass(frozen=True, eq=False)
class Corner(Region):
    """A box with one finite bound a coordinate, ``x = corner + scale * y[:-1] / y[-1]`` for ``y > 0``."""

    corner: np.ndarray
    scale: np.ndarray

    def confine(self, Y: torch.Tensor, V: torch.Tensor) -> None:
        """Clip and normalise; what runs into a face stops there."""
        Y /= Y.norm(dim=0)
        V -= Y * (Y * V).sum(dim=0)
        least = (1 - _WITHIN) / len(Y) ** 0.5
        V.masked_fill_(Y.le(least), 0.0)
        Y.clamp_(min=least)

    def point(self, y: torch.Tensor) -> np.ndarray:
        """Return the input."""
        ray = y.double().cpu().numpy()
        return np.asarray(self.corner + self.scale * ray[:-1] / ray[-1])


def region_of(rows: SearchRows, domain: Domain, device: torch.device | str) -> Region:
    """Return the region to search for a domain.

    Raises:
        ArgumentError: If the domain is no convex polyhedron or ball, or a box without inner points.
    """
    if not (isinstance(domain, Ball) or (isinstance(domain, Domain) and domain.polyhedral)):
        raise ArgumentError(f"domain: expected a convex polyhedron or a Ball, got {type(domain).__name__}")
    n = domain.resolve_dimension(rows.weight.shape[1])
    if isinstance(domain, Ball):
        center, scale = domain.center_point(n), np.full(n, domain.radius)
        return Disc(*_bounded(rows, center, scale, device), center, scale)
    if isinstance(domain, Box) and domain.bounded:
        center, scale = inner_point(domain, n), np.subtract(*domain.bounds(n)) * (-0.5 * n**0.5)
        return Cube(*_bounded(rows, center, scale, device), center, scale)
    if isinstance(domain, Box | Orthant):
        lower, upper = domain.bounds(n) if isinstance(domain, Box) else (np.zeros(n), np.full(n, np.inf))
        if (np.isfinite(lower) != np.isfinite(upper)).all():
            return _corner(rows, lower, upper, device)
    return _cone(rows, domain, device)


def _bounded(
    rows: SearchRows, center: np.ndarray, scale: np.ndarray, device: torch.device | str
) -> tuple[torch.Tensor, torch.Tensor, int, torch.Tensor]:
    weight, norms = _unit(rows.weight * scale)
    size = len(center) ** 0.5
    offset = (rows.weight @ center + rows.bias) / norms
    inner = torch.zeros(len(center), 1, device=device)
    return _single(size * weight, device), _single(size * offset[:, None], device), 0, inner


def _corner(rows: SearchRows, lower: np.ndarray, upper: np.ndarray, device: torch.device | str) -> Corner:
    up = np.isfinite(lower)
    corner, sign = np.where(up, lower, upper), np.where(up, 1.0, -1.0)
    unit, _ = _unit(np.c_[rows.weight * sign, rows.bias + rows.weight @ corner])
    size = np.linalg.norm(unit, axis=0)
    # Columns of the same size, but for those of zeros.
    size = np.where(size > 0, size, 1.0)
    spread, _ = _unit(unit / size)
    return Corner(
        _single(len(size) ** 0.5 * spread, device),
        torch.zeros(len(unit), 1, device=device),
        0,
        torch.zeros(len(size), 1, device=device),
        corner,
        sign * size[-1] / size[:-1],
    )


def _cone(rows: SearchRows, domain: Domain, device: torch.device | str) -> Cone:
    n = rows.weight.shape[1]
    homogeneous = isinstance(domain, Space) and not rows.bias.any()
    stacked, walls, inner = rows.weight, 0, np.zeros(n)
    if not homogeneous:
        G, h = domain.inequalities(n)
        last = np.append(np.zeros(n), -1.0)[None]
        stacked = np.concatenate([np.c_[rows.weight, rows.bias], np.c_[G, -h], last])
        walls, inner = len(G) + 1, np.append(inner_point(domain, n), 1.0)
    spread, lift = _spread(stacked)
    start = np.linalg.lstsq(lift, inner)[0][:, None]
    size = spread.shape[1] ** 0.5
    return Cone(
        _single(size * spread, device),
        torch.zeros(len(spread), 1, device=device),
        walls,
        _single(_unit(start.T)[0].T, device),
        lift,
        homogeneous,
    )


def _spread(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit rows in coordinates in which their second moments are nearly equal, and the way back.

    The fixed point of the passes is Tyler's (1987) M-estimator of scatter.
    """
    lift = np.eye(rows.shape[1])
    least, most = _SPREADING if 0 < rows.size * rows.shape[1] <= _WORK else (0, 0)
    for k in range(most):
        rows, _ = _unit(rows)
        values, vectors = np.linalg.eigh(rows.T @ rows)
        large = values > _RANK * values[-1]
        if k >= least and values[-1] <= _EVEN * values[large][0]:
            break
        step = vectors[:, large] / np.sqrt(values[large])
        rows, lift = rows @ step, lift @ step
    return _unit(rows)[0], lift


def _unit(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    norms = np.linalg.norm(rows, axis=1)
    norms = np.where(norms > 0, norms, 1.0)
    return rows / norms[:, None], norms


def _single(array: np.ndarray, device: torch.device | str) -> torch.Tensor:
    return torch.tensor(array, dtype=torch.float32, device=device)
