"""Other inputs with the output of a network: in its first layer, in a linear region, across regions."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.domains import Box, Orthant, Polytope, Space
from unrelu.errors import ArgumentError, UnreluError
from unrelu.frames import analyse_points, frame_of
from unrelu.frames._signs import in_double
from unrelu.layers import ReLULayer
from unrelu.preimage._result import Kind
from unrelu.preimage.collisions._goal import Farthest
from unrelu.preimage.collisions._layer import collide_layer
from unrelu.preimage.collisions._proof import Candidate, certify_chain
from unrelu.preimage.collisions._region import ENTRIES
from unrelu.preimage.collisions._regions import Walk
from unrelu.preimage.collisions._result import relative_difference
from unrelu.preimage.pieces import network_preimage

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.frames import Frame
    from unrelu.layers import Chain, Network
    from unrelu.preimage.collisions._goal import Goal

_SAME = 1e-6  # relative difference of outputs that still counts as none
_STILL = 1e-8  # distance, relative to the inputs, that counts as none
_MARGIN = 1e-9  # kept from the faces of a polytope, relative to the inputs


def collide_network(
    net: Network, x: np.ndarray, domain: Domain, goal: Goal, deadline: float, frame: Frame | None
) -> Candidate | None:
    """Return the best other input with the network's output at ``x``, ``None`` where there is provably none.

    Args:
        net: The network.
        x: An input of the domain, shape ``(n,)``.
        domain: Where inputs live, a polyhedron.
        goal: What to choose by.
        deadline: On the clock of `time.monotonic`.
        frame: The first layer's rows, if they are known.

    Raises:
        UnreluError: If neither another input nor a proof that there is none was found.
    """
    chain, why_not = chain_of(net)
    first = net.first_layer
    candidates = []
    if first is not None:
        candidates = _in_first_layer(first, frame, x, domain, goal, _share(deadline))
    if chain is not None:
        if not candidates and is_singleton(chain, x):
            return None
        candidates += _in_regions(chain, x, domain, goal, deadline)
    best = _best(net, candidates, x, domain, goal)
    if best is None and chain is not None:
        if _proved_alone(net, x, domain):
            return None
        best = _best(net, _elsewhere(chain, x, domain, goal, deadline), x, domain, goal)
    if best is None:
        raise UnreluError(f"collide: no other input was found, and there may be one; {why_not}".rstrip("; "))
    certificate = best.certificate
    if chain is not None and best.region != "layer":
        certificate = certify_chain(chain, domain, x, best.other)
    reason = f"{best.reason}; {why_not}" if why_not else best.reason
    return replace(best, gap=None, reason=reason, certificate=certificate)


def _best(
    net: Network, candidates: list[Candidate], x: np.ndarray, domain: Domain, goal: Goal
) -> Candidate | None:
    """Return the best of the candidates that the network itself confirms."""
    accepted = [c for c in candidates if _holds(net, domain, c.other, x, goal)]
    return max(accepted, key=lambda c: goal.value(x, c.other), default=None)


def _elsewhere(chain: Chain, x: np.ndarray, domain: Domain, goal: Goal, deadline: float) -> list[Candidate]:
    """Return other inputs than ``x`` where ``x`` itself is the best of its region and those around it."""
    if isinstance(goal, Farthest):
        return []
    found = _in_regions(chain, x, domain, Farthest(0), deadline)
    return [
        replace(c, reason=f"no better input than the original was found; instead {c.reason}") for c in found
    ]


def _share(deadline: float) -> float:
    """Return when the search in the first layer must end: after a third of the time."""
    now = time.monotonic()
    return now + (deadline - now) / 3


def _in_first_layer(
    layer: ReLULayer, frame: Frame | None, x: np.ndarray, domain: Domain, goal: Goal, deadline: float
) -> list[Candidate]:
    """Return the best other input with the first layer's output, if one was found."""
    try:
        found = collide_layer(in_double(layer), frame or frame_of(layer), x, domain, goal, deadline)
    except UnreluError:  # later layers may confuse what this one tells apart
        return []
    return [] if found is None else [found]


def chain_of(net: Network) -> tuple[Chain | None, str]:
    """Return the network as a chain of layers, or why it is none."""
    try:
        chain = net.chain()
    except ArgumentError as error:
        return None, f"only the first layer was searched: {str(error).removeprefix('network: ')}"
    if chain.entries > ENTRIES:
        return None, f"only the first layer was searched: {chain.entries} (neurons x inputs) are too many"
    return chain, ""


def _in_regions(chain: Chain, x: np.ndarray, domain: Domain, goal: Goal, deadline: float) -> list[Candidate]:
    """Return what the walk from region to region finds."""
    inner = _shrunk(domain, x)
    names = ("linear region", "across regions")
    notes = ("the best in the linear region of x", "found by a search across borders of linear regions")
    return [
        Candidate(place.point, None, note, name)
        for place, name, note in zip(
            Walk(chain, x, inner, goal, deadline).places(), names, notes, strict=False
        )
    ]


def _shrunk(domain: Domain, x: np.ndarray) -> Domain:
    """Move the faces of a polytope inwards a little, where ``x`` is off them: corrections stay inside."""
    if isinstance(domain, Box | Orthant | Space):
        return domain
    G, h = domain.inequalities(len(x))
    size = np.linalg.norm(G, axis=1) * float(np.abs(x).max() or 1.0)
    return Polytope(G, h - np.minimum(0.5 * np.maximum(h - G @ x, 0), _MARGIN * size))


def _holds(net: Network, domain: Domain, other: np.ndarray, x: np.ndarray, goal: Goal) -> bool:
    """Whether another input has the output, by the network itself, lies in the domain and is not ``x``."""
    outputs = net.forward(np.stack([other, x])).reshape(2, -1)
    same = relative_difference(outputs[0], outputs[1]) <= _SAME
    far = np.linalg.norm(other - x) > _STILL * (goal.size(x) or 1.0)
    return bool(same and far and domain.contains(other))


def is_singleton(chain: Chain, x: np.ndarray) -> bool:
    """Whether every map is proved to give its input back, one after another."""
    activation = torch.from_numpy(x)[None]
    for layer in chain.layers:
        if analyse_points(layer, activation, n_jobs=1).singleton[0] != 1:
            return False
        activation = layer.apply(activation)
    if chain.last is None:
        return True
    rows = frame_of(ReLULayer(chain.last))
    return rows.rank_bounds(np.arange(rows.m))[0] == rows.n


def _proved_alone(net: Network, x: np.ndarray, domain: Domain) -> bool:
    """Whether the exact preimage of a small network is the input alone."""
    try:
        found = network_preimage(net, x, domain=domain, time_limit=10.0)
    except ArgumentError:
        return False
    return found.kind == Kind.SINGLETON
