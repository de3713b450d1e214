"""Other inputs with their certificates."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.certificates import NetworkCollisionCertificate, certify_collision, forward
from unrelu.errors import ArgumentError
from unrelu.preimage.collisions._finish import other_input
from unrelu.preimage.collisions._program import limits

if TYPE_CHECKING:
    from unrelu.certificates import CollisionCertificate
    from unrelu.domains import Domain
    from unrelu.layers import Chain, ReLULayer
    from unrelu.preimage.collisions._goal import Goal
    from unrelu.preimage.collisions._program import Program
    from unrelu.preimage.collisions._search import Found

_SHARES = (
    1 - 1e-6,
    1 - 1e-3,
    0.5,
)  # of the step, where the whole is not proved: nearer to x borders are less close

_SAME = 1e-12  # difference of outputs that is rounding, relative to the numbers that they sum up


@dataclass(frozen=True)
class Candidate:
    """Another input, with what is known of it.

    Attributes:
        other: Shape ``(n,)``.
        gap: By how much the goal's value could be larger at most; ``None`` for a local maximum.
        reason: How it was found.
        region: As in `Collision.region`.
        certificate: The proof, if there is one.
    """

    other: np.ndarray
    gap: float | None
    reason: str
    region: str
    certificate: CollisionCertificate | NetworkCollisionCertificate | None = None


def proved(layer: ReLULayer, domain: Domain, program: Program, found: Found, goal: Goal) -> Candidate | None:
    """Prove that an exact collision lies within rounding of the input found, or of one a little before it.

    ``None`` where outputs differ by more than rounding.
    """
    x, bounds = program.origin, limits(domain, len(program.origin))
    found = replace(found, other=np.clip(found.other, *bounds))
    whole = Candidate(found.other, found.gap, found.note, "layer", _certified(layer, domain, x, found.other))
    if _is_exact(whole):
        return whole
    for share in _SHARES:
        other = other_input(program, found.v, share)
        other = None if other is None else np.clip(other, *bounds)
        certificate = None if other is None else _certified(layer, domain, x, other)
        if other is not None and certificate is not None and math.isfinite(certificate.radius):
            lost = goal.value(x, found.other) - goal.value(x, other)
            gap = None if found.gap is None else found.gap + max(lost, 0.0)
            note = f"{found.note}, {1 - share:g} of the way short of it for the sake of the proof"
            return Candidate(other, gap, note, "layer", certificate)
    if whole.certificate is None or whole.certificate.difference > _rounding(layer, x, found.other):
        return None
    return replace(whole, reason=f"{found.note}; equal up to rounding, no exact collision near it was proved")


def _rounding(layer: ReLULayer, x: np.ndarray, other: np.ndarray) -> float:
    """Return what is rounding in a difference of outputs, by the sizes of the numbers that they sum up."""
    points = torch.from_numpy(np.abs(np.stack([x, other]))).to(layer.bias.device)
    sizes = layer.linear.absolute().apply(points) + layer.bias.abs()
    return _SAME * float(sizes.amax()) if layer.m else 0.0


def _is_exact(candidate: Candidate) -> bool:
    return math.isfinite(getattr(candidate.certificate, "radius", math.inf))


def _certified(
    layer: ReLULayer, domain: Domain, x: np.ndarray, other: np.ndarray
) -> CollisionCertificate | None:
    try:
        return certify_collision(layer.record(), domain.record(len(x)), x, other)
    except ArgumentError:  # outside the domain by rounding
        return None


def certify_chain(
    chain: Chain, domain: Domain, x: np.ndarray, other: np.ndarray
) -> NetworkCollisionCertificate:
    """Bound the difference of a network's outputs in exact arithmetic."""
    layers = [layer.record() for layer in chain.layers]
    last = chain.last_record()
    pairs = zip(forward(layers, last, x), forward(layers, last, other), strict=True)
    difference = max((abs(p - q) for p, q in pairs), default=Fraction(0))
    bound = float(difference)
    while Fraction(bound) < difference:
        bound = math.nextafter(bound, math.inf)
    return NetworkCollisionCertificate(tuple(layers), last, domain.record(len(x)), x, other, bound)
