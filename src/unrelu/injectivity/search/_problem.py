"""The rows of a layer and of a domain in homogeneous coordinates, and scaled for floating point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from unrelu.frames._scaling import near_one

_RANK = 1e-11  # singular values of unit rows below count as 0


@dataclass(frozen=True)
class Problem:
    """What the search works on.

    Attributes:
        rows: ``W``, shape ``(m, n)``.
        bias: Shape ``(m,)``.
        domain_rows: ``G`` of the domain ``G x < h``, shape ``(p, n)``.
        domain_offsets: ``h``.
        homogeneous: Whether all biases are 0 and there is no domain: the last coordinate is left out.
        stacked: Homogenised rows: of the layer ``(w_i, b_i)``, of the domain ``(g_j, -h_j)``, and ``(0, -1)``
            as the last one; only ``W`` where homogeneous.
        vectors: Unit rows in coordinates in which they are spread evenly.
        weights: ``W`` alone in such coordinates, unit rows, or 0; shape ``(m, rank W)``.
        lift: From a point of the first kind of coordinates to homogeneous ones, shape ``(n [+ 1], rank)``.
    """

    rows: np.ndarray
    bias: np.ndarray
    domain_rows: np.ndarray
    domain_offsets: np.ndarray
    homogeneous: bool
    stacked: np.ndarray
    vectors: np.ndarray
    weights: np.ndarray
    lift: np.ndarray

    @property
    def m(self) -> int:
        """Number of rows of the layer."""
        return len(self.rows)

    @property
    def n(self) -> int:
        """Dimension of the inputs."""
        return self.rows.shape[1]


def problem_of(
    rows: np.ndarray, bias: np.ndarray, domain_rows: np.ndarray, domain_offsets: np.ndarray
) -> Problem:
    """Homogenise and scale."""
    homogeneous = not bias.any() and not len(domain_rows)
    stacked = rows
    if not homogeneous:
        layer = np.column_stack([rows, bias])
        domain = np.column_stack([domain_rows, -domain_offsets])
        last = np.append(np.zeros(rows.shape[1]), -1.0)
        stacked = np.concatenate([layer, domain, last[None]])
    spread, lift = _spread(stacked)
    return Problem(
        rows, bias, domain_rows, domain_offsets, homogeneous, stacked, spread, _spread(rows)[0], lift
    )


def _spread(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return unit rows in coordinates in which they are spread evenly, and the way back for points."""
    unit = _unit(rows * near_one(rows)[:, None])
    _, singular, right = np.linalg.svd(unit, full_matrices=False)
    rank = int(np.sum(singular > _RANK * singular[:1].sum()))
    lift = right[:rank].T / singular[:rank]
    return _unit(unit @ lift), lift


def _unit(rows: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.where(norms > 0, norms, 1.0))
