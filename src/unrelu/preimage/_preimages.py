"""Preimages of many outputs: most are settled by rank or closed form, few need a linear program."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from unrelu.frames import analyse_points, frame_of
from unrelu.frames._signs import in_double
from unrelu.preimage._classify import Classifier, check_domain
from unrelu.preimage._result import Preimage, Preimages
from unrelu.preimage._signs import signs_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.arrays import Array
    from unrelu.domains import Domain
    from unrelu.frames import Frame
    from unrelu.layers import ReLULayer

_CHUNK_BYTES = 64 << 20  # of signs and what they are decided from


def preimages(
    layer: ReLULayer,
    X: Array,
    domain: Domain | None = None,
    *,
    frame: Frame | None = None,
    n_jobs: int = -1,
) -> Preimages:
    """Classify the preimage of the output at every input; see `preimage`.

    Args:
        layer: The layer.
        X: Inputs of shape ``(..., n)`` or ``(..., *in_shape)``, in the domain.
        domain: Where inputs live; all of R^n when ``None``. It must be polyhedral.
        frame: The layer's rows, to be shared between calls; made from the layer when ``None``.
        n_jobs: Threads, as in joblib.

    Returns:
        Kinds, dimensions and radii.

    Raises:
        ArgumentError: If the inputs do not fit the layer, are not finite or lie outside the domain, or the
            domain is not polyhedral.

    Example:
        >>> import numpy as np, unrelu
        >>> layer = unrelu.ReLULayer(np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]]))
        >>> result = unrelu.preimages(layer, np.array([[1.0, 1.0], [1.0, -3.0], [-1.0, 2.0], [3.0, -1.0]]))
        >>> result.kinds.tolist()
        ['singleton', 'singleton', 'bounded', 'bounded']
    """
    check_domain(domain)
    layer = in_double(layer)
    samples, batch, _ = layer.samples(X, "X")
    classifier = Classifier(frame or frame_of(layer), domain, exact=layer.exact)
    with threadpool_limits(1, user_api="blas"), Parallel(n_jobs, backend="threading") as parallel:
        found = [
            result
            for part in _chunks(samples, classifier.total)
            for result in classify_points(layer, part, classifier, parallel, n_jobs)
        ]
    return Preimages(
        np.array([str(r.kind) for r in found], dtype=np.str_).reshape(batch),
        np.array([r.dimension for r in found], dtype=np.int64).reshape(batch),
        np.array([r.radius for r in found], dtype=np.float64).reshape(batch),
        np.array([r.reason for r in found], dtype=np.str_).reshape(batch),
        sum(r.used_lp for r in found),
    )


def classify_points(
    layer: ReLULayer, x: torch.Tensor, classifier: Classifier, parallel: Parallel, n_jobs: int
) -> list[Preimage]:
    """Classify the preimages at points of shape ``(batch, n)``."""
    signs = signs_at(layer, x, classifier)
    points = x.cpu().numpy()
    radii = _spanned(layer, x, signs, classifier, n_jobs)
    hard = np.flatnonzero(np.isnan(radii))
    if len(hard):
        classifier.prepare(len(hard))
    settled = parallel(delayed(classifier.classify)(signs[k], points[k]) for k in hard)
    by_point = dict(zip(hard.tolist(), settled, strict=True))
    m = classifier.frame.m
    return [
        by_point.get(k) or classifier.spanning(np.flatnonzero(signs[k, :m] > 0), points[k], float(radii[k]))
        for k in range(len(points))
    ]


def _spanned(
    layer: ReLULayer, x: torch.Tensor, signs: np.ndarray, classifier: Classifier, n_jobs: int
) -> np.ndarray:
    """Return the certified radius where strictly active rows span, NaN elsewhere."""
    frame = classifier.frame
    radii = np.full(len(x), np.nan)
    enough = np.flatnonzero((signs[:, : frame.m] > 0).sum(axis=1) >= frame.n)
    if len(enough) and frame.max_rank == frame.n:
        analysis = analyse_points(layer, x[torch.from_numpy(enough)], frame=frame, n_jobs=n_jobs)
        radii[enough] = np.where(analysis.singleton == 1, analysis.radius, np.nan)
    return radii


def _chunks(samples: torch.Tensor, rows: int) -> Iterator[torch.Tensor]:
    size = max(1, _CHUNK_BYTES // (32 * max(rows, 1)))
    return (samples[start : start + size] for start in range(0, len(samples), size))
