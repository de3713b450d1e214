"""Reconstruction from the strictly active rows (Eckert et al. 2024, eq. 9), many outputs at a time."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import torch
from joblib import Parallel, delayed
from scipy.sparse.linalg import lsmr
from threadpoolctl import threadpool_limits

from unrelu.arrays import Array, flatten_samples, like, to_tensor
from unrelu.errors import ArgumentError
from unrelu.frames import Frame, frame_of
from unrelu.frames._frame import to_dense
from unrelu.frames._scaling import near_one, scaled_rows
from unrelu.frames._sharing import similar
from unrelu.frames._signs import in_double

if TYPE_CHECKING:
    from unrelu.frames._factor import Factor
    from unrelu.layers import ReLULayer

_FACTOR_BYTES = 512 << 20  # factors kept at a time
_DIRECT_ENTRIES = 4_000_000  # singular values of so many entries take a second
_GROUP = 8  # outputs with similar active rows that are factored together
_SOLVE_JOBS = 16  # solving is quick: handing out every system alone would cost as much
_REFINEMENTS = 8
_SETTLED = 1e-9  # relative size of a last step that rounding explains; a rough factor leaves more
_UNEVEN = 16  # powers of two between sizes of rows or columns that make a system look singular
_LSMR_CONVERGED = (0, 1, 2, 4, 5)  # the reasons to stop other than effort and condition
_STEPS = 8  # of the Lanczos iteration for the largest singular value


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
    solver = _Solver(layer, frame or frame_of(layer))
    size = max(1, _FACTOR_BYTES // solver.factor_bytes)
    with threadpool_limits(1, user_api="blas"), Parallel(n_jobs, backend="threading") as parallel:
        parts = [solver.solve(parallel, part) for part in tensor.split(size)] if len(tensor) else []
    x, unique, condition = (
        torch.cat(column) if parts else torch.zeros(0, dtype=torch.float64)
        for column in (zip(*parts, strict=True) if parts else [()] * 3)
    )
    x = x.reshape(-1, layer.n)
    residual = _residual(layer, x, tensor)
    shape = (layer.n,) if flat else layer.in_shape
    return InverseResult(
        like(x.reshape(*batch, *shape), y),
        like(unique.bool().reshape(batch), y),
        like(residual.reshape(batch), y),
        like(condition.reshape(batch), y),
    )


def _residual(layer: ReLULayer, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    off = (layer.linear.apply(x) + layer.bias).clamp(min=0) - y
    largest = y.amax(dim=1, keepdim=True) if layer.m else y.new_zeros(len(y), 1)
    scale = torch.where(largest > 0, largest, 1.0)
    size = torch.linalg.vector_norm(y / scale, dim=1)
    return torch.linalg.vector_norm(off / scale, dim=1) / torch.where(size > 0, size, 1.0)


@dataclass(frozen=True)
class _System:
    """One output's equations, factored where that is certified."""

    index: np.ndarray
    spanning: bool
    factor: Factor | None
    sigma_min: float


