"""Injectivity of a network: by its layers, by points where few neurons are active, by linear regions."""

from __future__ import annotations

import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.certificates import (
    InjectivityCertificate,
    LinksCertificate,
    NetworkInjectivityCertificate,
    NetworkWitnessCertificate,
    StructureCertificate,
    WitnessCertificate,
    verify,
)
from unrelu.domains import Ball, Box
from unrelu.errors import ArgumentError, UnreluError
from unrelu.frames import frame_of
from unrelu.injectivity._bounds import around, input_sets
from unrelu.injectivity._layer import try_layer
from unrelu.injectivity._verdict import Decision, NetworkDecision, Verdict
from unrelu.injectivity._weak_point import sample_points, weak_point
from unrelu.injectivity.links import decide_links
from unrelu.injectivity.networks import (
    decide_by_regions,
    low_rank_point,
    narrow_place,
    of_first_layer,
)
from unrelu.injectivity.networks._view import View
from unrelu.injectivity.witness import inner_point
from unrelu.layers import ReLULayer
from unrelu.preimage.collisions import Collision, collide, relative_difference
from unrelu.preimage.collisions._proof import certify_chain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from unrelu.domains import Domain
    from unrelu.injectivity._layer import Options
    from unrelu.injectivity._verdict import NetworkProof
    from unrelu.layers import Chain, LinearMap, Network


_INTERRUPTED = Decision(Verdict.UNKNOWN, "interrupted", interrupted=True)
_INSIDE = Decision(Verdict.UNKNOWN, "not asked: the links that it belongs to were decided instead")


def decide_network(net: Network, domain: Domain, options: Options) -> NetworkDecision:
    """Decide the links of a network, or its layers, and from these the network.

    All links injective on sets that contain their inputs: the network is. The first layer not injective, or a
    point of the domain around which the linearisation has too small a rank: it is not. Otherwise, where the
    network is small, all pairs of its linear regions decide; what skips a layer is then passed on by it.

    Behind a normalisation that divides by statistics of the activation the answer may be one given the means.
    """
    start = time.monotonic()
    answer = _Question(net, View.of(net), domain, options).answer()
    return replace(answer, seconds=time.monotonic() - start)


def _decide_layers(
    layers: Mapping[str, ReLULayer],
    sets: Sequence[Domain],
    options: Options,
    known: Mapping[str, Decision] | None = None,
) -> dict[str, Decision]:
    """Decide layers that have not been decided yet, until one is interrupted."""
    decisions: dict[str, Decision] = dict(known or {})
    for (name, layer), part in zip(layers.items(), sets, strict=True):
        stopped = any(decision.interrupted for decision in decisions.values())
        if name not in decisions:
            decisions[name] = _INTERRUPTED if stopped else try_layer(layer, part, options)
    return decisions


