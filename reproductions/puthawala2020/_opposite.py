"""The injective layers with the fewest rows, ``[B; -DB]`` (slide 18)."""

from __future__ import annotations

import numpy as np


def opposite(n: int, rng: np.random.Generator, largest: float = 2.0) -> np.ndarray:
    """Return ``[B; -DB]``, Gaussian ``B``, the entries of ``D`` between ``1 / largest`` and ``largest``.

    Factors have 24 bits, as in float32, so that the products are exact and the rows truly opposite.
    """
    basis = rng.standard_normal((n, n)).astype(np.float32).astype(np.float64)
    scales = rng.uniform(1 / largest, largest, (n, 1)).astype(np.float32).astype(np.float64)
    return np.vstack([basis, -scales * basis])
