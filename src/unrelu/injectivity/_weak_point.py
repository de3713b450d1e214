"""An inner point of the domain around which a network's linearisation cannot have full rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.certificates import NetworkWitnessCertificate, verify
from unrelu.domains import Domain, Polytope, Space
from unrelu.errors import ArgumentError
from unrelu.injectivity._layer import domain_record
from unrelu.injectivity.witness import inner_point

if TYPE_CHECKING:
    from unrelu.layers import Chain

_POINTS = 4096
_SCALES = (1.0, 1e2, 1e4)  # of points of an unbounded domain: far out biases do not matter
_EXACT_ENTRIES = 5_000_000  # of all weights: seconds in exact arithmetic
_TRIALS = 8


def weak_point(chain: Chain, domain: Domain, points: np.ndarray) -> NetworkWitnessCertificate | None:
    """Look for a point in the domain's interior where a layer has fewer than n weakly active neurons.

    In a linear region that it borders on the network has a rank below n, so that it is not injective.

    Args:
        chain: The network.
        domain: Where its inputs live, a convex set.
        points: Inputs to try, shape ``(count, n)``.

    Returns:
        What proves it, checked in exact arithmetic; ``None`` where no such point was found.
    """
    records, last = [layer.record() for layer in chain.layers], chain.last_record()
    if sum(len(record.values) for record in records) > _EXACT_ENTRIES:
        return None
    counts = np.empty((len(points), len(records)), dtype=np.int64)
    activation = torch.from_numpy(points)
    for k, layer in enumerate(chain.layers):
        activation = layer.apply(activation)
        counts[:, k] = (activation > 0).sum(dim=1).numpy()
    narrow = last is not None and last.m < chain.n
    fewest = counts.min(axis=1)
    for i in np.argsort(fewest, kind="stable")[:_TRIALS]:
        used = len(records) if narrow else int(counts[i].argmin()) + 1
        if not narrow and fewest[i] >= chain.n:
            continue
        end, known = (last if narrow else None), domain_record(domain, chain.n)
        certificate = NetworkWitnessCertificate(tuple(records[:used]), end, known, points[i])
        if verify(certificate).valid:
            return certificate
    return None


def sample_points(n: int, domain: Domain, seed: int) -> np.ndarray:
    """Return points of a domain; where it is unbounded, at several distances; none of a flat polytope."""
    if isinstance(domain, Polytope):
        return _walk(n, domain, np.random.default_rng(seed))
    generator = torch.Generator().manual_seed(seed)
    if domain.bounded:
        return domain.sample(_POINTS, n, generator=generator, dtype=torch.float64).numpy()
    count = _POINTS // len(_SCALES)
    parts = [s * torch.randn(count, n, generator=generator, dtype=torch.float64) for s in _SCALES]
    points = torch.cat(parts)
    return (points if isinstance(domain, Space) else domain.project(points)).numpy()


def _walk(n: int, domain: Polytope, rng: np.random.Generator) -> np.ndarray:
    """Return the places of a hit-and-run walk (Smith 1984): each a random point of a random chord."""
    try:
        x = inner_point(domain, n)
    except ArgumentError:
        return np.zeros((0, n))
    G, h = domain.inequalities(n)
    points = np.empty((_POINTS, n))
    for k in range(_POINTS):
        direction = rng.standard_normal(n)
        slopes, room = G @ direction, h - G @ x
        ahead, back = slopes > 0, slopes < 0
        reach = np.min(room[ahead] / slopes[ahead], initial=_SCALES[-1])
        start = np.max(room[back] / slopes[back], initial=-_SCALES[-1])
        x = x + rng.uniform(start, reach) * direction
        points[k] = x
    return points
