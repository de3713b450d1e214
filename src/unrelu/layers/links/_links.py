"""A network cut into links."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import torch

from unrelu.layers._graph import sample_shape
from unrelu.layers._relu_layer import ReLULayer
from unrelu.layers.links._link import Link, LinkPart
from unrelu.layers.links._lowering import Lowering
from unrelu.layers.links._places import Places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.layers._network import Network
    from unrelu.layers.links._places import Place


def links(net: Network) -> tuple[Link, ...]:
    """Cut a network wherever everything behind sees what is in front through one tensor alone.

    Affine maps in a row, with a ReLU behind them or without, are one link where folding them rounds nothing.
    Otherwise each is a link of its own, if it has as many entries as it reads, twice as many with a ReLU:
    with fewer it is not injective alone. What has fewer is folded all the same, and counts as rounded.
    """
    found = Places(net)
    cuts = found.cuts()
    bounds, stop = [cuts[-1]], len(cuts) - 1
    while stop:
        start = stop - 1
        while start and _joins(found.places, cuts[start - 1], cuts[start], cuts[stop]):
            start -= 1
        bounds.append(cuts[start])
        stop = start
    return tuple(_link(net, found, *ends) for ends in pairwise(reversed(bounds)))


def _joins(places: Sequence[Place], before: int, start: int, stop: int) -> bool:
    """Say whether what lies between ``before`` and ``start`` is one link with what follows up to ``stop``."""
    here, last = places[start], places[stop]
    moves = start == before + 1 and here.only_moves
    if not _is_layer(places, start, stop) or not here.is_affine:
        return moves and not _follows_affine_map(places, start)
    if moves or last.size < (2 * here.size if last.is_relu else here.size):
        return True
    if all(place.only_moves for place in places[start + 1 : stop + 1]):
        return True
    return _is_layer(places, before, start) and _is_exact(places, before, stop)


def _follows_affine_map(places: Sequence[Place], position: int) -> bool:
    """Whether what is moved is an affine map of one tensor: the entries are moved inside of that map then."""
    while places[position].only_moves:
        (position,) = places[position].reads
    return places[position].is_affine and len(places[position].reads) == 1


def _is_layer(places: Sequence[Place], start: int, stop: int) -> bool:
    """Whether it is an affine map, and maybe a ReLU at the end, and nothing else."""
    last = places[stop]
    return (last.is_affine or last.is_relu) and all(p.is_affine for p in places[start + 1 : stop])


def _is_exact(places: Sequence[Place], start: int, stop: int) -> bool:
    return all(part.exact for part in Lowering(places, start, stop, fold=True).parts)


def _link(net: Network, found: Places, start: int, stop: int) -> Link:
    places = found.places
    first, last = places[start], places[stop]
    is_layer = _is_layer(places, start, stop)
    layer = _known_layer(net, found, start, stop) if is_layer else None
    if layer is not None:
        terms = ((0, layer.linear),)
        part = LinkPart("relu", layer.name, layer.node, terms, layer.bias, layer.rounded, layer.m)
        parts = [part]
    else:
        parts = Lowering(places, start, stop, fold=is_layer).parts
        if is_layer and last.is_relu:
            layer = _layer(parts[0], first)
    shape = sample_shape(first.shape)
    return Link(parts[-1].name, last.name, first.name, shape, first.size, tuple(parts), first.is_relu, layer)


def _known_layer(net: Network, found: Places, start: int, stop: int) -> ReLULayer | None:
    """Return the layer of the network that a link is, if it is one."""
    last = found.places[stop]
    layer = net.get(last.name) if last.is_relu else None
    return layer if layer is not None and found.of_activation(layer.source) == start else None


def _layer(part: LinkPart, first: Place) -> ReLULayer:
    ((_, linear),) = part.terms
    layer = ReLULayer(linear, name=part.name, node=part.node, source=first.name, rounded=part.rounded)
    layer.bias = part.offset.to(torch.float64)
    return layer
