"""An inner point of a convex domain."""

from __future__ import annotations

import numpy as np

from unrelu.domains import Ball, Box, Domain, Orthant, Polytope
from unrelu.errors import ArgumentError
from unrelu.solvers import minimize

_FARTHEST = 1.0  # from all faces that is asked for


def inner_point(domain: Domain, n: int) -> np.ndarray:
    """Return a point at which no inequality is tight.

    Raises:
        ArgumentError: If there is none, or none that floating point can tell from the boundary.
    """
    if isinstance(domain, Ball):
        return domain.center_point(n)
    if isinstance(domain, Polytope):
        return _by_linear_program(*domain.inequalities(n))
    lower, upper = np.full(n, -np.inf), np.full(n, np.inf)
    if isinstance(domain, Orthant):
        lower[:] = 0.0
    if isinstance(domain, Box):
        lower, upper = domain.bounds(n)
    flat = np.flatnonzero(lower >= upper)
    if len(flat):
        raise ArgumentError(
            f"domain: expected a box with inner points, got equal bounds of coordinate {flat[0]}; "
            "fold inputs that never change into the bias"
        )
    low = np.where(np.isfinite(lower), lower, np.where(np.isfinite(upper), upper - 2.0, -1.0))
    high = np.where(np.isfinite(upper), upper, low + 2.0)
    return low / 2 + high / 2


def _by_linear_program(G: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Maximise the distance ``t`` from all faces, up to a limit: ``G x + t |g| <= h``."""
    n = G.shape[1]
    rows = np.column_stack([G, np.linalg.norm(G, axis=1)])
    limits = np.append(np.full(n, -np.inf), 0.0), np.append(np.full(n, np.inf), _FARTHEST)
    solution = minimize(np.append(np.zeros(n), -1.0), rows, h, limits)
    x = solution.v[:n]
    if not solution.optimal or (G @ x >= h).any():
        raise ArgumentError("domain: expected a polyhedron with inner points, found none")
    return x
