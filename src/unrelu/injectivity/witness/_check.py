"""What an input proves, decided exactly for the stored numbers."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.domains import Ball, Domain
from unrelu.frames import Frame, activity
from unrelu.layers import ReLULayer

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, eq=False)
class Point:
    """An input inside of the domain.

    Attributes:
        x: The input, shape ``(n,)``.
        active: Weakly active rows.
        independent: One of them for each line, zero rows left out: they span the same.
    """

    x: np.ndarray
    active: np.ndarray
    independent: np.ndarray


def examine(layer: ReLULayer, frame: Frame, domain: Domain, x: np.ndarray) -> Point | None:
    """Return the weakly active rows at an input, ``None`` if it is no finite point inside of the domain."""
    if not np.isfinite(x).all() or not inside(domain, x):
        return None
    active = np.flatnonzero(_signs(layer, x, frame) >= 0)
    return Point(x, active, frame.directions.one_per_line(active))


def inside(domain: Domain, x: np.ndarray) -> bool:
    """Return whether ``x`` is a point of a ball, or of a polyhedron, at which no inequality is tight."""
    if isinstance(domain, Ball):
        center = domain.center_point(len(x))
        return _squares(x, center) < Fraction(domain.radius) ** 2
    G, h = domain.inequalities(len(x))
    return len(h) == 0 or bool((_signs(ReLULayer(G, -h), x) < 0).all())


def _signs(layer: ReLULayer, x: np.ndarray, frame: Frame | None = None) -> np.ndarray:
    point = torch.from_numpy(x)[None].to(layer.bias.device)
    return activity(layer, point, frame).signs[0]


def _squares(x: Sequence[float] | np.ndarray, center: np.ndarray) -> Fraction:
    pairs = zip(map(float, x), map(float, center), strict=True)
    return sum(((Fraction(a) - Fraction(b)) ** 2 for a, b in pairs), Fraction(0))
