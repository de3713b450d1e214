"""Layers of the plane without bias: their wedges, and how much nearer outputs may be than inputs."""

from __future__ import annotations

from collections.abc import Iterator
from operator import itemgetter

import numpy as np

from unrelu.injectivity.random_matrices import Wedges, wedges

_NEAR = 1e-6  # squared distance of two inputs below which rounding would tell in the ratio


def directions(angles: np.ndarray) -> np.ndarray:
    """Return unit vectors at angles in radians, shape ``(..., 2)``."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=-1)


def injective_layers(m: int, count: int, rng: np.random.Generator) -> Iterator[tuple[np.ndarray, Wedges]]:
    """Draw Gaussian layers and yield the first that are injective, with their wedges."""
    while count:
        weight = rng.standard_normal((m, 2))
        cut = wedges(weight)
        if cut.spans.all():
            count -= 1
            yield weight, cut


def sigma_star(weight: np.ndarray, cut: Wedges) -> float:
    """Return the least of all smallest singular values of the weakly active rows, 0 where they do not span.

    More rows are active on a line between two wedges than inside of them, so that the wedges suffice.
    """
    if not cut.spans.all():
        return 0.0
    return min(float(np.linalg.svd(weight[active], compute_uv=False)[-1]) for active in cut.active)


def smallest_ratio(weight: np.ndarray, cut: Wedges, count: int) -> tuple[float, np.ndarray, np.ndarray]:
    """Return the smallest ``|f(x) - f(y)| / |x - y|`` found, and the pair.

    Tried are all pairs of ``count`` directions and those that the active rows of a wedge shorten most, ``x``
    of length 1 and ``y`` of the best length: as ``f(r v) = r f(v)``, the squared ratio is a fraction of two
    quadratics in ``r``, stationary at the roots of a third.
    """
    short = np.array([np.linalg.svd(weight[active])[2][-1] for active in cut.active])
    units = np.concatenate([directions(np.arange(count) * (2 * np.pi / count)), short, -short])
    outputs = np.maximum(units @ weight.T, 0)
    inner, cosine = outputs @ outputs.T, units @ units.T
    of_x, of_y = np.diag(inner)[:, None], np.diag(inner)[None]
    a, b, c = inner - of_y * cosine, of_y - of_x, of_x * cosine - inner
    root = np.sqrt(np.maximum(b * b - 4 * a * c, 0))
    found = []
    for sign in (-1, 1):
        r = np.divide(sign * root - b, 2 * a, out=np.zeros_like(a), where=np.abs(a) > 1e-12)
        r = np.clip(r, 0, 1e6)
        apart = 1 - 2 * r * cosine + r * r
        squared = of_x - 2 * r * inner + r * r * of_y
        ratio = np.divide(squared, apart, out=np.full_like(a, np.inf), where=apart > _NEAR)
        i, j = np.unravel_index(np.argmin(ratio), ratio.shape)
        x, y = units[i], r[i, j] * units[j]
        found.append((float(ratio_of(weight, x, y)), x, y))
    return min(found, key=itemgetter(0))


def ratio_of(weight: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return ``|f(x) - f(y)| / |x - y|`` for pairs of shape ``(..., 2)``."""
    apart = np.maximum(x @ weight.T, 0) - np.maximum(y @ weight.T, 0)
    return np.linalg.norm(apart, axis=-1) / np.linalg.norm(x - y, axis=-1)
