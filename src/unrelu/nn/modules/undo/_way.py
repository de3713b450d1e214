"""The way back through steps, and the search in place of it where a projection lies on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from unrelu.errors import ArgumentError
from unrelu.nn.modules._inversion import Inversion
from unrelu.nn.modules._levenberg_marquardt import LeastSquares
from unrelu.nn.modules._normalisation import depends_on_batch, normalised
from unrelu.nn.modules._projection import GenericProjection
from unrelu.nn.modules.undo._rules import has_statistics, rule_of
from unrelu.nn.modules.undo._search import search
from unrelu.nn.modules.undo._step import Place, Step

_DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)


class Way:
    """A sequence of steps to be undone."""

    def __init__(self, steps: Sequence[Step], input_shape: tuple[int, ...] | None) -> None:
        """Take the steps in order, and the shape of one input if it is known.

        Raises:
            ArgumentError: If a step cannot be undone.
        """
        self.steps, self.input_shape = list(steps), input_shape
        self.rules = [rule_of(step) for step in steps]

    def back(self, y: torch.Tensor, statistics: Mapping[str, Any] | None, restarts: int) -> Inversion:
        """Return the inputs of outputs ``y``; see `InjectiveSequential.invert`."""
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
            found = self._search(last, first, x, restarts)
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
        needing = [k for k, rule in enumerate(self.rules) if rule.shaped]
        shapes: list[tuple[int, ...] | None] = [None] * len(self.steps)
        if self.input_shape is None:
            if not needing:
                return shapes
            step = self.steps[needing[0]]
            raise ArgumentError(f"input_shape: expected the shape of one input, which {step} needs, got none")
        asking = [k for k, rule in enumerate(self.rules) if rule.shaped or rule.helped]
        if not asking:
            return shapes
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

    def _search(self, last: int, y: torch.Tensor, start: torch.Tensor, restarts: int) -> LeastSquares:
        """Solve for the network's input where a projection leaves the layers before it open.

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

        return search(function, y, start, restarts)


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
                f"{step}: expected evaluation mode, got training mode: other samples or chance take part"
            )


def _relative(found: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the distance of outputs in units of their lengths."""
    size = torch.linalg.vector_norm(y.flatten(1), dim=1)
    return torch.linalg.vector_norm((found - y).flatten(1), dim=1) / torch.where(size > 0, size, 1.0)
