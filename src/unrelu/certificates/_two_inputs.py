"""Two inputs that are said to have the same output: different ones, in the domain."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._verification import require
from unrelu.certificates.injective._signs import lies_in


def require_two_inputs(domain: DomainRecord, x: np.ndarray, other: np.ndarray) -> None:
    """Check that two points differ and lie in a closed domain.

    Raises:
        NotProvedError: If they do not.
    """
    require(bool((x != other).any()), "x and other are the same point")
    for name, point in (("x", x), ("other", other)):
        require(lies_in(domain, point), f"{name} lies outside the domain")
