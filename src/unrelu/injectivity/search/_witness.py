"""A point at which the rows outside a flat are negative, checked exactly."""

from __future__ import annotations

import numpy as np

from unrelu.frames._exact import exact_rank, signs_of_sums
from unrelu.injectivity.search._problem import Problem
from unrelu.solvers import minimize


def witness(problem: Problem, flat: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Find an inner point of the domain at which the weakly active rows do not span R^n.

    Args:
        problem: Layer and domain.
        flat: The rows that may be active, boolean, shape ``(m,)``.

    Returns:
        The point and the weakly active rows, decided exactly; ``None`` if floating point finds none.
    """
    negative = np.ones(len(problem.stacked), dtype=bool)
    negative[: problem.m] = ~flat
    x = _point(problem, negative)
    if x is None:
        return None
    weak = np.flatnonzero(_signs(problem.rows, problem.bias, x) >= 0)
    spans = len(weak) >= problem.n and exact_rank(problem.rows[weak]) == problem.n
    return None if spans else (x, weak)


def inner_point(problem: Problem) -> np.ndarray | None:
    """Return a point inside of the domain, checked exactly; ``None`` if floating point finds none."""
    return _point(problem, np.arange(len(problem.stacked)) >= problem.m)


def _point(problem: Problem, negative: np.ndarray) -> np.ndarray | None:
    """Return a point inside of the domain at which some rows seem to be negative."""
    rows = problem.vectors[negative]
    size = problem.vectors.shape[1]
    # Maximise t subject to a·y + t <= 0 for these rows.
    solution = minimize(
        np.append(np.zeros(size), -1.0),
        np.column_stack([rows, np.ones(len(rows))]),
        np.zeros(len(rows)),
        (np.append(-np.ones(size), 0.0), np.ones(size + 1)),
    )
    point = problem.lift @ solution.v[:-1]
    with np.errstate(all="ignore"):
        x = point if problem.homogeneous else point[:-1] / point[-1]
    inside = np.isfinite(x).all() and (_signs(problem.domain_rows, -problem.domain_offsets, x) < 0).all()
    return x if inside else None


def _signs(rows: np.ndarray, offset: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the signs of ``rows x + offset``, exactly."""
    count, n = rows.shape
    return signs_of_sums(rows.reshape(-1), np.tile(x, count), np.arange(count + 1) * n, offset)
