"""Rows that prove points to be the only ones with their outputs, shared between points where they can be."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._fields import refuse
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._margins import stays_active
from unrelu.certificates._quotient import Quotient
from unrelu.certificates._singletons_certificate import SingletonsCertificate
from unrelu.certificates._span import first_independent, residue_matrix


def certify_singletons(
    layer: LayerRecord, points: np.ndarray, radius: float = 0.0
) -> SingletonsCertificate | None:
    """Prove that every input within a distance of some points is the only one with its output.

    Rows that are active in all balls are taken for all points. Of the others, a point takes first those that
    most points without a set could share; all points at which these are active have the same set.

    Args:
        layer: The layer.
        points: Shape ``(N, n)``, finite.
        radius: Euclidean, in the units of the inputs; 0 for the points alone.

    Returns:
        The certificate, ``None`` where the rows that are active in some ball were not proved to span R^n.

    Raises:
        ArgumentError: If an argument is of another shape or out of its range.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import LayerRecord, certify_singletons, verify
        >>> layer = LayerRecord.dense(np.array([[1.0], [-1.0]]), np.zeros(2))
        >>> verify(certify_singletons(layer, np.array([[2.0], [-1.0]]), radius=0.5)).valid
        True
        >>> certify_singletons(layer, np.array([[2.0], [-1.0]]), radius=1.0) is None
        True
    """
    points = np.array(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != layer.n or not len(points):
        refuse("points", f"shape (N, {layer.n}), at least one", f"{points.shape}")
    if not np.isfinite(points).all():
        refuse("points", "finite numbers", "others")
    if not 0 <= radius < np.inf:
        refuse("radius", "a finite number of at least 0", f"{radius!r}")
    active = stays_active(layer, np.arange(layer.m), points, float(radius))
    always = np.flatnonzero(active.all(axis=0))
    common = always[first_independent(residue_matrix(layer.rows.take(always)))] if len(always) else always
    others = np.setdiff1d(np.arange(layer.m), always)
    found = _sets(layer, common, others, active[:, others])
    if found is None:
        return None
    sets, which = found
    return SingletonsCertificate(
        layer, points, float(radius), common, tuple(others[part] for part in sets), which
    )


def _sets(
    layer: LayerRecord, common: np.ndarray, others: np.ndarray, active: np.ndarray
) -> tuple[list[np.ndarray], np.ndarray] | None:
    """Return sets of positions in ``others`` that complete the common rows, and the set of each point."""
    quotient = Quotient(layer.rows.take(common))
    images = quotient.images(layer.rows.take(others))
    sets: list[np.ndarray] = []
    which = np.full(len(active), -1)
    while (which < 0).any():
        rest = np.flatnonzero(which < 0)
        candidates = np.flatnonzero(active[rest[0]])
        shared = active[np.ix_(rest, candidates)].sum(axis=0)
        order = candidates[np.argsort(-shared, kind="stable")]
        chosen = order[quotient.first_independent([images[i] for i in order.tolist()])]
        if len(chosen) < quotient.dimension:
            return None
        which[rest[active[np.ix_(rest, chosen)].all(axis=1)]] = len(sets)
        sets.append(np.sort(chosen))
    return sets, which
