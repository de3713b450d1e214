"""Rows that are far from dependent, and bases of what they leave (QR with pivoting)."""

from __future__ import annotations

import numpy as np
import scipy.linalg

from unrelu.frames._scaling import near_one, row_norms, scaled_rows

DEPENDENT = 1e-7  # of a unit vector: what is left of it outside of the span of others counts as nothing


def unit_rows(matrix: np.ndarray) -> np.ndarray:
    """Return the rows divided by their norms, at any scale; zero rows stay."""
    scaled = np.asarray(scaled_rows(matrix, near_one(matrix)))
    norms = row_norms(scaled)
    return scaled / np.where(norms > 0, norms, 1.0)[:, None]


def independent_rows(
    unit: np.ndarray, groups: list[np.ndarray], least: float = DEPENDENT
) -> list[np.ndarray]:
    """Choose from groups of rows, one group after the other, as many independent ones as there are.

    Args:
        unit: Rows of norm 1 or 0, shape ``(m, n)``.
        groups: Row numbers; what an earlier group spans needs no row of a later one.
        least: How far a row has to be from the span of those before it.

    Returns:
        The rows chosen from each group, each far from the span of those before it.
    """
    basis = np.zeros((0, unit.shape[1]))
    chosen = []
    for group in groups:
        left = unit[group] - (unit[group] @ basis.T) @ basis
        left -= (left @ basis.T) @ basis
        kept = np.zeros(0, dtype=np.int64)
        if left.size:
            q, r, order = scipy.linalg.qr(left.T, mode="economic", pivoting=True)
            rank = int((np.abs(np.diagonal(r)) > least).sum())
            kept, basis = order[:rank], np.vstack([basis, q.T[:rank]])
        chosen.append(group[kept])
    return chosen


def orthogonal_complement(rows: np.ndarray) -> np.ndarray:
    """Return orthonormal rows orthogonal to independent ones, which with them span R^n."""
    q, _ = np.linalg.qr(rows.T, mode="complete")
    return np.asarray(q.T[len(rows) :])


def general_position(rows: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return rows with the same span and the same inner products, turned at random: none is special."""
    turn, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(rows), len(rows))))
    return np.asarray(turn @ rows)


def free_columns(rows: np.ndarray) -> np.ndarray:
    """Return the columns whose unit vectors, together with independent rows, span R^n; ascending."""
    if not len(rows):
        return np.arange(rows.shape[1])
    _, _, order = scipy.linalg.qr(rows, mode="economic", pivoting=True)
    return np.sort(order[len(rows) :])
