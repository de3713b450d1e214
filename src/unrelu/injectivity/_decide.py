"""Injectivity on R^n from a layer's structure (Puthawala et al. 2022, Theorem 1 and Corollary 1).

A layer is injective on R^n if and only if at every input the weakly active rows span R^n.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.frames import Frame, activity, frame_of
from unrelu.injectivity._lines import opposite_pairs
from unrelu.injectivity._verdict import Decision, Verdict
from unrelu.preimage.collisions import Collision, relative_difference

if TYPE_CHECKING:
    from unrelu.layers import ReLULayer

_DIRECTIONS = 32


def decide(layer: ReLULayer) -> Decision:
    """Decide whether a layer is injective on R^n, as far as structure and simple witnesses tell.

    INJECTIVE where pairs of opposite rows, of which one is weakly active wherever the other is not, cover a
    basis. NOT_INJECTIVE where an input is found at which too few rows are weakly active: always for
    ``m < 2n``, and for Gaussian rows up to about ``m = 3.4 n``. UNKNOWN otherwise.

    Args:
        layer: The layer.

    Returns:
        The verdict with its evidence.

    Raises:
        ArgumentError: If the rows need more memory than allowed.

    Example:
        >>> import numpy as np, unrelu
        >>> basis = np.array([[2.0, 1.0], [1.0, 1.0]])
        >>> unrelu.decide(unrelu.ReLULayer(np.vstack([basis, -basis]))).verdict
        <Verdict.INJECTIVE: 'injective'>
        >>> unrelu.decide(unrelu.ReLULayer(basis)).verdict
        <Verdict.NOT_INJECTIVE: 'not injective'>
    """
    frame = frame_of(layer)
    pairs = opposite_pairs(layer.record(), frame.directions)
    index = np.array([i for i, _ in pairs], dtype=int)
    if len(pairs) >= frame.n and frame.rank_bounds(index)[0] == frame.n:
        return Decision(
            Verdict.INJECTIVE,
            f"{len(pairs)} pairs of opposite rows cover a basis; one row of each is active at every input",
            pairs=pairs,
        )
    witness = _witness(layer, frame)
    if witness is not None:
        return Decision(
            Verdict.NOT_INJECTIVE,
            f"at the witness fewer than n = {layer.n} independent rows are weakly active",
            witness=witness,
            collision=_collision(layer, frame, witness),
        )
    return Decision(
        Verdict.UNKNOWN, "no covering pairs of opposite rows, and no input with too few active rows was found"
    )


def _witness(layer: ReLULayer, frame: Frame) -> np.ndarray | None:
    """Return an input whose weakly active rows provably do not span, ``None`` if none is found.

    Far out along a direction biases do not matter. Against the mean of the rows few are active: that is the
    witness behind the constant 3.4 of Puthawala et al.; random directions settle every layer with m < 2n.
    """
    norms = layer.row_norms().clamp(min=torch.finfo(torch.float64).tiny)
    mean = layer.linear.adjoint((1 / norms)[None])
    generator = torch.Generator().manual_seed(0)
    random = torch.randn(_DIRECTIONS, layer.n, generator=generator, dtype=torch.float64)
    directions = torch.cat([mean, random])
    directions = torch.cat([-directions, directions])
    along = layer.linear.apply(directions).abs()
    ratio = torch.where(along > 0, layer.bias.abs() / along, 0.0)
    farthest = torch.cat([ratio, torch.zeros(len(ratio), 1)], dim=1).amax(dim=1, keepdim=True)
    points = directions * (1 + 2 * farthest.clamp(max=1e150))
    points = points[torch.isfinite(points).all(dim=1)]
    weak = activity(layer, points, frame).signs >= 0
    for k in np.argsort(weak.sum(axis=1), kind="stable"):
        if frame.rank_bounds(np.flatnonzero(weak[k] & (frame.directions.line >= 0)))[1] < frame.n:
            return points[k].numpy()
    return None


def _collision(layer: ReLULayer, frame: Frame, witness: np.ndarray) -> Collision:
    """Walk from the witness along a direction that its active rows do not see, half way to the next row."""
    x = torch.from_numpy(witness)[None]
    state = activity(layer, x, frame)
    weak = np.flatnonzero(state.signs[0] >= 0)
    rows = frame.rows(weak)
    matrix = rows.toarray() if hasattr(rows, "toarray") else rows
    # The last column of a complete orthogonal basis of the row space and its complement.
    basis, _ = np.linalg.qr(np.concatenate([matrix, np.zeros((1, frame.n))]).T, mode="complete")
    v = basis[:, -1]
    slope = layer.linear.apply(torch.from_numpy(v)[None])[0].numpy()
    strict = state.signs[0] < 0
    rising = strict & (slope > 0)
    step = 0.5 * float(np.min(-state.z[0][rising] / slope[rising], initial=2 * np.linalg.norm(witness) + 2))
    other = witness + step * v
    return Collision(
        x=other,
        original=witness,
        distance=float(np.linalg.norm(other - witness)),
        output_difference=relative_difference(layer.apply(other), layer.apply(witness)),
        reason="a step from the witness along a direction that its active rows do not see",
    )