class _Solver:
    """Solves for many outputs of one layer: products over the batch, factors in threads, alike ones together."""

    def __init__(self, layer: ReLULayer, frame: Frame) -> None:
        self.layer, self.frame = layer, frame
        self.factor_bytes = 8 * max(1, min(layer.m, layer.n)) ** 2

    def solve(self, parallel: Parallel, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        mask = y > 0
        target = torch.where(mask, y - self.layer.bias, 0.0)
        active = mask.cpu().numpy()
        groups = list(similar(active, _GROUP))
        factored = list(chain(*parallel(delayed(self._systems)(active[group]) for group in groups)))
        systems = [factored[k] for k in np.argsort(np.concatenate(groups))]
        with np.errstate(over="ignore", invalid="ignore"):
            x, settled = self._refined(parallel, systems, mask, target)
        sigma_max = _largest_singular_values(self.layer, mask, float(self.frame.norms.max(initial=0)))
        smallest = np.array([s.sigma_min for s in systems])
        unique = torch.from_numpy(settled & [s.spanning and self.frame.used == self.frame.n for s in systems])
        condition = sigma_max / torch.from_numpy(smallest)
        slow = [k for k, system in enumerate(systems) if len(system.index) and not settled[k]]
        solutions = parallel(delayed(self._directly)(systems[k].index, target[k].cpu().numpy()) for k in slow)
        for k, solved in zip(slow, solutions, strict=True):
            x[k], unique[k], condition[k] = torch.from_numpy(solved[0]), solved[1], solved[2]
        return x, unique, condition

    def _refined(
        self, parallel: Parallel, systems: list[_System], mask: torch.Tensor, target: torch.Tensor
    ) -> tuple[torch.Tensor, np.ndarray]:
        """Solve all factored systems, each as accurately as its factor allows; say which ones converged."""
        x = torch.zeros(len(mask), self.layer.n, dtype=torch.float64, device=mask.device)
        before, left = np.full(len(mask), np.inf), np.full(len(mask), np.inf)
        going = np.array([s.factor is not None for s in systems])
        for _ in range(_REFINEMENTS):
            rest = target - torch.where(mask, self.layer.linear.apply(x), 0.0)
            step = self._step(parallel, systems, rest, going)
            length = np.linalg.norm(step, axis=1)
            # A step that is hardly shorter than the one before only stirs rounding errors.
            left[going] = length[going]
            going &= length < 0.5 * before
            x += torch.from_numpy(step * going[:, None]).to(x.device)
            # Steps shrink geometrically: stop when the next one would be below the last digit.
            following = np.where(np.isinf(before), length, length**2 / np.where(before > 0, before, 1.0))
            left[going] = following[going]
            size = np.linalg.norm(x.cpu().numpy(), axis=1)
            going &= following > 1e-16 * size
            before = length
            if not going.any():
                break
        return x, left <= _SETTLED * size

    def _systems(self, masks: np.ndarray) -> list[_System]:
        """Factor some systems that have many rows in common."""
        frame = self.frame
        indices = [np.flatnonzero(mask) for mask in masks]
        spanning = np.array([0 < frame.used <= len(index) for index in indices])
        operators = iter(frame.frame_operators(masks[spanning]) if frame.max_rank == frame.used else ())
        factors = [
            next(operators, None) if spans else frame.gram(index) if len(index) else None
            for index, spans in zip(indices, spanning, strict=True)
        ]
        return [
            _System(index, bool(spans), factor, _smallest_singular_value(factor))
            for index, spans, factor in zip(indices, spanning, factors, strict=True)
        ]

    def _step(
        self, parallel: Parallel, systems: list[_System], rest: torch.Tensor, going: np.ndarray
    ) -> np.ndarray:
        """Solve the systems still going for what is left of their right-hand sides."""
        pulled = self.layer.linear.adjoint(rest).cpu().numpy()
        outer = rest.cpu().numpy()

        def some(numbers: np.ndarray) -> list[np.ndarray]:
            return [
                system.factor.solve(pulled[k] if system.spanning else outer[k, system.index])
                for k, system in ((k, systems[k]) for k in numbers)
                if system.factor is not None
            ]

        step = np.zeros_like(pulled)
        weights = np.zeros_like(outer)
        numbers = np.flatnonzero(going)
        jobs = np.array_split(numbers, min(len(numbers), _SOLVE_JOBS)) if len(numbers) else []
        solutions = (solved for part in parallel(delayed(some)(job) for job in jobs) for solved in part)
        for k, solved in zip(numbers, solutions, strict=True):
            if systems[k].spanning:
                step[k] = solved
            else:
                weights[k, systems[k].index] = solved
        if weights.any():
            step += self.layer.linear.adjoint(torch.from_numpy(weights).to(rest.device)).cpu().numpy()
        return step

    def _directly(self, index: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, bool, float]:
        """Solve one system that no certified factor covers, for its minimum-norm solution."""
        frame, rows, target = self.frame, self.frame.rows(index), target[index]
        if len(index) * frame.n > _DIRECT_ENTRIES:
            x, stop, *_, condition, _ = lsmr(rows, target, atol=1e-15, btol=1e-15, maxiter=10 * frame.n)
            return x, stop in _LSMR_CONVERGED and self._spanning(index), float(condition)
        dense = to_dense(rows)
        x, _, rank, sigma = np.linalg.lstsq(dense, target, rcond=None)
        condition = float(sigma[0] / sigma[rank - 1]) if rank else np.nan
        if rank == frame.n:
            return x, self._spanning(index), condition
        # Singular to working precision: rows or columns of very different sizes may be all there is to it.
        by_row = near_one(dense)
        by_column = near_one(scaled_rows(dense, by_row).T)
        if max(np.ptp(np.log2(by_row)), np.ptp(np.log2(by_column))) > _UNEVEN and self._spanning(index):
            dense = scaled_rows(dense, by_row) * by_column
            scaled, _, rank, _ = np.linalg.lstsq(dense, target * by_row, rcond=None)
            if rank == frame.n:
                return scaled * by_column, True, float(sigma[0] / sigma[-1]) if sigma[-1] > 0 else np.inf
        return x, False, condition

    def _spanning(self, index: np.ndarray) -> bool:
        """Return whether the rows are proved to span R^n, exact elimination included."""
        n = self.frame.n
        return min(len(index), self.frame.rank_limit) >= n and self.frame.rank_bounds(index)[0] == n


def _smallest_singular_value(factor: Factor | None) -> float:
    return float(np.sqrt(max(factor.smallest_eigenvalue(), 0.0))) if factor else np.nan


def _largest_singular_values(layer: ReLULayer, mask: torch.Tensor, unit: float) -> torch.Tensor:
    """Estimate ``sigma_max(W_I)`` for every row of ``mask``, from below, to a few per cent (Lanczos).

    Sizes are taken relative to ``unit``, so that squares stay in range.
    """
    unit = min(max(unit, np.finfo(float).tiny), np.finfo(float).max)
    generator = torch.Generator().manual_seed(0)
    v = (
        torch.randn(1, layer.n, generator=generator, dtype=torch.float64)
        .to(mask.device)
        .expand(len(mask), -1)
    )
    v = v / torch.linalg.vector_norm(v, dim=1, keepdim=True)
    before, size = torch.zeros_like(v), torch.zeros(len(mask), 1, dtype=torch.float64, device=mask.device)
    steps = min(_STEPS, layer.n)
    small = torch.zeros(len(mask), steps, steps, dtype=torch.float64, device=mask.device)
    for k in range(steps):
        image = torch.where(mask, layer.linear.apply(v) / unit, 0.0)
        w = layer.linear.adjoint(image) / unit - size * before
        along = (w * v).sum(dim=1)
        small[:, k, k] = along
        w = w - along[:, None] * v
        size = torch.linalg.vector_norm(w, dim=1, keepdim=True)
        if k + 1 < steps:
            small[:, k, k + 1] = small[:, k + 1, k] = size[:, 0]
        before, v = v, w / size.clamp(min=torch.finfo(w.dtype).tiny)
    return unit * torch.linalg.eigvalsh(small)[:, -1].clamp(min=0).sqrt().cpu()
