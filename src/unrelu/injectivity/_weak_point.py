"""An inner point of a linear region at which a network's linearisation cannot have full rank."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
import torch

from unrelu.certificates import preactivations
from unrelu.domains import Domain, Space
from unrelu.injectivity.witness import inside

if TYPE_CHECKING:
    from unrelu.layers import Chain

_POINTS = 4096
_SCALES = (1.0, 1e2, 1e4)  # of points of an unbounded domain: far out biases do not matter
_EXACT_ENTRIES = 5_000_000  # of all weights: seconds in exact arithmetic
_TRIALS = 8


def weak_point(chain: Chain, domain: Domain, seed: int) -> tuple[np.ndarray, str] | None:
    """Look for a point in the domain's interior where a layer has fewer than n active neurons, none at 0.

    Around it the network is affine, of rank below n, so that it is not injective.

    Args:
        chain: The network.
        domain: Where its inputs live, a convex set.
        seed: Of the points.

    Returns:
        The point and the reason, checked in exact arithmetic; ``None`` where none was found.
    """
    points = _points(chain.n, domain, seed)
    if sum(len(record.values) for record in chain.records()) > _EXACT_ENTRIES:
        return None
    fewest = np.full(len(points), chain.n if chain.last is None else chain.last.m)
    activation = torch.from_numpy(points)
    for layer in chain.layers:
        activation = layer.apply(activation)
        fewest = np.minimum(fewest, (activation > 0).sum(dim=1).numpy())
    for k in np.argsort(fewest, kind="stable")[:_TRIALS]:
        if fewest[k] < chain.n and inside(domain, points[k]):
            reason = _checked(chain, points[k])
            if reason:
                return points[k], reason
    return None


def _points(n: int, domain: Domain, seed: int) -> np.ndarray:
    generator = torch.Generator().manual_seed(seed)
    if domain.bounded:
        return domain.sample(_POINTS, n, generator=generator, dtype=torch.float64).numpy()
    count = _POINTS // len(_SCALES)
    parts = [s * torch.randn(count, n, generator=generator, dtype=torch.float64) for s in _SCALES]
    points = torch.cat(parts)
    return (points if isinstance(domain, Space) else domain.project(points)).numpy()


def _checked(chain: Chain, x: np.ndarray) -> str:
    """Return the reason if it holds in exact arithmetic, else nothing."""
    active = [_active(z) for z in preactivations([layer.record() for layer in chain.layers], x)]
    if any(count < 0 for count in active):
        return ""
    sizes = {layer.name: count for layer, count in zip(chain.layers, active, strict=True)}
    name = min(sizes, key=sizes.__getitem__)
    if sizes[name] < chain.n:
        return f"around a point {sizes[name]} neurons of layer {name!r} are active, {chain.n} inputs are more"
    outputs = chain.last.m if chain.last is not None else sizes[name]
    return f"{outputs} outputs cannot tell {chain.n} inputs apart" if outputs < chain.n else ""


def _active(values: list[Fraction]) -> int:
    """Count positive entries; -1 where one is 0."""
    return -1 if any(v == 0 for v in values) else sum(v > 0 for v in values)
