"""Injectivity of a network from that of its layers, and from points where too few neurons are active."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.domains import Orthant, Space
from unrelu.errors import ArgumentError, UnreluError
from unrelu.frames import frame_of
from unrelu.injectivity._bounds import input_sets
from unrelu.injectivity._layer import decide_layer
from unrelu.injectivity._verdict import Decision, NetworkDecision, Verdict
from unrelu.injectivity._weak_point import weak_point
from unrelu.layers import ReLULayer
from unrelu.preimage.collisions import collide

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.injectivity._layer import Options
    from unrelu.layers import Chain, Network
    from unrelu.preimage.collisions import Collision


_INTERRUPTED = Decision(Verdict.UNKNOWN, "interrupted", interrupted=True)


def decide_network(net: Network, domain: Domain, options: Options) -> NetworkDecision:
    """Decide all layers, then the network.

    All layers injective on sets that contain their inputs: the network is. The first one not injective, or an
    inner point of a linear region at which the linearisation has too small a rank: it is not.
    """
    start = time.monotonic()
    chain, why_not = _chain(net)
    layers = _decide_layers(net, chain, domain, options)
    verdict, reason, collision = _whole(net, chain, why_not, layers, domain, options)
    return NetworkDecision(verdict, reason, layers, collision, time.monotonic() - start)


def _chain(net: Network) -> tuple[Chain | None, str]:
    try:
        return net.chain(), ""
    except ArgumentError as error:
        return None, str(error).removeprefix("network: expected a chain of ReLU layers, but ")


def _decide_layers(
    net: Network, chain: Chain | None, domain: Domain, options: Options
) -> dict[str, Decision]:
    if chain is None:
        relus = {layer.node for layer in net.values()}
        sets: list[Domain] = [
            domain if layer.source == net.input_name else Orthant() if layer.source in relus else Space()
            for layer in net.values()
        ]
    else:
        sets = input_sets(chain, domain)
    decisions: dict[str, Decision] = {}
    for (name, layer), part in zip(net.items(), sets, strict=True):
        stopped = any(decision.interrupted for decision in decisions.values())
        decisions[name] = _INTERRUPTED if stopped else _decided(layer, part, options)
    return decisions


def _decided(layer: ReLULayer, domain: Domain, options: Options) -> Decision:
    """Decide a layer; one that is too large to hold is open, and says so."""
    try:
        return decide_layer(layer, domain, options)
    except ArgumentError as error:
        return Decision(Verdict.UNKNOWN, str(error))


def _whole(
    net: Network,
    chain: Chain | None,
    why_not: str,
    layers: dict[str, Decision],
    domain: Domain,
    options: Options,
) -> tuple[Verdict, str, Collision | None]:
    first = net.first_layer
    if first is not None and layers[first.name].verdict == Verdict.NOT_INJECTIVE:
        pair = layers[first.name].collision
        return Verdict.NOT_INJECTIVE, f"the first layer, {first.name!r}, is not injective", pair
    stopped = next((name for name, decision in layers.items() if decision.interrupted), None)
    if stopped is not None:
        return Verdict.UNKNOWN, f"interrupted at layer {stopped!r}", None
    if chain is None:
        return Verdict.UNKNOWN, f"the network is no chain of layers: {why_not}", None
    left = [name for name, decision in layers.items() if decision.verdict != Verdict.INJECTIVE]
    if not left and _last_is_injective(chain):
        return Verdict.INJECTIVE, "all layers are injective on sets that contain their inputs", None
    found = weak_point(chain, domain, options.seed)
    if found is not None:
        x, reason = found
        return Verdict.NOT_INJECTIVE, reason, _pair(net, x, domain, options)
    if not left:
        return (
            Verdict.UNKNOWN,
            "the affine map behind the last layer may confuse what layers do not",
            None,
        )
    return Verdict.UNKNOWN, f"layer {left[0]!r}: {_why(layers[left[0]])}", None


def _why(decision: Decision) -> str:
    if decision.verdict == Verdict.NOT_INJECTIVE:
        return "not injective on a set around its inputs, but perhaps on these"
    return decision.reason


def _last_is_injective(chain: Chain) -> bool:
    if chain.last is None:
        return True
    rows = frame_of(ReLULayer(chain.last, torch.zeros(chain.last.m, dtype=torch.float64)))
    return rows.rank_bounds(np.arange(rows.m))[0] == rows.n


def _pair(net: Network, x: np.ndarray, domain: Domain, options: Options) -> Collision | None:
    """Return another input with the same output, if one is found in the time for a layer."""
    inside = domain if domain.polyhedral else None
    try:
        return collide(
            net, x.reshape(net.input_shape), domain=inside, seed=options.seed, time_limit=options.time_limit
        )
    except UnreluError:
        return None
