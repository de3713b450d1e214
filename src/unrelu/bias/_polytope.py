"""Polytope bias estimation (Haider, Balazs & Ehler 2023, "Convex geometry of ReLU-layers")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.bias._cone import spherical_minima
from unrelu.bias._cover import CHUNK, cover, most_facets
from unrelu.domains import Ball, Domain, Shell, Sphere
from unrelu.errors import ArgumentError
from unrelu.frames._scaling import UNIT, near_one, row_norms, scaled_rows

if TYPE_CHECKING:
    from unrelu.bias._cover import Cover
    from unrelu.layers import ReLULayer

_MAX_DIMENSION = 12
_MAX_FACETS = 2_000_000


@dataclass(frozen=True)
class PolytopeBias:
    """Biases under which a layer is injective on a sphere, ball or shell.

    Attributes:
        alpha: For every row a number such that ``relu(W x - alpha)`` is injective on the domain, as it is
            with smaller entries; ``+inf`` for rows that are not needed. Shape ``(m,)``.
        domain: The domain.
        facets: Number of simplicial cones that cover R^n.
        clearance: Lower bound of the radius of the largest ball around 0 in the hull of the normalised rows.
        omnidirectional: Whether 0 is in the interior of that hull: true, or there would be no answer.
        method: How the answer was found.
        reason: Why it holds, in a sentence.
    """

    alpha: np.ndarray
    domain: Domain
    facets: int
    clearance: float
    omnidirectional: bool
    method: str
    reason: str


def polytope(
    layer: ReLULayer, domain: Domain | None = None, *, max_facets: int = _MAX_FACETS
) -> PolytopeBias:
    """Find biases for which a layer is injective on a sphere, a ball or a shell around 0, in low dimension.

    Let ``v_i = w_i / |w_i|``, and let simplices F of n independent ``v_i`` have cones that cover R^n: the
    facets of the hull of the ``v_i``, cut into simplices where need be. With ``a_i = min_{F with i} min
    {<v_i, x> : |x| = 1, x in cone F}`` and radii ``r <= |x| <= R`` of the domain (r = 0 for a ball, r = R for
    a sphere),

        alpha_i = |w_i| min(r a_i, R a_i).

    Then at every x of the domain all n rows of a simplex reach their biases. On a sphere this alone would not
    do (a midpoint leaves it), but here ``<v_i, x>`` can be at its bias only if x is in the cone of the
    simplex's other rows. So if x and y have the same output, x is a non-negative combination of rows with
    which y has the same products, hence ``<x, y> = |x|^2``, likewise ``= |y|^2``, and x = y.

    The inner minimum is ``min_{j in F} <v_i, v_j>`` as in the paper where these are not negative. Otherwise
    it lies inside a face and is minus the length of the projection of ``-v_i`` on the cone (tetrahedron: -1 /
    sqrt(3), not -1 / 3). Cutting facets makes alpha no smaller, for each row then answers for fewer
    directions.

    ``alpha`` is sufficient, in general not maximal: at some x other rows could stand in for those of the
    simplex. For the icosahedron (0.4472136) and the tetrahedron no entry can be raised. Of parallel rows only
    one is needed as corner of a simplex; the others, and zero rows, get ``+inf``.

    All values are rounded down. The grade of the answer is float: for the rows as normalised in float64, with
    all signs and bounds above the rounding error.

    Args:
        layer: A layer with ``n >= 2`` inputs; its own bias plays no part.
        domain: `Sphere`, `Shell`, or `Ball` around 0; the unit sphere if ``None``.
        max_facets: Most facets that a polytope with as many vertices might have for it to be tried. Time and
            memory grow with the actual number, which is mostly far smaller.

    Raises:
        ArgumentError: Another domain, ``n = 1``, too many facets, or rows that are not clearly
            omnidirectional: then in some direction no row is active, whatever non-negative bias is chosen.

    Example:
        >>> import numpy as np
        >>> from unrelu.layers import ReLULayer
        >>> hexagon = [[np.cos(t), np.sin(t)] for t in np.arange(6) * np.pi / 3]
        >>> polytope(ReLULayer(hexagon)).alpha.round(6)
        array([0.5, 0.5, 0.5, 0.5, 0.5, 0.5])
    """
    domain = Sphere() if domain is None else domain
    inner, outer = _radii(domain, layer.n)
    used, unit, norms = _normalised(layer)
    _refuse_out_of_reach(len(used), layer.n, max_facets)
    if not np.isfinite(norms * outer).all():
        raise ArgumentError("layer: rows too large for float64 on this domain")
    cones = cover(unit)
    lowest = _minima(unit, cones)
    alpha = np.full(layer.m, np.inf)
    alpha[used] = _scaled(lowest, norms, inner, outer)
    return PolytopeBias(
        alpha=alpha,
        domain=domain,
        facets=len(cones.corners),
        clearance=float(cones.clearance.min()),
        omnidirectional=True,
        method="facets of the convex hull of the normalised rows",
        reason=f"{len(cones.corners)} cones of {layer.n} rows that reach their bias cover all directions",
    )


def _radii(domain: Domain, n: int) -> tuple[float, float]:
    """Return the smallest and the largest norm in a domain."""
    if n < 2:
        raise ArgumentError(f"layer: expected at least 2 inputs, got {n}")
    if isinstance(domain, Sphere):
        return domain.radius, domain.radius
    if isinstance(domain, Shell):
        return domain.inner, domain.outer
    if not isinstance(domain, Ball):
        raise ArgumentError(f"domain: expected a Sphere, Ball or Shell, got {type(domain).__name__}")
    center = float(np.linalg.norm(domain.center_point(n)))
    if center > 0:
        raise ArgumentError(
            f"domain: expected a ball around 0, got center {domain.center};"
            f" Ball(0, {center + domain.radius:.6g}) contains it"
        )
    return 0.0, domain.radius


def _normalised(layer: ReLULayer) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers of the rows that are not zero, their directions and their norms."""
    if layer.n > _MAX_DIMENSION:
        raise ArgumentError(
            f"layer: expected at most {_MAX_DIMENSION} inputs, got n = {layer.n} (and m = {layer.m});"
            " facets are too many to list"
        )
    rows = layer.dense().double().cpu().numpy()
    used = np.flatnonzero(rows.any(axis=1))
    rows = rows[used]
    scaled = np.asarray(scaled_rows(rows, near_one(rows)))
    return used, scaled / np.linalg.norm(scaled, axis=1)[:, None], row_norms(rows)


