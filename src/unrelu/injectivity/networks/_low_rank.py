"""An input around which a network is affine with a rank below n, although enough neurons are active."""

from __future__ import annotations

from typing import TYPE_CHECKING

import flint
import numpy as np
import torch

from unrelu.certificates import NetworkWitnessCertificate, verify
from unrelu.certificates._circuits import rational
from unrelu.certificates._verify_regions import Chain as ExactChain
from unrelu.certificates._verify_regions import start
from unrelu.injectivity.networks._regions import colliding_points, few_entries
from unrelu.preimage.pieces._rationals import dot

if TYPE_CHECKING:
    from unrelu.domains import Domain
    from unrelu.layers import Chain

_POINTS = 512
_TRIALS = 8
_SINGULAR = 1e-9  # share of the largest singular value below which one may be 0: decided exactly


def low_rank_point(chain: Chain, domain: Domain, points: np.ndarray) -> NetworkWitnessCertificate | None:
    """Look for an input at which the linearisation does not have full rank.

    Args:
        chain: The network.
        domain: Where its inputs live, a polyhedron.
        points: Inputs to try, shape ``(count, n)``.

    Returns:
        Two inputs with exactly the same output; ``None`` where none were found, or the network is large.
    """
    layers, last = [layer.record() for layer in chain.layers], chain.last_record()
    if not domain.polyhedral or not few_entries(layers, last):
        return None
    points = points[:_POINTS]
    singular = torch.linalg.svdvals(_derivatives(chain, torch.from_numpy(points))).numpy()
    enough = singular.shape[1] == chain.n
    share = singular[:, -1] / np.maximum(singular[:, 0], 1e-300) if enough else np.zeros(len(points))
    exact, known = ExactChain.of(layers, last), domain.record(chain.n)
    for i in np.argsort(share, kind="stable")[:_TRIALS]:
        if share[i] > _SINGULAR:
            return None
        inside = [*rational(points[i].tolist()), flint.fmpq(1)]
        region = start(exact, known)
        for _ in layers:
            for row in region.values:
                region = region.cut(dot(row, inside) > 0)
            region = region.behind(exact)
        pair = colliding_points(region, inside)
        certificate = None if pair is None else NetworkWitnessCertificate(tuple(layers), last, known, *pair)
        if certificate is not None and verify(certificate).valid:
            return certificate
    return None


def _derivatives(chain: Chain, points: torch.Tensor) -> torch.Tensor:
    """Return the derivatives at some inputs, shape ``(count, outputs, n)``."""
    values = points
    out = torch.eye(chain.n, dtype=torch.float64).expand(len(points), -1, -1)
    for layer in chain.layers:
        z = layer.preactivation(values)
        out = (layer.dense() @ out) * (z > 0)[:, :, None]
        values = z.clamp(min=0)
    return out if chain.last is None else chain.last.dense() @ out
