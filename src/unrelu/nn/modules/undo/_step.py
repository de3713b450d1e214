"""A sequence of modules as steps that can be undone: a ReLU belongs to the module in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from unrelu.errors import ArgumentError


@dataclass(frozen=True)
class Step:
    """A module, with the ReLU behind it if there is one.

    Attributes:
        name: Where the module lies, as in `torch.nn.Module.named_modules`.
        module: The module.
        rectified: Whether a ReLU follows it.
    """

    name: str
    module: nn.Module
    rectified: bool = False

    def __str__(self) -> str:
        """Name the module as error messages do."""
        return f"module {self.name!r} ({type(self.module).__name__})"

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the next step reads."""
        y: torch.Tensor = self.module(x)
        return torch.relu(y) if self.rectified else y


@dataclass(frozen=True)
class Undone:
    """Where a step came from.

    Attributes:
        x: The inputs, shape ``(N, ...)``.
        unique: Whether each is the only input with its output, shape ``(N,)``; ``None`` where all are.
    """

    x: torch.Tensor
    unique: torch.Tensor | None = None


@dataclass(frozen=True)
class Place:
    """What is known of the place where a step is undone.

    Attributes:
        shape: Shape of one input of the step, without batch axis; ``None`` where nobody asked for it.
        statistics: What the step handed over when it was evaluated, if anything.
    """

    shape: tuple[int, ...] | None
    statistics: Any = None


def steps_of(container: nn.Sequential) -> list[Step]:
    """Return the modules of a sequence, those of sequences within it among them, in order.

    Raises:
        ArgumentError: If a ReLU comes first, or after something that no ReLU may follow.
    """
    steps: list[Step] = []
    for name, module in _leaves(container, ""):
        if not isinstance(module, nn.ReLU):
            steps.append(Step(name, module))
        elif not steps:
            raise ArgumentError(f"module {name!r} (ReLU): expected an injective layer in front of it")
        else:
            steps[-1] = Step(steps[-1].name, steps[-1].module, rectified=True)
    return steps


def _leaves(container: nn.Sequential, prefix: str) -> Iterator[tuple[str, nn.Module]]:
    for name, module in zip(container._modules, container, strict=True):
        if isinstance(module, nn.Sequential):
            yield from _leaves(module, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", module
