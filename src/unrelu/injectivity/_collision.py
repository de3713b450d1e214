"""From a point with too few active rows to two inputs with the same output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.certificates import certify_collision
from unrelu.errors import ArgumentError
from unrelu.frames import Frame, activity
from unrelu.frames._frame import to_dense
from unrelu.preimage.collisions import Collision, relative_difference

if TYPE_CHECKING:
    from unrelu.certificates import DomainRecord
    from unrelu.layers import ReLULayer


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
        The pair with its certificate; ``None`` where rounding leaves no step.
    """
    state = activity(layer, torch.from_numpy(witness)[None], frame)
    weak = np.flatnonzero(state.signs[0] >= 0)
    # The last column of a complete orthogonal basis of the row space and its complement.
    rows = np.concatenate([to_dense(frame.rows(weak)), np.zeros((1, frame.n))])
    direction = np.linalg.qr(rows.T, mode="complete")[0][:, -1]
    G, h = domain.inequalities()
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
    return Collision(
        x=other,
        original=witness,
        distance=float(np.linalg.norm(other - witness)),
        output_difference=relative_difference(layer.apply(other), layer.apply(witness)),
        certificate=certificate,
        reason="a step from the witness along a direction that its active rows do not see",
    )
