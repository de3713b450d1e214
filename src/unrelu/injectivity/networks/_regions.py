"""Exact decisions for small networks: every linear region, and every pair of them.

A network is injective if and only if in no pair of its linear regions different inputs have the same output.
These are polyhedra in the space of pairs of inputs, so that exact linear programs decide it.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import flint
import numpy as np

from unrelu.certificates import NetworkRegionsCertificate, NetworkWitnessCertificate
from unrelu.certificates._circuits import kernel, stacked
from unrelu.certificates._verify_regions import Chain, Region, start
from unrelu.injectivity.networks._circuits import circuit, proposed
from unrelu.injectivity.networks._pairs import decide_pair
from unrelu.preimage.pieces._cones import cone_of
from unrelu.preimage.pieces._rationals import Row, dot, exact, fraction, negated
from unrelu.preimage.pieces._region import Region as Body
from unrelu.preimage.pieces._region import split
from unrelu.preimage.pieces._start import start_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unrelu.certificates import LayerRecord
    from unrelu.domains import Domain

_ENTRIES = 20_000  # of all pre-activations as functions of the input: seconds for one composition
_REGIONS = 400


@dataclass(frozen=True)
class RegionsAnswer:
    """What was found.

    Attributes:
        proof: That the network is injective, or that it is not; ``None`` where undecided.
        reason: Why, in a sentence.
    """

    proof: NetworkRegionsCertificate | NetworkWitnessCertificate | None
    reason: str


@dataclass
class _Enumeration:
    """Linear regions so far.

    Attributes:
        tree: The visit, as the certificate holds it.
        regions: The regions, in its order.
        pair: Two inputs with the same output, where one was seen on the way.
        missing: Why there may be other regions.
    """

    tree: list[int] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    pair: tuple[np.ndarray, np.ndarray] | None = None
    missing: str = ""


def decide_by_regions(
    layers: Sequence[LayerRecord], last: LayerRecord | None, domain: Domain, seconds: float
) -> RegionsAnswer:
    """Decide whether a small chain of layers is injective on a polyhedron, border included.

    Args:
        layers: The ReLU layers, in order.
        last: An affine map behind them.
        domain: The polyhedron, full-dimensional.
        seconds: Time limit.
    """
    deadline = time.monotonic() + seconds
    n = layers[0].n
    if not domain.polyhedral or not few_entries(layers, last):
        return RegionsAnswer(None, "the network is too large to look at all pairs of linear regions")
    known, chain = domain.record(n), Chain.of(list(layers), last)
    try:
        body = start_of(domain, n)
    except ArithmeticError:
        body = None
    if body is None or len(body.free) <= n:
        return RegionsAnswer(None, "the domain is flat, or its dimension was not proved")
    first = start(chain, known)
    found = _enumerate(chain, first, body.region, deadline)
    stream: list[int] = []
    if not found.missing and found.pair is None:
        stream = _all_pairs(found, len(first.rows) - 1, deadline)
    if found.pair is not None:
        x, other = found.pair
        witness = NetworkWitnessCertificate(tuple(layers), last, known, x, other)
        return RegionsAnswer(witness, "two inputs have exactly the same output")
    if found.missing:
        return RegionsAnswer(None, found.missing)
    tree, pairs = (np.array(numbers, dtype=np.int32) for numbers in (found.tree, stream))
    proof = NetworkRegionsCertificate(tuple(layers), last, known, tree, pairs)
    reason = f"in all pairs of {len(found.regions)} linear regions, inputs with the same output are the same"
    return RegionsAnswer(proof, reason)


def few_entries(layers: Sequence[LayerRecord], last: LayerRecord | None) -> bool:
    """Whether all pre-activations as functions of the input are few enough numbers for exact arithmetic."""
    rows = sum(layer.m for layer in layers) + (0 if last is None else last.m)
    return rows * (layers[0].n + 1) <= _ENTRIES


def _enumerate(chain: Chain, first: Region, body: Body, deadline: float) -> _Enumeration:
    """Visit all linear regions; stop at one on which the network has too small a rank."""
    found = _Enumeration()
    nodes = [(first, body)]
    while nodes and not found.missing and found.pair is None:
        region, body = nodes.pop()
        if time.monotonic() > deadline:
            found.missing = f"the time was up after {len(found.regions)} linear regions"
        elif region.layer == len(chain.hidden):
            found.regions.append(region)
            found.pair = colliding_points(region, body.inside)
            if len(found.regions) > _REGIONS:
                found.missing = f"there are more than {_REGIONS} linear regions"
        elif len(region.active) == len(region.values):
            nodes.append((region.behind(chain), body))
        elif not any(region.values[len(region.active)]):
            nodes.append((region.signed(False), body))
        else:
            nodes += _branch(region, body, found)
    return found


def _branch(region: Region, body: Body, found: _Enumeration) -> list[tuple[Region, Body]]:
    """Go on with the next neuron: on both sides, or with the proof that there is only one."""
    row = region.values[len(region.active)]
    sides = split(body, row)
    if sides.positive is not None and sides.negative is not None:
        found.tree.append(0)
        return [(region.cut(True), sides.positive), (region.cut(False), sides.negative)]
    active = sides.positive is not None
    numbers = _sign_proof(region, row if active else negated(row)) if sides.proved else None
    if numbers is None:
        found.missing = "a sign was neither proved to occur nor proved not to"
        return []
    found.tree += [len(numbers) if active else -len(numbers), *numbers]
    return [(region.signed(active), sides.positive or sides.negative or body)]


def _sign_proof(region: Region, own: Row) -> list[int] | None:
    """Return rows that make a circuit with a function that is nowhere negative on a region."""
    rows = [own, *region.rows]
    short = proposed(rows, 0)
    if short is not None:
        return [k - 1 for k in short if k]
    cone = cone_of([], rows, len(own))
    if cone is None or cone.multipliers is None or 0 not in cone.implied:
        return None
    implied = cone.implied.tolist()
    weights = [exact(v) for v in cone.multipliers]
    chosen = circuit([rows[k] for k in implied], weights, implied.index(0))
    return [implied[i] - 1 for i in chosen if implied[i]]


def colliding_points(region: Region, inside: Row) -> tuple[np.ndarray, np.ndarray] | None:
    """Return two points of a region with the same output, if the network does not have full rank there.

    Args:
        region: A region on which the network is affine.
        inside: A point of it, ``(x, 1)``, at which none of its rows is 0.
    """
    n = len(inside) - 1
    null = kernel(stacked([row[:-1] for row in region.values], n))
    if not null.ncols():
        return None
    direction = [*null.transpose().tolist()[0], flint.fmpq(0)]
    steps = [(dot(row, direction), -dot(row, inside)) for row in region.rows]
    share = min((room / (2 * v) for v, room in steps if v > 0), default=flint.fmpq(1))
    other = [a + share * v for a, v in zip(inside, direction, strict=True)]
    return _fractions(inside[:-1]), _fractions(other[:-1])


def _all_pairs(found: _Enumeration, beyond: int, deadline: float) -> list[int]:
    """Decide all pairs; return what the certificate holds of them."""
    stream: list[int] = []
    count = len(found.regions)
    for r, one in enumerate(found.regions):
        for s in range(r, count):
            if time.monotonic() > deadline:
                total = math.comb(count + 1, 2)
                found.missing = f"the time was up before all {total} pairs of linear regions were decided"
                return stream
            pair = decide_pair(one, found.regions[s], beyond)
            if pair.x is not None and pair.other is not None:
                found.pair = _fractions(pair.x), _fractions(pair.other)
                return stream
            if pair.circuits is None:
                found.missing = f"the pair of linear regions {r} and {s} was not decided"
                return stream
            stream.append(len(pair.circuits))
            for numbers in pair.circuits:
                stream += [len(numbers), *numbers]
    return stream


def _fractions(point: Row) -> np.ndarray:
    out = np.empty(len(point), dtype=object)
    out[:] = [fraction(v) for v in point]
    return out
