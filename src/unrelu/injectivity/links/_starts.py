"""Convex sets that contain everything the links of a network get to see."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from unrelu.domains import Domain, Orthant, Space
from unrelu.injectivity._bounds import input_sets, normalised

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.layers import Link


def starts(links: Sequence[Link], domain: Domain) -> list[Domain]:
    """Return for each link a set that contains all its inputs.

    Layers one behind the other see boxes, by interval arithmetic, and what follows a normalisation sees the
    box of all that it puts out. Behind another link nothing is known but that a ReLU is not negative.

    Args:
        links: The links, in order, at least one.
        domain: Where the first one's inputs live.
    """
    sets: list[Domain] = []
    before: Link | None = None
    for _, part in groupby(links, key=lambda link: link.layer is not None):
        own = list(part)
        layers = [link.layer for link in own if link.layer is not None]
        sets += input_sets(layers, _behind(before, domain)) if layers else []
        for link in own[len(layers) :]:
            sets.append(_behind(before, domain))
            before = link
        before = own[-1]
    return sets


def _behind(link: Link | None, domain: Domain) -> Domain:
    """Return where the results of a link lie; the domain where there is no link."""
    if link is None:
        return domain
    last = link.parts[-1]
    if last.normalisation is not None:
        return normalised(last.normalisation)
    return Orthant() if last.kind == "relu" else Space()
