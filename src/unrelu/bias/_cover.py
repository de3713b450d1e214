"""Cones of n rows each that together cover R^n: proposed by Qhull, checked here."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np
from scipy.spatial import ConvexHull, QhullError

from unrelu.errors import ArgumentError
from unrelu.frames._scaling import UNIT

CHUNK = 20_000  # facets worked on at a time: some 100 MB in dimension 10
_SHIFTS = (0.0, 1e-9, 1e-6)  # of lengths; the last for many coplanar rows, as of the cube in dimension 8
_CLEAR = 1e-7  # distance from which on 0 is safely inside


@dataclass(frozen=True)
class Cover:
    """Simplicial cones that cover R^n.

    Attributes:
        corners: Numbers of the n independent rows that span each cone, shape ``(count, n)``.
        clearance: Lower bounds of the distances of the rows' affine hulls from 0, shape ``(count,)``.
    """

    corners: np.ndarray
    clearance: np.ndarray


def most_facets(m: int, n: int) -> int:
    """Return the largest number of facets a polytope with m vertices in R^n can have (McMullen 1970)."""
    half = n // 2
    if n % 2:
        return 2 * comb(m - half - 1, half)
    return comb(m - half, half) + comb(m - half - 1, half - 1)


def cover(unit: np.ndarray) -> Cover:
    """Find and check cones that cover R^n.

    They are those of the facets of the rows' convex hull, facets with more than n corners cut into simplices.
    Where Qhull's own way of cutting leaves flat pieces, lengths are changed a little at random: cones do not
    depend on them, and the facets of the new hull are simplices.

    Nothing rests on Qhull, nor on convexity. Every cone is spanned by n independent rows; its faces are
    paired, each with the same face of another cone which lies on the other side of it. So whoever crosses a
    face leaves as many cones as they enter, and the number of cones around a point is the same for all points
    off the boundaries, hence at least 1, and the closed cones leave nothing uncovered. All signs are above
    the rounding error.

    Args:
        unit: Rows of length 1, shape ``(m, n)``, m > n >= 2.

    Raises:
        ArgumentError: 0 is not in the interior of the convex hull, or float64 cannot tell.
    """
    random = np.random.default_rng(0)
    for shift in _SHIFTS:
        try:
            hull = ConvexHull(unit * (1 + shift * random.random((len(unit), 1))))
        except QhullError as error:
            raise ArgumentError(
                "layer: expected omnidirectional rows (0 in the interior of their convex hull), got rows"
                " whose hull is flat in float64"
            ) from error
        _refuse_half_space(unit, hull.equations)
        clearance = _checked(unit, hull.simplices, hull.neighbors)
        if clearance is not None:
            return Cover(hull.simplices, clearance)
    raise ArgumentError(
        "layer: undecided; float64 cannot confirm that the cones of the rows' facets cover all directions"
        " (rows that almost coincide, or 0 almost on the boundary of their convex hull)"
    )


def _refuse_half_space(unit: np.ndarray, equations: np.ndarray) -> None:
    """Refuse where a facet does not have 0 strictly on its inner side: then its normal activates no row."""
    worst = equations[np.argmax(equations[:, -1]), :-1]
    largest = float((unit @ worst).max())
    if largest > _CLEAR:
        return
    n = unit.shape[1]
    direction = np.array2string(worst, precision=4, separator=", ", max_line_width=1000)
    if largest < -(n + 8) * UNIT * np.sqrt(n):
        raise ArgumentError(
            "layer: expected omnidirectional rows (0 in the interior of their convex hull), got rows whose"
            f" products with x = {direction} are all negative"
        )
    raise ArgumentError(
        "layer: undecided whether the rows are omnidirectional: 0 is on the boundary of their convex hull,"
        f" or too near to it for float64; the normalised rows' products with {direction} reach {largest:.0e}"
    )


def _checked(unit: np.ndarray, corners: np.ndarray, neighbors: np.ndarray) -> np.ndarray | None:
    """Return the clearances if the cones are confirmed to cover R^n, else ``None``."""
    clearance = np.empty(len(corners))
    for start in range(0, len(corners), CHUNK):
        part = slice(start, start + CHUNK)
        opposite = _opposite_corners(corners, neighbors, np.arange(len(corners))[part])
        distance = None if opposite is None else _distances(unit, corners[part], opposite)
        if distance is None:
            return None
        clearance[part] = distance
    return clearance


def _opposite_corners(corners: np.ndarray, neighbors: np.ndarray, index: np.ndarray) -> np.ndarray | None:
    """Return the corner that each neighbour has beyond the shared face; ``None`` if faces are not paired."""
    own, beside = corners[index], corners[neighbors[index]]
    foreign = ~(beside[..., None] == own[:, None, None, :]).any(axis=3)
    left_out = ~(own[:, :, None] == beside).any(axis=2)
    if (foreign.sum(axis=2) != 1).any() or not left_out.all():
        return None
    place = foreign.argmax(axis=2)
    back = np.take_along_axis(neighbors[neighbors[index]], place[..., None], axis=2)[..., 0]
    if (back != index[:, None]).any():
        return None
    opposite: np.ndarray = np.take_along_axis(beside, place[..., None], axis=2)[..., 0]
    return opposite


def _distances(unit: np.ndarray, corners: np.ndarray, opposite: np.ndarray) -> np.ndarray | None:
    """Return distances from 0 if all opposite corners lie beyond their faces, else ``None``."""
    v, n = unit[corners], unit.shape[1]
    try:
        inverse = np.linalg.inv(v)
    except np.linalg.LinAlgError:
        return None
    size = np.linalg.norm(inverse, axis=(1, 2))
    # with V X = I + R:  V^-1 = X (I + R)^-1
    residual = np.linalg.norm(v @ inverse - np.eye(n), axis=(1, 2)) + n**1.5 * UNIT * size
    share = unit[opposite] @ inverse
    own = np.diagonal(share, axis1=1, axis2=2)
    error = 2 * residual[:, None] * np.linalg.norm(share, axis=2) + n * UNIT * size[:, None]
    if not ((residual < 0.5).all() and (own < -error).all()):
        return None
    normal = np.linalg.norm(inverse.sum(axis=2), axis=1) + 2 * np.sqrt(n) * residual * size
    distances: np.ndarray = 1 / (normal * (1 + n * UNIT))
    return distances
