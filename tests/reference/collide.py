"""Naive twin of `unrelu.collide`: the best input by enumeration of the borders that it lies on."""

from itertools import combinations

import numpy as np

from tests.reference.preimage import output


def constraints(weight, bias, x, G=None, h=None):
    """``(E, N, slack)``: steps ``d`` with ``E d = 0, N d <= slack`` keep the output; signs are exact."""
    active = np.array([value > 0 for value in output(weight, bias, x)], dtype=bool)
    G, h = (np.zeros((0, len(x))), np.zeros(0)) if G is None else (G, h)
    rows = np.concatenate([weight[~active], G])
    slack = np.concatenate([-(weight[~active] @ x + bias[~active]), h - G @ x])
    return weight[active], rows, np.maximum(slack, 0)


def candidates(E, N, slack, goal, tol=1e-9):
    """Projections of ``goal`` to all flats of borders that lie in the polyhedron: vertices are among them."""
    n = len(goal)
    for count in range(n + 1):
        for chosen in combinations(range(len(N)), count):
            rows = np.concatenate([E, N[list(chosen)]])
            right = np.concatenate([np.zeros(len(E)), slack[list(chosen)]])
            d = goal + np.linalg.lstsq(rows, right - rows @ goal, rcond=None)[0] if len(rows) else goal
            size = tol * (1 + np.abs(d).max())
            if np.abs(rows @ d - right).max(initial=0) <= size and (N @ d <= slack + size).all():
                yield d


def nearest(E, N, slack, goal):
    """The smallest distance of a step to a goal."""
    return min(float(np.linalg.norm(d - goal)) for d in candidates(E, N, slack, goal))


def farthest(E, N, slack, direction):
    """The largest ``direction · d`` over a bounded polyhedron."""
    return max(float(direction @ d) for d in candidates(E, N, slack, np.zeros(len(direction))))


def longest(E, N, slack):
    """The largest length of a step in a bounded polyhedron."""
    return max(float(np.linalg.norm(d)) for d in candidates(E, N, slack, np.zeros(N.shape[1])))
