"""LSMR (Fong and Saunders 2011), matrix-free, one output after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, lsmr

from unrelu.inverse._solutions import Method, Solutions

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.layers import ReLULayer

_TOLERANCE = 1e-15
_STEPS = 10  # times the number of unknowns


def solve_by_lsmr(
    layer: ReLULayer, masks: np.ndarray, targets: np.ndarray, advance: Callable[[int], None]
) -> Solutions:
    """Solve ``W_I x = target_I``: least squares, and minimum norm where the rows do not span.

    Args:
        layer: The layer, in float64.
        masks: Which rows are in ``I``, one output a row, boolean, shape ``(batch, m)``.
        targets: Right-hand sides, 0 outside ``I``, shape ``(batch, m)``.
        advance: Told how many outputs have been solved since it was last called.

    Returns:
        Solutions; none is proved the only one here.
    """
    linear, out = layer.linear, Solutions.blank(len(masks), layer.n)

    def through(move: Callable[[torch.Tensor], torch.Tensor], v: np.ndarray) -> np.ndarray:
        return np.asarray(move(torch.from_numpy(v.reshape(1, -1)).to(linear.device))[0].cpu().numpy())

    for k in np.flatnonzero(masks.any(axis=1)):
        mask = masks[k]
        operator = LinearOperator(
            (layer.m, layer.n),
            matvec=lambda v, mask=mask: through(linear.apply, v) * mask,
            rmatvec=lambda v, mask=mask: through(linear.adjoint, v * mask),
            dtype=np.float64,
        )
        # What it estimates of norm and condition is known too roughly to be told.
        with np.errstate(all="ignore"):
            x, *_ = lsmr(
                operator, targets[k], atol=_TOLERANCE, btol=_TOLERANCE, conlim=0, maxiter=_STEPS * layer.n
            )
        out.x[k] = np.where(np.isfinite(x), x, 0.0)
        out.method[k] = Method.LSMR
        advance(1)
    return out