class _Question:
    """A network and what has been found out about it."""

    def __init__(self, net: Network, view: View, domain: Domain, options: Options) -> None:
        self.net, self.view, self.domain, self.options = net, view, domain, options
        self.layers: dict[str, Decision] = {}
        self.parts = self.layers
        self.open_link = ""

    def answer(self) -> NetworkDecision:
        """Answer by what is cheap first."""
        found = None if self.view.is_exact else self._by_links()
        if found is not None:
            return found
        self.view = self.view.or_stacked(self.net)
        sets = self.view.sets(self.net, self.domain)
        self.layers = self.parts = _decide_layers(self.net, sets, self.options, self._still_true())
        return self._by_first_layer() or self._interrupted() or self._by_view()

    def _by_links(self) -> NetworkDecision | None:
        """Answer by all links; ``None`` where one of them is open. Ctrl-C keeps what is known of layers."""
        known: dict[ReLULayer, Decision] = {}
        try:
            found = decide_links(self.net.links(), self.domain, self.options, known)
        except KeyboardInterrupt:
            return self._decision(Verdict.UNKNOWN, "interrupted when links were decided")
        finally:
            self.layers = self.parts = {
                name: known[layer] for name, layer in self.net.items() if layer in known
            }
        self.open_link = found.reason
        if found.certificate is None:
            return self._interrupted()
        given = found.certificate.given
        reason = "all links are injective on sets that contain their inputs"
        if given:
            told = ", ".join(f"the {what} of {node!r}" for node, what in given.items())
            reason = f"given {told}: {reason}"
        return replace(self._decision(Verdict.INJECTIVE, reason, found.certificate), given=tuple(given))

    def _still_true(self) -> dict[str, Decision]:
        """Return what links have told of layers, as far as a smaller set of inputs does not change it."""
        first = self.net.first_layer
        return {
            name: decision
            for name, decision in self.layers.items()
            if self.view.chain is None
            or self.view.stacked
            or decision.verdict == Verdict.INJECTIVE
            or (first is not None and name == first.name)
        }

    def _by_first_layer(self) -> NetworkDecision | None:
        """Refute the network by its first layer, if that is not injective."""
        first = self.net.first_layer
        if first is None or self.layers[first.name].verdict != Verdict.NOT_INJECTIVE:
            return None
        decision = self.layers[first.name]
        proof = decision.certificate
        known = proof if isinstance(proof, WitnessCertificate) else None
        whole = of_first_layer(known) if known is not None and self.view.chain is not None else None
        reason = f"the first layer, {first.name!r}, is not injective"
        return self._decision(Verdict.NOT_INJECTIVE, reason, whole or known, decision.collision)

    def _interrupted(self) -> NetworkDecision | None:
        stopped = next((name for name, decision in self.parts.items() if decision.interrupted), None)
        if stopped is None:
            return None
        return self._decision(Verdict.UNKNOWN, f"interrupted at layer {stopped!r}")

    def _by_view(self) -> NetworkDecision:
        """Answer by the layers of a chain, or by counting numbers."""
        if self.view.chain is not None:
            if self.view.stacked:
                self._decide_parts(self.view.chain)
            return self._interrupted() or self._by_chain_until_interrupted(self.view.chain)
        narrow = narrow_place(self.net) if self._has_inner_points() else ""
        if narrow:
            return self._decision(Verdict.NOT_INJECTIVE, narrow)
        return self._decision(Verdict.UNKNOWN, self.open_link)

    def _has_inner_points(self) -> bool:
        try:
            inner_point(self.domain, math.prod(self.net.input_shape))
        except ArgumentError:
            return False
        return True

    def _decide_parts(self, chain: Chain) -> None:
        """Decide the layers together with what they pass on."""
        named = {layer.name: layer for layer in chain.layers}
        self.parts = _decide_layers(named, input_sets(chain.layers, self.domain), self.options)

    def _by_chain_until_interrupted(self, chain: Chain) -> NetworkDecision:
        """Do so; Ctrl-C leaves the network open, and keeps what is known of its layers."""
        try:
            return self._by_chain(chain)
        except KeyboardInterrupt:
            return self._decision(Verdict.UNKNOWN, "interrupted when all layers were decided")

    def _by_chain(self, chain: Chain) -> NetworkDecision:
        """Answer by all layers, by a point with few active neurons, or by all linear regions."""
        left = [name for name, decision in self.parts.items() if decision.verdict != Verdict.INJECTIVE]
        if not left and _is_injective(chain.last):
            reason = "all layers are injective on sets that contain their inputs"
            return self._decision(Verdict.INJECTIVE, reason, self._composed(chain))
        points = sample_points(chain.n, self.domain, self.options.seed)
        weak = weak_point(chain, self.domain, points)
        if weak is not None:
            pair = _pair(self.net, weak.x, self.domain, self.options)
            return self._decision(Verdict.NOT_INJECTIVE, verify(weak).reason, weak, pair)
        flat = low_rank_point(chain, self.domain, points)
        if flat is not None:
            reason = "around a point the network is affine, and its rank is too small"
            return self._decision(Verdict.NOT_INJECTIVE, reason, flat, self._pair_of(chain, flat))
        return self._by_regions(chain, self._why(left))

    def _composed(self, chain: Chain) -> NetworkInjectivityCertificate | None:
        proofs = [decision.certificate for decision in self.parts.values()]
        known = [p for p in proofs if isinstance(p, InjectivityCertificate | StructureCertificate)]
        if len(known) < len(proofs):
            return None
        return NetworkInjectivityCertificate(tuple(known), chain.last_record())

    def _by_regions(self, chain: Chain, why_not: str) -> NetworkDecision:
        """Decide by all pairs of linear regions, those of a ball in the box around it."""
        ball = isinstance(self.domain, Ball)
        box = around(self.domain, chain.n) if ball else None
        domain = self.domain if box is None else Box(*box)
        records = [layer.record() for layer in chain.layers]
        found = decide_by_regions(records, chain.last_record(), domain, self.options.time_limit)
        if found.proof is None:
            return self._decision(Verdict.UNKNOWN, f"{why_not}; {found.reason}")
        if ball and isinstance(found.proof, NetworkWitnessCertificate):
            return self._decision(Verdict.UNKNOWN, f"{why_not}; on the box around the ball: not injective")
        if isinstance(found.proof, NetworkWitnessCertificate):
            pair = self._pair_of(chain, found.proof)
            return self._decision(Verdict.NOT_INJECTIVE, found.reason, found.proof, pair)
        return self._decision(Verdict.INJECTIVE, found.reason, found.proof)

    def _pair_of(self, chain: Chain, proof: NetworkWitnessCertificate) -> Collision | None:
        """Return the pair of a proof, rounded; ``None`` where that leaves the domain, or no distance."""
        if proof.other is None:
            return None
        x, other = (point.astype(np.float64) for point in (proof.x, proof.other))
        if not all(self.domain.contains(point) for point in (x, other)) or (x == other).all():
            return None
        outputs = [chain.output(point) for point in (other, x)]
        shape = self.net.input_shape
        return Collision(
            x=other.reshape(shape),
            original=x.reshape(shape),
            distance=float(np.linalg.norm(other - x)),
            output_difference=relative_difference(*outputs),
            certificate=certify_chain(chain, self.domain, x, other),
            reason="rounded from two inputs with exactly the same output",
            region="across regions",
        )

    def _why(self, left: list[str]) -> str:
        if not left:
            return "the affine map behind the last layer may confuse what layers do not"
        decision = self.parts[left[0]]
        told = f"layer {left[0]!r}{' with what skips it' if self.view.stacked else ''}"
        if decision.verdict == Verdict.NOT_INJECTIVE:
            return f"{told}: not injective on a set around its inputs, but perhaps on these"
        return f"{told}: {decision.reason}"

    def _decision(
        self,
        verdict: Verdict,
        reason: str,
        proof: NetworkProof | None = None,
        pair: Collision | None = None,
    ) -> NetworkDecision:
        grade = "" if proof is None else _grade(proof)
        layers = {name: self.layers.get(name, _INSIDE) for name in self.net}
        return NetworkDecision(verdict, reason, layers, pair, certificate=proof, grade=grade)


def _grade(proof: NetworkProof) -> str:
    if isinstance(proof, WitnessCertificate):
        exact = proof.layer.exact
    elif isinstance(proof, LinksCertificate):
        exact = all(link.exact for link in proof.links)
    else:
        exact = all(one is None or one.exact for one in (*proof.layers, proof.last))
    return str(getattr(proof, "grade", "exact")) if exact else "float"


def _is_injective(last: LinearMap | None) -> bool:
    if last is None:
        return True
    rows = frame_of(ReLULayer(last, torch.zeros(last.m, dtype=torch.float64)))
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
