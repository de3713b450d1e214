"""Conjugate gradients on the masked normal equations, matrix-free and for many outputs at a time.

Products with ``W`` and ``Wᵀ`` are all that is needed. They run in float32, on the layer's device, inside
iterative refinement in float64; what stalls there is solved again in float64 throughout. Singular values come
from a run with a random right-hand side, which misses none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.inverse._refinement import expected_errors, refined
from unrelu.inverse._solutions import Method, Solutions

if TYPE_CHECKING:
    from collections.abc import Callable

    from unrelu.layers import ReLULayer
    from unrelu.layers.maps import LinearMap

_REDUCED = {torch.float32: 1e-5, torch.float64: 1e-11}  # of the gradient, relative, in one call
_SEEN = {torch.float32: 1e-7, torch.float64: 1e-12}  # the same where singular values are looked for
_CONDITION = {torch.float32: 1e2, torch.float64: 1e6}  # up to which singular values are seen for sure
_BATCH_BYTES = 128 << 20  # of vectors held at a time
_STEPS = 1000
_RITZ_STEPS = 200  # of which the singular values are read


def solve_iteratively(
    layer: ReLULayer,
    masks: np.ndarray,
    targets: np.ndarray,
    std: np.ndarray | None,
    spanning: np.ndarray,
    advance: Callable[[int], None],
) -> Solutions:
    """Solve ``W_I x = target_I``: least squares, and minimum norm where the rows do not span.

    Args:
        layer: The layer, in float64.
        masks: Which rows are in ``I``, one output a row, boolean, shape ``(batch, m)``.
        targets: Right-hand sides, 0 outside ``I``, shape ``(batch, m)``.
        std: Standard deviations of their errors, likewise, or ``None``.
        spanning: Which rows are known to span: elsewhere refinement does not see errors orthogonal to them,
            and single precision would stay.
        advance: Told how many outputs have been solved since it was last called.

    Returns:
        Solutions, unique where the rows span. Where conditions are too bad for conjugate gradients, the
        condition is NaN.
    """
    out = Solutions.blank(len(masks), layer.n)
    size = max(1, _BATCH_BYTES // (8 * (layer.m + 4 * layer.n)))
    for start in range(0, len(masks), size):
        part = np.arange(start, min(start + size, len(masks)))
        left = np.ones(len(part), dtype=bool)
        for dtype, able in ((torch.float32, spanning[part]), (torch.float64, left)):
            index = np.flatnonzero(left & able)
            if len(index):
                here = part[index]
                some = None if std is None else std[here]
                solved, settled = _solve_part(layer, masks[here], targets[here], some, dtype)
                out.put(here, solved)
                left[index[settled]] = False
        advance(len(part))
    out.unique = spanning.copy()
    return out


def _solve_part(
    layer: ReLULayer, masks: np.ndarray, targets: np.ndarray, std: np.ndarray | None, dtype: torch.dtype
) -> tuple[Solutions, np.ndarray]:
    out = Solutions.blank(len(masks), layer.n)
    linear = layer.linear.to(dtype=dtype)
    mask = torch.from_numpy(masks).to(linear.device)
    smallest, largest = extreme_singular_values(linear, mask)
    with np.errstate(divide="ignore", invalid="ignore"):
        condition = largest / smallest

    def step(rest: np.ndarray, going: np.ndarray) -> np.ndarray:
        gradient = layer.linear.adjoint(torch.from_numpy(rest * going[:, None]).to(linear.device))
        size = gradient.abs().amax(dim=1, keepdim=True)
        size = torch.where(size > 0, size, 1.0)
        x, _ = conjugate_gradients(linear, mask, (gradient / size).to(dtype), _REDUCED[dtype])
        return np.asarray((x.double() * size).cpu().numpy())

    def apply(x: np.ndarray) -> np.ndarray:
        return np.asarray(layer.linear.apply(torch.from_numpy(x).to(linear.device)).cpu().numpy())

    active = np.asarray(masks.any(axis=1))
    with np.errstate(over="ignore", invalid="ignore"):
        out.x, settled = refined(step, apply, masks, targets, active.copy(), layer.n)
    settled &= condition <= _CONDITION[dtype]
    out.smallest, out.condition = np.where(settled, smallest, np.nan), np.where(settled, condition, np.nan)
    if std is not None:
        out.expected = expected_errors(step, std, active)
    out.method[active] = Method.CG
    return out, settled | ~active


def extreme_singular_values(linear: LinearMap, mask: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the smallest singular values that are not 0, and the largest, of the rows in each mask.

    Args:
        linear: ``W``.
        mask: Which rows, shape ``(batch, m)``.
    """
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(linear.m)).to(
        linear.device, linear.dtype
    )
    ends = conjugate_gradients(linear, mask, linear.adjoint(noise * mask), _SEEN[linear.dtype])[1]
    return ends[:, 0], ends[:, 1]


def conjugate_gradients(
    linear: LinearMap, mask: torch.Tensor, gradient: torch.Tensor, reduced: float
) -> tuple[torch.Tensor, np.ndarray]:
    """Solve ``W_Iᵀ W_I x = gradient`` (Hestenes and Stiefel 1952).

    Args:
        linear: ``W``.
        mask: Which rows are in ``I``, shape ``(batch, m)``.
        gradient: Right-hand sides, shape ``(batch, n)``, in the precision of ``W``.
        reduced: Relative size of what is left of a right-hand side at which a system is done.

    Returns:
        Solutions, and the smallest and largest singular value that the iteration saw, shape ``(batch, 2)``.
    """
    x, direction = torch.zeros_like(gradient), gradient
    size = gradient.square().sum(dim=1)
    enough = reduced**2 * size
    lengths, ratios = [], []
    for _ in range(_STEPS):
        going = (size > enough) & (size > 0)
        if not bool(going.any()):
            break
        along = linear.apply(direction) * mask
        stretch = along.square().sum(dim=1)
        going &= stretch > 0
        length = torch.where(going, size / torch.where(stretch > 0, stretch, 1.0), 0.0)
        x = x + length[:, None] * direction
        gradient = gradient - length[:, None] * linear.adjoint(along)
        before, size = size, torch.where(going, gradient.square().sum(dim=1), 0.0)
        ratio = torch.where(going, size / torch.where(before > 0, before, 1.0), 0.0)
        direction = torch.where(going[:, None], gradient + ratio[:, None] * direction, 0.0)
        lengths.append(length)
        ratios.append(ratio)
    return x, _singular_values(lengths, ratios, len(x))


def _singular_values(lengths: list[torch.Tensor], ratios: list[torch.Tensor], count: int) -> np.ndarray:
    """Return the roots of the extreme Ritz values of the Lanczos matrix that conjugate gradients build."""
    out = np.full((count, 2), np.nan)
    if not lengths:
        return out
    length = torch.stack(lengths[:_RITZ_STEPS], dim=1).double().cpu().numpy()
    ratio = torch.stack(ratios[:_RITZ_STEPS], dim=1).double().cpu().numpy()
    for k in range(count):
        steps = int((length[k] > 0).sum())
        if steps:
            inverse = 1 / length[k, :steps]
            diagonal = inverse + np.append(0.0, ratio[k, : steps - 1] * inverse[:-1])
            beside = np.sqrt(ratio[k, : steps - 1]) * inverse[:-1]
            values = np.linalg.eigvalsh(np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1))
            out[k] = np.sqrt(values[[0, -1]].clip(min=0))
    return out
