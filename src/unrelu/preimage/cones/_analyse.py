"""The cone ``{d : E d = 0, G d <= 0}`` of given rows: its dimension, with proof from both sides.

A direction that is 0 on some rows and negative on the others bounds the dimension from below, a positive
combination of those rows that vanishes bounds it from above (Stiemke's theorem with equalities). Both come
from floating point and are proved for the stored numbers: by the size of the correction that would make them
exact, or in rational arithmetic where that is not small enough and the rows are few.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from unrelu.preimage.cones._balance import Partition
from unrelu.preimage.cones._cone import Cone
from unrelu.preimage.cones._exact import EXACT_ENTRIES, exact_cone
from unrelu.preimage.cones._partition import partition
from unrelu.preimage.cones._proofs import are_multipliers, independent_direction, is_direction
from unrelu.preimage.cones._span import Pivots, certified_sigma, pivots, rank_is

_ZERO = 1e-11  # norm of a row of size 1 inside the equalities' complement that counts as 0


def analyse_cone(equalities: np.ndarray, inequalities: np.ndarray) -> Cone:
    """Bound the dimension of ``{d : E d = 0, G d <= 0}`` from both sides.

    Args:
        equalities: ``E``, shape ``(p, n)``, rows and columns scaled to similar sizes.
        inequalities: ``G``, shape ``(q, n)``, likewise.

    Returns:
        Bounds that meet where both proofs succeed.
    """
    n = equalities.shape[1]
    with np.errstate(all="ignore"):
        cone = _in_floats(equalities, inequalities)
        if cone.low < cone.high and (len(equalities) + len(inequalities)) * n <= EXACT_ENTRIES:
            return exact_cone(equalities, inequalities) or cone
    return cone


def _in_floats(equalities: np.ndarray, inequalities: np.ndarray) -> Cone:
    n = equalities.shape[1]
    unknown = Cone(0, n, np.zeros(0, dtype=int))
    if not (np.isfinite(equalities).all() and np.isfinite(inequalities).all()):
        return unknown
    found = _inside(equalities, inequalities)
    if found is not None:
        return found
    space = pivots(equalities)
    k = space.complement.shape[1]
    if k == 0:
        spans = certified_sigma(equalities[space.basis]) > 0
        return Cone(0, 0, np.zeros(0, dtype=int), used_lp=False) if spans else unknown
    guess = partition(inequalities @ space.complement, _ZERO)
    return _proved(equalities, inequalities, space, guess) if guess else unknown


def _inside(equalities: np.ndarray, inequalities: np.ndarray) -> Cone | None:
    """Find a direction along which all inequalities are -1, where all rows together are independent."""
    p, n = equalities.shape
    rows = np.concatenate([equalities, inequalities])
    if not p < len(rows) <= n:
        return None
    direction = independent_direction(rows, p)
    if direction is None or not is_direction(equalities, inequalities, direction, certified_sigma(rows)):
        return None
    return Cone(n - p, n - p, np.zeros(0, dtype=int), direction=direction)


def _proved(equalities: np.ndarray, inequalities: np.ndarray, space: Pivots, guess: Partition) -> Cone:
    """Prove what a partition claims, as far as floating point can."""
    n = equalities.shape[1]
    implied = np.flatnonzero(guess.implied)
    unknown = Cone(0, n, implied, used_lp=guess.used_lp)
    zero_rows = np.concatenate([equalities, inequalities[implied]])
    if guess.implied.all() and len(zero_rows) >= n:
        found = _point(equalities, inequalities, space, guess)
        if found is not None:
            return found
    zero_space = pivots(zero_rows) if len(implied) else space
    basis = zero_space.basis
    sigma = certified_sigma(zero_rows[basis])
    if sigma <= 0 or not rank_is(zero_rows, len(basis)):
        return unknown
    dimension = n - len(basis)
    direction = space.complement @ guess.c
    if guess.implied.all() and dimension:
        direction = zero_space.complement[:, -1]
    multipliers = _multipliers(equalities, inequalities, space, guess)
    below = not dimension or is_direction(zero_rows[basis], inequalities[~guess.implied], direction, sigma)
    above = are_multipliers(zero_rows, multipliers, len(equalities), sigma)
    return Cone(
        dimension if below else 0,
        dimension if above else n,
        implied,
        multipliers if above else None,
        direction if below and dimension else None,
        guess.used_lp,
    )


def _point(equalities: np.ndarray, inequalities: np.ndarray, space: Pivots, guess: Partition) -> Cone | None:
    """Prove that the cone is {0}: rows that span R^n combine to 0."""
    rows = np.concatenate([equalities, inequalities])
    sigma = certified_sigma(np.ascontiguousarray(rows.T))
    if sigma <= 0:
        return None
    multipliers = _multipliers(equalities, inequalities, space, guess)
    if not are_multipliers(rows, multipliers, len(equalities), sigma):
        return None
    return Cone(0, 0, np.arange(len(inequalities)), multipliers, None, guess.used_lp)


def _multipliers(
    equalities: np.ndarray, inequalities: np.ndarray, space: Pivots, guess: Partition
) -> np.ndarray:
    """Complete the weights of the implied rows by multipliers of the equalities, nearly."""
    weights = guess.weights[guess.implied]
    rest = inequalities[guess.implied].T @ weights
    mu = np.zeros(len(equalities))
    if len(space.basis):
        mu[space.basis] = -scipy.linalg.solve_triangular(space.triangle, space.row_space.T @ rest)
    return np.concatenate([mu, weights])
