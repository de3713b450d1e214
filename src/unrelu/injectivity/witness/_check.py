"""What an input proves, decided exactly for the stored numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from unrelu.certificates import DomainRecord
from unrelu.certificates.injective import lies_inside
from unrelu.domains import Ball, Domain
from unrelu.frames import Frame, activity
from unrelu.layers import ReLULayer


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
        return lies_inside(DomainRecord("ball", len(x), center=center, radius=domain.radius), x)
    return lies_inside(domain.record(len(x)), x)


def _signs(layer: ReLULayer, x: np.ndarray, frame: Frame) -> np.ndarray:
    point = torch.from_numpy(x)[None].to(layer.bias.device)
    return activity(layer, point, frame).signs[0]
