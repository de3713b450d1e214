"""Whether inputs near points are the only ones with their outputs (Behrmann et al. 2018, Theorem 4)."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._cone_check import ConeRows
from unrelu.certificates._cone_proof import ConeProof
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._margins import stays_active
from unrelu.certificates._singletons_certificate import SingletonsCertificate
from unrelu.certificates._spanning_sets import SpanningSets
from unrelu.certificates._verification import NotProvedError, Proved, require
from unrelu.certificates.injective._signs import signs_at


def verify_singletons(certificate: SingletonsCertificate, layer: LayerRecord) -> Proved:
    """Check a certificate; see `verify_preimage`.

    Raises:
        NotProvedError: If it does not prove its statement.
    """
    which = np.ravel(certificate.which)
    by_rows = np.flatnonzero(which < len(certificate.sets))
    _check_sets(certificate, layer, by_rows)
    _check_cones(certificate, layer, np.flatnonzero(which >= len(certificate.sets)))
    reasons = ["rows that are strictly active in each ball span R^n"] if len(by_rows) else []
    if len(by_rows) < len(which):
        where = f"at {len(which) - len(by_rows)} of {len(which)} points " if len(by_rows) else ""
        reasons.append(f"{where}rows at 0 leave no direction to go")
    return Proved(exact=True, reason="; ".join(reasons))


def _check_sets(certificate: SingletonsCertificate, layer: LayerRecord, numbers: np.ndarray) -> None:
    """Check the points of these numbers, which have sets of rows."""
    common = np.asarray(certificate.common, dtype=np.int64)
    sets = [np.asarray(part, dtype=np.int64) for part in certificate.sets]
    used = np.unique(np.concatenate([common, *sets]))
    places = [np.searchsorted(used, part) for part in sets]
    shared = np.searchsorted(used, common)
    active = stays_active(layer, used, _points(certificate, layer)[numbers], float(certificate.radius))
    for own, k in zip(active, numbers.tolist(), strict=True):
        rows = np.concatenate([shared, places[certificate.which[k]]])
        failed = rows[~own[rows]]
        if len(failed):
            raise NotProvedError(f"point {k}: row {used[failed[0]]} is not strictly active in the whole ball")
    spans = SpanningSets(layer.rows.take(used), shared)
    for number, rows in enumerate(places):
        require(spans.spans(rows), f"set {number}: the rows were not proved to span")


def _check_cones(certificate: SingletonsCertificate, layer: LayerRecord, numbers: np.ndarray) -> None:
    """Check the points of these numbers, which have cones."""
    require(not len(numbers) or certificate.radius == 0, "cones: a radius of 0 was expected")
    points = _points(certificate, layer)
    for k in numbers.tolist():
        proof = certificate.cones[int(certificate.which[k]) - len(certificate.sets)]
        try:
            check_cone(proof, layer, points[k])
        except NotProvedError as error:
            raise NotProvedError(f"point {k}: {error}") from None


def _points(certificate: SingletonsCertificate, layer: LayerRecord) -> np.ndarray:
    return np.asarray(certificate.points, dtype=np.float64).reshape(-1, layer.n)


def check_cone(proof: ConeProof, layer: LayerRecord, x: np.ndarray) -> None:
    """Check that a cone of directions from a point that keep its output is proved to be {0}.

    Args:
        proof: Of strictly active rows as equalities, and rows at 0 as inequalities.
        layer: The layer.
        x: The point.

    Raises:
        NotProvedError: If a row is not as it should be at the point, or more than {0} may be left.
    """
    signs = signs_at(layer, x)
    require(bool((signs[proof.equalities] > 0).all()), "an equality is not strictly active")
    require(bool((signs[proof.inequalities] == 0).all()), "an inequality is not 0")
    require(set(proof.implied) <= set(proof.inequalities), "an implied row is no inequality")
    found = ConeRows(layer.rows).upper(proof.equalities, proof.implied, proof.multipliers)
    require(found == 0, f"rows at 0 were proved to leave {found} dimensions at most, where 0 is needed")
