"""Nonlinear least squares for a batch, each sample with its own damping (Levenberg 1944, Marquardt 1963)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unrelu.nn.modules._jacobian import jacobians

if TYPE_CHECKING:
    from collections.abc import Callable

_FIRST_DAMPING = 1e-3
_LARGEST_DAMPING = 1e12
_RAISED, _LOWERED = 10.0, 0.1


@dataclass(frozen=True, eq=False)
class LeastSquares:
    """Where the search for ``function(x) = y`` ended.

    Attributes:
        x: Solutions, shape ``(N, *in_shape)``.
        residual: ``||function(x) - y|| / ||y||``, or the numerator alone where ``y = 0``; shape ``(N,)``.
        converged: Whether the equation is solved, or no step lowered the residual any more: a stationary
            point, which need not be the nearest output where the residual is not small. Shape ``(N,)``.
        steps: Jacobians computed for the batch.
    """

    x: torch.Tensor
    residual: torch.Tensor
    converged: torch.Tensor
    steps: int


def levenberg_marquardt(
    function: Callable[[torch.Tensor], torch.Tensor], y: torch.Tensor, start: torch.Tensor, steps: int = 100
) -> LeastSquares:
    """Minimise ``||function(x) - y||`` for every sample of a batch.

    Args:
        function: From ``(N, *in_shape)`` to ``(N, *out_shape)``, one sample apart from the others; must allow
            `torch.vmap`.
        y: What it should return, shape ``(N, *out_shape)``.
        start: Where to begin, shape ``(N, *in_shape)``.
        steps: Jacobians at most.

    Returns:
        The solutions, detached.
    """
    with torch.no_grad():
        state = _State(function, y.detach(), start.detach())
        count = 0
        while count < steps and bool((left := ~state.done).any()):
            state.step(left.nonzero()[:, 0])
            count += 1
        size = torch.linalg.vector_norm(y.flatten(1), dim=1)
        residual = state.length / torch.where(size > 0, size, 1.0)
        return LeastSquares(state.x, residual, state.done, count)


class _State:
    """Where every sample stands."""

    def __init__(
        self, function: Callable[[torch.Tensor], torch.Tensor], y: torch.Tensor, x: torch.Tensor
    ) -> None:
        self.function, self.y = function, y.flatten(1)
        self.x = x.clone()
        self.rounding = 4 * torch.finfo(y.dtype).eps
        self.size = torch.linalg.vector_norm(self.y, dim=1)
        self.error = self._error(self.x, self.y)
        self.length = torch.linalg.vector_norm(self.error, dim=1)
        self.damping = torch.full_like(self.length, _FIRST_DAMPING)
        self.done = self.length <= self.rounding * self.size

    def _error(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.function(x).flatten(1) - y

    def step(self, rows: torch.Tensor) -> None:
        """Take a step, or raise the damping, at some samples."""
        x, error, length = self.x[rows], self.error[rows], self.length[rows]
        jacobian = jacobians(self.function, x)
        move = _damped(jacobian, error, self.damping[rows]).reshape(x.shape)
        tried = x - move
        found = self._error(tried, self.y[rows])
        reached = torch.linalg.vector_norm(found, dim=1)
        better = reached < length
        self.x[rows] = torch.where(better.reshape(-1, *(1,) * (x.dim() - 1)), tried, x)
        self.error[rows] = torch.where(better[:, None], found, error)
        self.length[rows] = torch.where(better, reached, length)
        self.damping[rows] = self.damping[rows] * torch.where(better, _LOWERED, _RAISED)
        short = move.flatten(1).norm(dim=1) <= self.rounding * x.flatten(1).norm(dim=1)
        solved = self.length[rows] <= self.rounding * self.size[rows]
        self.done[rows] = solved | short | (self.damping[rows] > _LARGEST_DAMPING)


def _damped(jacobian: torch.Tensor, error: torch.Tensor, damping: torch.Tensor) -> torch.Tensor:
    """Return the ``d`` that minimises ``||J d - e||² + damping ||D d||²``, ``D`` the columns' lengths."""
    lengths = torch.linalg.vector_norm(jacobian, dim=1)
    lengths = torch.where(lengths > 0, lengths, 1.0) * damping.sqrt()[:, None]
    matrix = torch.cat([jacobian, torch.diag_embed(lengths)], dim=1)
    right = torch.cat([error, torch.zeros_like(lengths)], dim=1)
    q, r = torch.linalg.qr(matrix)
    projected = (q.mT @ right[..., None]).contiguous()
    return torch.linalg.solve_triangular(r, projected, upper=True)[..., 0]
