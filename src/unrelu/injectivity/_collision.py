"""From a point with too few active rows to two inputs with the same output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp
import torch

from unrelu.certificates import DomainRecord, certify_collision
from unrelu.certificates._affine import border_rows
from unrelu.errors import ArgumentError
from unrelu.frames import Frame, activity
from unrelu.frames._scaling import near_one
from unrelu.preimage.collisions import Collision, relative_difference

if TYPE_CHECKING:
    from unrelu.layers import ReLULayer

_COLUMNS = 1000  # that a direction may use: seconds
_SAME = 1e-6  # difference of outputs that still counts as none, relative to norms of rows and distance


def collision_at(
    layer: ReLULayer, frame: Frame, domain: DomainRecord, witness: np.ndarray
) -> Collision | None:
    """Walk from a witness along a direction that its weakly active rows do not see, half way to a border.

    Args:
        layer: The layer, in float64.
        frame: Its rows.
        domain: The domain.
        witness: A point inside of it whose weakly active rows do not span, shape ``(n,)``.

    Returns:
        The pair with its certificate; ``None`` where rounding leaves no step, or the witness is given in
        Fractions.
    """
    if witness.dtype == object:  # float64 does not resolve what is around it
        return None
    state = activity(layer, torch.from_numpy(witness)[None], frame)
    direction = _unseen(sp.csr_array(frame.rows(np.flatnonzero(state.signs[0] >= 0))))
    if direction is None:
        return None
    domain = _polyhedron(domain, witness)
    borders, h = border_rows(domain)
    G = sp.csr_array((borders.values, borders.columns, borders.starts), (borders.m, borders.n))
    slopes = np.concatenate([layer.linear.apply(torch.from_numpy(direction)[None])[0].numpy(), G @ direction])
    slack = np.concatenate([-state.z[0], h - G @ witness])
    ahead = np.concatenate([state.signs[0] < 0, np.ones(len(h), dtype=bool)]) & (slopes > 0)
    longest = 2 * float(np.linalg.norm(witness)) + 2
    step = 0.5 * float(np.min(slack[ahead] / slopes[ahead], initial=longest))
    other = witness + step * direction
    if not np.isfinite(other).all() or np.array_equal(other, witness):
        return None
    try:
        certificate = certify_collision(layer.record(), domain, witness, other)
    except ArgumentError:  # outside of the domain by rounding
        return None
    distance = float(np.linalg.norm(other - witness))
    # Without a proved collision near by, outputs must differ by far less than inputs.
    most = max(_SAME * frame.norms.max(initial=0.0) * distance, np.finfo(np.float64).tiny)
    if np.isinf(certificate.radius) and certificate.difference > most:
        return None
    return Collision(
        x=other,
        original=witness,
        distance=distance,
        output_difference=relative_difference(layer.apply(other), layer.apply(witness)),
        certificate=certificate,
        reason="a step from the witness along a direction that its active rows do not see",
    )


def _unseen(rows: sp.csr_array) -> np.ndarray | None:
    """Return a unit vector nearly orthogonal to rows, with few entries where rows have few."""
    columns = _weakly_bound(rows)
    if len(columns) > _COLUMNS:
        return None
    part = rows[:, columns]
    dense = part[np.diff(part.indptr) > 0].toarray()
    dense *= near_one(dense)[:, None]
    # The last column of a complete orthogonal basis of the row space and its complement.
    within = np.linalg.qr(np.vstack([dense, np.zeros((1, len(columns)))]).T, mode="complete")[0][:, -1]
    direction = np.zeros(rows.shape[1])
    direction[columns] = within
    return direction


def _weakly_bound(rows: sp.csr_array) -> np.ndarray:
    """Return columns that fewer rows touch than they are many; all columns if none are found.

    They grow from the column that the fewest rows touch, each time by the one that brings the fewest more.
    """
    by_column = rows.tocsc()
    touching = np.diff(by_column.indptr)
    touched = np.zeros(rows.shape[0], dtype=bool)
    brings = touching.astype(np.float64)  # how many rows a column would bring, infinite for those taken
    chosen: list[int] = []
    near = np.zeros(rows.shape[1], dtype=bool)
    column = int(touching.argmin())
    while len(chosen) < min(_COLUMNS, rows.shape[1]):
        chosen.append(column)
        bring = by_column.indices[by_column.indptr[column] : by_column.indptr[column + 1]]
        for row in bring[~touched[bring]].tolist():
            touched[row] = True
            neighbours = rows.indices[rows.indptr[row] : rows.indptr[row + 1]]
            brings[neighbours] -= 1
            near[neighbours] = True
        if touched.sum() < len(chosen):
            return np.sort(np.array(chosen))
        brings[chosen] = np.inf
        open_ones = np.flatnonzero(near & np.isfinite(brings))
        column = int(open_ones[brings[open_ones].argmin()]) if len(open_ones) else int(brings.argmin())
    return np.arange(rows.shape[1])


def _polyhedron(domain: DomainRecord, x: np.ndarray) -> DomainRecord:
    """Return the domain, of a ball a cube around a point inside of it."""
    if domain.center is None or domain.radius is None:
        return domain
    # Its half diagonal is less than what is left to the sphere.
    left = domain.radius - float(np.linalg.norm(x - domain.center)) * (1 + 1e-12)
    side = 0.5 * max(left, 0.0) / np.sqrt(domain.n)
    return DomainRecord("box", domain.n, x - side, x + side)
