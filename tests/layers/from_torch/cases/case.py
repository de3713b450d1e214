"""What a case is: a module that `trace` reads, an example input, and what is expected of its network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

VECTOR, IMAGE, SEQUENCE = (5,), (2, 8, 6), (3, 10)


@dataclass(frozen=True)
class Case:
    """A module and what its network must look like.

    Attributes:
        make: Builds the module.
        shape: Shape of one sample.
        layers: Names of the layers, in order.
        skipped: Operators among the nodes not analysed.
    """

    make: Callable[[], nn.Module]
    shape: tuple[int, ...]
    layers: list[str]
    skipped: frozenset[str] = frozenset()

    def build(self) -> nn.Module:
        """Return the module with the same weights every time."""
        torch.manual_seed(0)
        return self.make()


class Cases(dict[str, Case]):
    """Cases by name."""

    def add(self, name: str, shape: tuple[int, ...], layers: str, skipped: str = "") -> Callable:
        """Return the decorator that enters a function that builds a module."""
        assert name not in self

        def enter(make: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
            self[name] = Case(make, shape, layers.split(), frozenset(skipped.split()))
            return make

        return enter


class Calls(nn.Module):
    """A module of named parts and a function that calls them."""

    def __init__(self, function: Callable[..., object], **parts: object) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            if isinstance(part, Tensor) and not isinstance(part, nn.Parameter):
                self.register_buffer(name, part)
            else:
                setattr(self, name, part)

    def forward(self, x: Tensor) -> object:
        return self.function(self, x)


def weight(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(*shape))


def statistics(module: nn.Module) -> nn.Module:
    """Give batch norms statistics that are not those of a fresh module."""
    for child in module.modules():
        if isinstance(child, nn.modules.batchnorm._BatchNorm):
            nn.init.normal_(child.running_mean)
            nn.init.uniform_(child.running_var, 0.5, 2)
            nn.init.normal_(child.weight)
            nn.init.normal_(child.bias)
    return module
