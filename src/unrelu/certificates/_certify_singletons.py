"""Rows that prove points to be the only ones with their outputs, shared between points where they can be."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from unrelu.certificates._cone_proof import ConeProof
from unrelu.certificates._fields import refuse
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._margins import stays_active
from unrelu.certificates._singletons_certificate import SingletonsCertificate
from unrelu.certificates._span import first_independent, residue_matrix
from unrelu.certificates._spanning_sets import SpanningSets
from unrelu.certificates._verification import NotProvedError
from unrelu.certificates._verify_singletons import check_cone

_OPEN, _CONE = -1, -2  # marks of points; below the second one all have cones


def certify_singletons(
    layer: LayerRecord,
    points: np.ndarray,
    radius: float = 0.0,
    *,
    cones: Callable[[int], ConeProof | None] | None = None,
    deadline: float = math.inf,
    report: Callable[[int], object] | None = None,
) -> SingletonsCertificate | None:
    """Prove that every input within a distance of some points is the only one with its output.

    Rows that are active in all balls are taken for all points. Of the others, a point takes first those that
    most points without a set could share; all points at which these are active have the same set. A point
    whose active rows do not span may still be alone, by rows that are 0 at it.

    Args:
        layer: The layer.
        points: Shape ``(N, n)``, finite.
        radius: Euclidean, in the units of the inputs; 0 for the points alone.
        cones: For a radius of 0: finds a proof for a point of this number whose active rows do not span, that
            active rows and rows that are 0 leave no direction to go. It is checked.
        deadline: On the clock of `time.monotonic`.
        report: Is told how many points have a proof, from time to time.

    Returns:
        The certificate, ``None`` where some point was not proved to be alone, or not in time.

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
    points = _checked(layer, points, radius)
    find = cones if cones is not None and radius == 0 else _no_cone
    search = _Search(layer, points, float(radius), find)
    while len(search.left) and time.monotonic() < deadline:
        if not search.settle():
            return None
        if report is not None:
            report(len(points) - len(search.left))
    return None if len(search.left) else search.certificate()


def _checked(layer: LayerRecord, points: np.ndarray, radius: float) -> np.ndarray:
    """Return the points, float64.

    Raises:
        ArgumentError: If an argument is of another shape or out of its range.
    """
    points = np.array(points, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != layer.n or not len(points):
        refuse("points", f"shape (N, {layer.n}), at least one", f"{points.shape}")
    if not np.isfinite(points).all():
        refuse("points", "finite numbers", "others")
    if not 0 <= radius < np.inf:
        refuse("radius", "a finite number of at least 0", f"{radius!r}")
    return points


def _no_cone(_: int) -> None:
    return None


class _Search:
    """Goes through points until all have a proof.

    Attributes:
        left: Numbers of those that have none.
    """

    def __init__(
        self,
        layer: LayerRecord,
        points: np.ndarray,
        radius: float,
        find: Callable[[int], ConeProof | None],
    ) -> None:
        self._layer, self._points, self._radius, self._find = layer, points, radius, find
        active = stays_active(layer, np.arange(layer.m), points, radius)
        many = active.sum(axis=1) >= layer.n
        always = np.flatnonzero(active[many].all(axis=0)) if many.any() else np.zeros(0, dtype=np.int64)
        if len(always):
            always = always[first_independent(residue_matrix(layer.rows.take(always)))]
        self._common, self._active = always, active
        self._others = np.setdiff1d(np.arange(layer.m), always)
        self._spans = SpanningSets(layer.rows, always)
        self._sets: list[np.ndarray] = []
        self._cones: list[ConeProof] = []
        self._which = np.full(len(points), _OPEN)
        self._counts = active[:, self._others].sum(axis=0)
        self.left = np.arange(len(points))

    def settle(self) -> bool:
        """Prove the first point that is left, and others with it; return whether that succeeds."""
        k = int(self.left[0])
        order = self._others[np.argsort(-self._counts, kind="stable")]
        common = self._active[k, self._common].all()
        chosen = self._spans.first(order[self._active[k, order]]) if common else None
        if chosen is None:
            return self._settle_by_cone(k)
        self._done(self.left[self._have(chosen)], len(self._sets))
        self._sets.append(np.sort(chosen))
        return True

    def certificate(self) -> SingletonsCertificate:
        """Return the certificate of all points."""
        which = np.where(self._which <= _CONE, len(self._sets) + _CONE - self._which, self._which)
        return SingletonsCertificate(
            self._layer,
            self._points,
            self._radius,
            self._common,
            tuple(self._sets),
            which,
            tuple(self._cones),
        )

    def _settle_by_cone(self, k: int) -> bool:
        proof = self._find(k)
        if proof is None:
            return False
        try:
            check_cone(proof, self._layer, self._points[k])
        except NotProvedError:
            return False
        self._done(self.left[:1], _CONE - len(self._cones))
        self._cones.append(proof)
        return True

    def _have(self, chosen: np.ndarray) -> np.ndarray:
        """Return positions in ``left`` of points at which these rows and the common ones are active."""
        found = np.arange(len(self.left))
        for part in np.array_split(np.concatenate([chosen, self._common]), 1 + len(chosen) // 16):
            found = found[self._active[self.left[found][:, None], part].all(axis=1)]
        return found

    def _done(self, numbers: np.ndarray, mark: int) -> None:
        self._which[numbers] = mark
        self._counts -= self._active[np.ix_(numbers, self._others)].sum(axis=0)
        self.left = self.left[self._which[self.left] == _OPEN]
