"""Reconstruction from the strictly active rows (Eckert et al. 2024, eq. 9), many outputs at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from joblib import Parallel, delayed, effective_n_jobs
from threadpoolctl import threadpool_limits

from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.errors import ArgumentError
from unrelu.frames import Frame, frame_of
from unrelu.frames._sharing import similar
from unrelu.frames._signs import in_double
from unrelu.inverse._solve import solve

if TYPE_CHECKING:
    from unrelu.layers import ReLULayer

_FACTOR_BYTES = 512 << 20  # factors kept at a time
_GROUP = 16  # outputs solved together
_BLOCK = 1024  # outputs among which similar ones are looked for


@dataclass(frozen=True)
class InverseResult:
    """What a batch of layer outputs gives back of the inputs.

    Attributes:
        x: Reconstructions, float64, shape ``(..., n)`` for flat outputs, else ``(..., *in_shape)``.
        unique: Whether ``y`` is proved to have no other preimage than ``x``, shape ``(...,)``; ``x`` itself
            is as accurate as the condition number allows. Elsewhere ``x`` is the minimum-norm solution of
            the equations that the output states.
        residual: ``||relu(W x + b) - y|| / ||y||``, or the numerator alone where ``y = 0``; shape ``(...,)``.
            Where it is not small, ``y`` is not an output of the layer, or not one of a minimum-norm input.
        condition: ``sigma_max / sigma_min`` of the strictly active rows, estimated by Lanczos to a few per
            cent; over non-zero singular values where the rows do not span. NaN where unknown or nothing is
            active. Shape ``(...,)``.
    """

    x: Array
    unique: Array
    residual: Array
    condition: Array


def invert(layer: ReLULayer, y: Array, *, frame: Frame | None = None, n_jobs: int = -1) -> InverseResult:
    """Reconstruct inputs of a layer from its outputs.

    Solves ``W_I x = y_I - b_I`` over the strictly active rows ``I = {i : y_i > 0}``: least squares where they
    span R^n, minimum norm elsewhere. Normal equations with certified Cholesky factors and iterative
    refinement in float64; singular values or LSMR where no factor is certified or refinement stalls.

    Args:
        layer: The layer.
        y: Outputs of shape ``(..., m)`` or ``(..., *out_shape)``, non-negative.
        frame: The layer's rows, to be shared between calls; made from the layer when ``None``.
        n_jobs: Threads, as in joblib.

    Returns:
        Reconstructions with proof of uniqueness, residual and condition number; numpy in gives numpy out,
        torch in gives torch out on the same device.

    Raises:
        ArgumentError: If ``y`` has a wrong shape, negative or non-finite entries.

    Example:
        >>> import numpy as np, unrelu
        >>> layer = unrelu.ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        >>> result = unrelu.invert(layer, layer.apply(np.array([[2.0, 3.0], [2.0, -3.0]])))
        >>> result.unique
        array([ True,  True])
        >>> result.x.round(12)
        array([[ 2.,  3.],
               [ 2., -3.]])
    """
    layer = in_double(layer)
    tensor, batch, flat = flatten_samples(to_tensor(y, "y", device=layer.bias.device), layer.out_shape, "y")
    negative = int((tensor < 0).sum())
    if negative:
        raise ArgumentError(f"y: expected outputs of a ReLU, got {negative} negative entries")
    frame = frame or frame_of(layer)
    x, unique, condition = _solve_all(frame, tensor.cpu().numpy(), layer.bias.cpu().numpy(), n_jobs)
    residual = _residual(layer, x.to(tensor.device), tensor)
    shape = (layer.n,) if flat else layer.in_shape
    return InverseResult(
        like(x.reshape(*batch, *shape), y),
        like(unique.reshape(batch), y),
        like(residual.reshape(batch), y),
        like(condition.reshape(batch), y),
    )


def _solve_all(
    frame: Frame, y: np.ndarray, bias: np.ndarray, n_jobs: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Solve for all outputs, similar ones together, groups side by side in threads.

    Returns:
        Solutions, whether each is proved the only one, condition numbers.
    """
    kept = max(1, _FACTOR_BYTES // max(1, frame.factor_bytes))
    threads = min(effective_n_jobs(n_jobs), kept)
    most = max(1, min(_GROUP, kept // threads, -(-len(y) // threads)))
    x, unique, condition = np.zeros((len(y), frame.n)), np.zeros(len(y), dtype=bool), np.zeros(len(y))

    def work(group: np.ndarray) -> None:
        mask = y[group] > 0
        target = np.where(mask, y[group] - bias, 0.0)
        x[group], unique[group], condition[group] = solve(frame, mask, target)

    with threadpool_limits(1, user_api="blas"), Parallel(threads, backend="threading") as parallel:
        for start in range(0, len(y), _BLOCK):
            block = np.arange(start, min(start + _BLOCK, len(y)))
            parallel(delayed(work)(block[group]) for group in similar(y[block] > 0, most))
    return torch.from_numpy(x), torch.from_numpy(unique), torch.from_numpy(condition)


def _residual(layer: ReLULayer, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    off = (layer.linear.apply(x) + layer.bias).clamp(min=0) - y
    largest = y.amax(dim=1, keepdim=True) if layer.m else y.new_zeros(len(y), 1)
    scale = torch.where(largest > 0, largest, 1.0)
    size = torch.linalg.vector_norm(y / scale, dim=1)
    return torch.linalg.vector_norm(off / scale, dim=1) / torch.where(size > 0, size, 1.0)
