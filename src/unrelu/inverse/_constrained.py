"""Equations and inequalities together: ``W_I x = y_I - b_I, W_J x + b_J <= 0``, ``x`` in a domain.

Puthawala et al. 2022 invert layers this way. Where the strictly active rows do not span, the other rows and
the domain may still leave a single input; that is proved as for `unrelu.preimage`. Where they leave more, or
the output is not one of the layer's, an interior point method finds the least-squares solution of least
norm.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.frames._frame import to_dense
from unrelu.preimage import Kind, OutputError, preimage
from unrelu.solvers import DiagonalProgram, interior_point

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.frames import Frame
    from unrelu.layers import ReLULayer

_SMALL = 1e-9  # weight of the norm beside that of the residual
_WIDE = 1e3  # unknowns are looked for so many times as far out as the unconstrained solution lies


def only_input(
    layer: ReLULayer, frame: Frame, domain: Domain, y: torch.Tensor
) -> tuple[np.ndarray | None, bool]:
    """Return the only input with this output in the domain, ``None`` if it is not proved to be, and whether.

    Args:
        layer: The layer, in float64.
        frame: Its rows.
        domain: The domain, polyhedral.
        y: The output, in the dtype that it was rounded to, shape ``(m,)``.
    """
    try:
        found = preimage(layer, y=y, domain=domain, frame=frame)
    except OutputError:
        return None, False
    single = found.kind == Kind.SINGLETON and found.x is not None
    return (found.x if single else None), single


def constrained_least_squares(
    frame: Frame,
    domain: Domain,
    bias: np.ndarray,
    equal: np.ndarray,
    target: np.ndarray,
    slack: np.ndarray,
    start: np.ndarray,
) -> np.ndarray:
    """Minimise ``|W_I x - target|``, then nearly ``|x|``, with ``W_J x + b_J <= slack``, ``x`` in the domain.

    Args:
        frame: The rows of ``W``.
        domain: The domain, polyhedral.
        bias: ``b``.
        equal: Which rows are in ``I``, boolean; the others are in ``J``.
        target: Shape ``(m,)``, 0 outside ``I``.
        slack: Shape ``(m,)``, infinite where a row says nothing.
        start: An approximate solution, which gives the scale.

    Returns:
        The last iterate, shape ``(n,)``; it meets the constraints to about 1e-5 of its size.
    """
    n = frame.n
    rows, norms = to_dense(frame.rows(np.arange(frame.m))), frame.norms
    unit = float(norms.max(initial=0)) or 1.0
    low, high, G, h = _limits(domain, n)
    bounds = np.concatenate([low[np.isfinite(low)], high[np.isfinite(high)], start])
    scale = float(np.abs(bounds).max(initial=0)) or 1.0
    below = np.flatnonzero(~equal & np.isfinite(slack) & (norms > 0))
    outer = np.linalg.norm(G, axis=1)
    G, h = G[outer > 0] / outer[outer > 0, None], h[outer > 0] / outer[outer > 0]
    p = int(equal.sum())
    # v = (x - start, W_I (x - start) - what is left, ...) in units of the largest row and entry.
    rest = (target[equal] - rows[equal] @ start) / (unit * scale)
    inequalities = np.concatenate([rows[below] / norms[below, None], G])
    limits = np.concatenate([(slack - bias)[below] / norms[below], h]) / scale - inequalities @ start / scale
    program = DiagonalProgram(
        weight=np.concatenate([np.full(n, _SMALL), np.ones(p)]),
        cost=np.concatenate([-_SMALL * start / scale, rest]),
        equal=np.hstack([rows[equal] / unit, -np.eye(p)]),
        below=np.hstack([inequalities, np.zeros((len(inequalities), p))]),
        slack=limits,
        lower=np.concatenate([np.maximum(low / scale, -_WIDE) - start / scale, np.full(p, -np.inf)]),
        upper=np.concatenate([np.minimum(high / scale, _WIDE) - start / scale, np.full(p, np.inf)]),
    )
    found = interior_point(program)
    return np.clip(start + scale * found.v[:n], low, high)


def _limits(domain: Domain, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return a domain's bounds of single coordinates, and its other inequalities."""
    G, h = domain.inequalities(n)
    low, high = np.full(n, -np.inf), np.full(n, np.inf)
    single = np.count_nonzero(G, axis=1) == 1
    for row, limit in zip(G[single], h[single], strict=True):
        j = int(np.flatnonzero(row)[0])
        if row[j] > 0:
            high[j] = min(high[j], limit / row[j])
        else:
            low[j] = max(low[j], limit / row[j])
    return low, high, G[~single], h[~single]