def _refuse_out_of_reach(m: int, n: int, max_facets: int) -> None:
    if m <= n:
        raise ArgumentError(
            f"layer: expected omnidirectional rows, more than n = {n}, got {m} that are not zero"
        )
    most = most_facets(m, n)
    if most > max_facets:
        raise ArgumentError(
            f"layer: the hull of m = {m} rows in dimension n = {n} may have {most:.1e} facets, above"
            f" max_facets = {max_facets}"
        )


def _minima(unit: np.ndarray, cones: Cover) -> np.ndarray:
    """Return for each row the least product with a unit vector of its cones; ``+inf`` if it has none."""
    lowest = np.full(len(unit), np.inf)
    for start in range(0, len(cones.corners), CHUNK):
        corners = cones.corners[start : start + CHUNK]
        found = spherical_minima(unit[corners], cones.clearance[start : start + CHUNK])
        np.minimum.at(lowest, corners, found)
    return lowest


def _scaled(lowest: np.ndarray, norms: np.ndarray, inner: float, outer: float) -> np.ndarray:
    """Return ``|w| min(r a, R a)``, rounded down."""
    alpha = np.full(len(lowest), np.inf)
    used = np.isfinite(lowest)
    value = norms[used] * np.where(lowest[used] < 0, outer, inner) * lowest[used]
    alpha[used] = value - 64 * UNIT * np.abs(value)
    return alpha
