"""Whether inputs near points are the only ones with their outputs (Behrmann et al. 2018, Theorem 4)."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._margins import stays_active
from unrelu.certificates._quotient import Quotient
from unrelu.certificates._singletons_certificate import SingletonsCertificate
from unrelu.certificates._verification import NotProvedError, Proved, require


def verify_singletons(certificate: SingletonsCertificate, layer: LayerRecord) -> Proved:
    """Check a certificate; see `verify_preimage`.

    Raises:
        NotProvedError: If it does not prove its statement.
    """
    common = np.asarray(certificate.common, dtype=np.int64)
    sets = [np.asarray(part, dtype=np.int64) for part in certificate.sets]
    _check_margins(certificate, layer, common, sets)
    _check_ranks(layer, common, sets)
    return Proved(exact=True, reason="rows that are strictly active in each ball span R^n")


def _check_margins(
    certificate: SingletonsCertificate, layer: LayerRecord, common: np.ndarray, sets: list[np.ndarray]
) -> None:
    used = np.unique(np.concatenate([common, *sets]))
    points = np.asarray(certificate.points, dtype=np.float64).reshape(-1, layer.n)
    active = stays_active(layer, used, points, float(certificate.radius))
    shared = np.searchsorted(used, common)
    for k, number in enumerate(np.ravel(certificate.which).tolist()):
        places = np.concatenate([shared, np.searchsorted(used, sets[number])])
        failed = places[~active[k, places]]
        if len(failed):
            raise NotProvedError(f"point {k}: row {used[failed[0]]} is not strictly active in the whole ball")


def _check_ranks(layer: LayerRecord, common: np.ndarray, sets: list[np.ndarray]) -> None:
    quotient = Quotient(layer.rows.take(common))
    further = np.unique(np.concatenate(sets))
    images = quotient.images(layer.rows.take(further))
    for number, part in enumerate(sets):
        own = [images[i] for i in np.searchsorted(further, part).tolist()]
        rank = len(quotient.first_independent(own))
        require(rank == quotient.dimension, f"set {number}: the rows were not proved to span")
