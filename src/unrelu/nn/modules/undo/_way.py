"""The way back through steps, and the search in place of it where a projection lies on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn.modules._inversion import Inversion
from unrelu.nn.modules._levenberg_marquardt import LeastSquares, levenberg_marquardt
from unrelu.nn.modules._normalisation import depends_on_batch, normalised
from unrelu.nn.modules._projection import GenericProjection
from unrelu.nn.modules.undo._rules import has_statistics, rule_of
from unrelu.nn.modules.undo._step import Place, Step

_CANDIDATES = 2048
_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_SPREADS = (1.0, 0.25, 1.0, 4.0, 1.0, 0.5, 2.0, 1.0)


class Way:
    """A sequence of steps to be undone."""

    def __init__(self, steps: Sequence[Step], input_shape: tuple[int, ...] | None) -> None:
        """Take the steps in order, and the shape of one input if it is known.

        Raises:
            ArgumentError: If a step cannot be undone.
        """
        self.steps, self.input_shape = list(steps), input_shape
        self.rules = [rule_of(step) for step in steps]

    def back(self, y: torch.Tensor, statistics: Mapping[str, Any] | None) -> Inversion:
        """Return the inputs of outputs ``y``."""
        _check_outputs(y)
        known = self._checked(statistics)
        shapes = self._shapes(y)
        unique = torch.ones(len(y), dtype=torch.bool, device=y.device)
        x, first = y, y
        last = max(
            (k for k, s in enumerate(self.steps) if isinstance(s.module, GenericProjection)), default=-1
        )
        for k in reversed(range(len(self.steps))):
            if k == last:
                first = x
            step = self.steps[k]
            undone = self.rules[k].undo(step, x, Place(shapes[k], known.get(step.name)))
            x = undone.x
            if undone.unique is not None and k > last:
                unique = unique & undone.unique
        converged = torch.ones_like(unique)
        if last >= 0:
            found = self._search(last, first, x)
            x, converged = found.x, found.converged
        with torch.no_grad():
            residual = _relative(self.forward(x.detach()), y.detach())
        return Inversion(x, residual, unique, converged)

    def _checked(self, statistics: Mapping[str, Any] | None) -> Mapping[str, Any]:
        """Return the statistics once no others are among them than those that steps ask for."""
        given = {} if statistics is None else statistics
        names = [step.name for step in self.steps if has_statistics(step.module)]
        foreign = [name for name in given if name not in names]
        if foreign:
            expected = ", ".join(map(repr, names)) or "no module"
            raise ArgumentError(f"statistics: expected those of {expected}, got also {foreign[0]!r}")
        return given

    def _shapes(self, y: torch.Tensor) -> list[tuple[int, ...] | None]:
        """Return the shape of one input of every step, as far as anyone asks for it.

        Raises:
            ArgumentError: If a step needs it and the shape of the network's input is not known.
        """
        asking = [k for k, rule in enumerate(self.rules) if rule.shaped]
        shapes: list[tuple[int, ...] | None] = [None] * len(self.steps)
        if not asking:
            return shapes
        if self.input_shape is None:
            raise ArgumentError(
                f"input_shape: expected the shape of one input, which {self.steps[asking[0]]} needs, got none"
            )
        with torch.no_grad():
            sample = y.new_zeros(1, *self.input_shape)
            for k in range(asking[-1] + 1):
                shapes[k] = tuple(sample.shape[1:])
                if not self.rules[k].keeps_shape:
                    sample = self.steps[k](sample)
        return shapes

    def forward(self, x: torch.Tensor, stop: int | None = None) -> torch.Tensor:
        """Evaluate the steps and leave running averages as they are."""
        for step in self.steps[:stop]:
            x = normalised(step.module, x) if depends_on_batch(step.module) else step(x)
        return x

    def _search(self, last: int, y: torch.Tensor, start: torch.Tensor) -> LeastSquares:
        """Solve for the network's input where a projection leaves the layers before it open.

        The search begins at the layerwise answer, and again near it where that does not succeed.

        Raises:
            ArgumentError: If a step before the projection divides by statistics of what it reads.
        """
        for step in self.steps[:last]:
            if has_statistics(step.module):
                raise ArgumentError(
                    f"{step}: expected no statistics in front of a projection, got a normalisation"
                )

        def function(x: torch.Tensor) -> torch.Tensor:
            return self.forward(x, last + 1)

        best = levenberg_marquardt(function, y, start)
        generator = torch.Generator().manual_seed(0)
        size = start.detach().square().mean().sqrt()
        for spread in _SPREADS:
            left = (best.residual > torch.finfo(y.dtype).eps ** 0.5).nonzero()[:, 0]
            if not len(left):
                break
            noise = torch.randn((_CANDIDATES, *start.shape[1:]), generator=generator, dtype=torch.float64)
            starts = _nearest(function, y[left], spread * size * noise.to(y))
            best = _better(best, levenberg_marquardt(function, y[left], starts), left)
        return best


def _nearest(
    function: Callable[[torch.Tensor], torch.Tensor], y: torch.Tensor, candidates: torch.Tensor
) -> torch.Tensor:
    """Return for every output the candidate whose own output is nearest."""
    with torch.no_grad():
        images = function(candidates).flatten(1)
        return candidates[torch.cdist(y.flatten(1), images).argmin(dim=1)]


def _check_outputs(y: torch.Tensor) -> None:
    """Refuse what is no batch of numbers.

    Raises:
        ArgumentError: If there is no batch axis, or an entry is not finite.
    """
    if y.dim() < 2:
        raise ArgumentError(f"y: expected shape (N, ...), got {tuple(y.shape)}")
    bad = int(y.numel() - y.detach().isfinite().sum())
    if bad:
        raise ArgumentError(f"y: expected finite numbers, got {bad} NaN or infinite entries")


def check_samples(steps: Sequence[Step]) -> None:
    """Refuse steps that do not treat every sample by itself, and always in the same way.

    Raises:
        ArgumentError: If there is one, naming it.
    """
    for step in steps:
        parts = list(step.module.modules())
        random = any(isinstance(part, _DROPOUTS) and part.training for part in parts)
        if random or any(depends_on_batch(part) for part in parts):
            raise ArgumentError(
                f"{step}: expected evaluation mode, got training mode: its samples are not maps of their own"
            )


def _better(best: LeastSquares, found: LeastSquares, rows: torch.Tensor) -> LeastSquares:
    """Replace solutions by those with smaller residuals."""
    wins = found.residual < best.residual[rows]
    x, residual, converged = best.x.clone(), best.residual.clone(), best.converged.clone()
    x[rows[wins]] = found.x[wins]
    residual[rows[wins]] = found.residual[wins]
    converged[rows[wins]] = found.converged[wins]
    return LeastSquares(x, residual, converged, best.steps + found.steps)


def _relative(found: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the distance of outputs in units of their lengths."""
    size = torch.linalg.vector_norm(y.flatten(1), dim=1)
    return torch.linalg.vector_norm((found - y).flatten(1), dim=1) / torch.where(size > 0, size, 1.0)
