"""How a network is looked at: as a chain, or as a chain that passes on what skips layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from unrelu.domains import Domain, Orthant, Space
from unrelu.errors import ArgumentError
from unrelu.injectivity._bounds import input_sets

if TYPE_CHECKING:
    from unrelu.layers import Chain, Network


@dataclass(frozen=True)
class View:
    """A network.

    Attributes:
        chain: As a chain of layers; ``None`` if it is none.
        stacked: Whether the layers also pass on what skips them.
    """

    chain: Chain | None
    stacked: bool = False

    @classmethod
    def of(cls, net: Network) -> Self:
        """Look at a network as it is."""
        try:
            return cls(net.chain())
        except ArgumentError:
            return cls(None)

    def or_stacked(self, net: Network) -> Self:
        """Look at a network that is no chain as one that passes on what skips its layers, if it is small."""
        if self.chain is not None:
            return self
        try:
            return type(self)(net.stacked(), stacked=True)
        except ArgumentError:
            return self

    @property
    def is_exact(self) -> bool:
        """Whether it is a chain of layers with the model's own numbers: links would tell nothing more."""
        if self.chain is None or self.stacked:
            return False
        last = self.chain.last is None or (self.chain.last.exact and not self.chain.rounded)
        return last and all(layer.exact for layer in self.chain.layers)

    def sets(self, net: Network, domain: Domain) -> list[Domain]:
        """Return for each layer of the network a convex set that contains all its inputs."""
        if self.chain is not None and not self.stacked:
            return input_sets(self.chain.layers, domain)
        relus = {step.name for step in net.steps if step.function is None}
        return [
            domain if layer.source == net.input_name else Orthant() if layer.source in relus else Space()
            for layer in net.values()
        ]
