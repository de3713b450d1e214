"""Where the results of a link lie."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._verification import NotProvedError, require
from unrelu.certificates._verify_network import check_image
from unrelu.certificates.injective import bounds
from unrelu.certificates.links._record import LinkRecord
from unrelu.certificates.links._step import NormRecord


def check_results(link: LinkRecord, domain: DomainRecord | None, target: DomainRecord) -> None:
    """Check that all results of a link on a closed domain lie in another closed domain.

    Those of a layer are known as far as `check_image` sees; of other links that a ReLU is not negative, and
    that no normalised entry is farther from its offset than its gain times the root of the number of entries
    that share their statistics.

    Args:
        link: The link.
        domain: Where its input lies; ``None`` for all of R^n.
        target: The other domain.

    Raises:
        NotProvedError: If this is not so, or cannot be seen.
    """
    layer = link.single("relu")
    if layer is not None:
        check_image(layer, domain or DomainRecord("space", link.n), target)
        return
    where, known = f"results of {link.name!r}", bounds(target)
    require(target.n == link.m, f"{where} lie in R^{link.m}, not in R^{target.n}")
    if known is None:
        raise NotProvedError(f"{where} are not shown to lie in {target.describe()}")
    lower, upper = known
    if link.last.kind == "relu":
        lower = np.where(lower > 0, lower, -np.inf)
    if link.last.norm is not None:
        within = _reached(link.last.norm, lower, upper)
    else:
        within = bool(np.isneginf(lower).all() and np.isposinf(upper).all())
    require(within, f"{where} are not shown to lie in {target.describe()}")


def _reached(norm: NormRecord, lower: np.ndarray, upper: np.ndarray) -> bool:
    """Say whether bounds hold ``offset`` plus and minus ``|gain| sqrt(count)``, exactly."""
    above, below = zip(upper, norm.offset, strict=True), zip(-lower, -norm.offset, strict=True)
    gains = norm.gain.tolist()
    return all(
        math.isinf(bound) or _has_room(Fraction(float(bound)) - Fraction(float(offset)), gain, norm.count)
        for side in (above, below)
        for (bound, offset), gain in zip(side, gains, strict=True)
    )


def _has_room(room: Fraction, gain: float, count: int) -> bool:
    return room >= 0 and room**2 >= Fraction(gain) ** 2 * count
