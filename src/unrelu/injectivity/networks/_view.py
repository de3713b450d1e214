"""How a network is looked at: as a chain, as a chain that passes on what skips layers, or in segments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from unrelu.domains import Domain, Orthant, Space
from unrelu.errors import ArgumentError
from unrelu.injectivity._bounds import input_sets, normalised

if TYPE_CHECKING:
    from unrelu.layers import Chain, Network, Segment

_EXPECTED = "network: expected "


@dataclass(frozen=True)
class View:
    """A network.

    Attributes:
        chain: As a chain of layers; ``None`` if it is none.
        stacked: Whether the layers also pass on what skips them.
        segments: Its parts between normalisations; none where it is a chain, or no chain of these either.
        why_not: Where it is neither: which node is in the way.
    """

    chain: Chain | None
    stacked: bool = False
    segments: tuple[Segment, ...] = ()
    why_not: str = ""

    @classmethod
    def of(cls, net: Network) -> View:
        """Choose the first way in which a network can be looked at."""
        try:
            return cls(net.chain())
        except ArgumentError:
            pass
        try:
            return cls(net.stacked(), stacked=True)
        except ArgumentError as error:
            why_not = f"the network is no chain of layers: {str(error).removeprefix(_EXPECTED)}"
        try:
            parts = net.segments()
        except ArgumentError:
            return cls(None, why_not=why_not)
        # A ReLU on a normalisation has rows that depend on the statistics: nothing is known of them.
        return cls(None, why_not=why_not) if any(p.rectified for p in parts) else cls(None, segments=parts)

    def sets(self, net: Network, domain: Domain) -> list[Domain]:
        """Return for each layer of the network a convex set that contains all its inputs."""
        if self.chain is not None and not self.stacked:
            return input_sets(self.chain.layers, domain)
        if self.segments:
            return self._between_normalisations(domain)
        relus = {step.name for step in net.steps if step.function is None}
        return [
            domain if layer.source == net.input_name else Orthant() if layer.source in relus else Space()
            for layer in net.values()
        ]

    def _between_normalisations(self, domain: Domain) -> list[Domain]:
        sets: list[Domain] = []
        start = domain
        for part in self.segments:
            sets += input_sets(part.layers, start) if part.layers else []
            start = start if part.normalisation is None else normalised(part.normalisation)
        return sets
