"""Small random matrices in which floating point is easily fooled."""

from collections.abc import Callable

import numpy as np


def _sizes(rng: np.random.Generator) -> tuple[int, int]:
    k, n = rng.integers(2, 7, 2)
    return int(k), int(n)


def integers(rng: np.random.Generator) -> np.ndarray:
    """Entries in {-2, ..., 2}."""
    return rng.integers(-2, 3, _sizes(rng)).astype(float)


def low_rank(rng: np.random.Generator) -> np.ndarray:
    """Exactly of low rank, rows and columns scaled by powers of two."""
    k, n = _sizes(rng)
    inner = int(rng.integers(1, min(k, n) + 1))
    product = rng.integers(-3, 4, (k, inner)) @ rng.integers(-3, 4, (inner, n))
    spread = int(rng.choice([1, 40, 300]))
    return (
        product * 2.0 ** rng.integers(-spread, spread, (k, 1)) * 2.0 ** rng.integers(-spread, spread, (1, n))
    )


def rounded_low_rank(rng: np.random.Generator) -> np.ndarray:
    """Of low rank but for the rounding, which mostly makes it full."""
    k, n = _sizes(rng)
    inner = int(rng.integers(1, min(k, n) + 1))
    return rng.standard_normal((k, inner)) @ rng.standard_normal((inner, n))


def dependent_digits(rng: np.random.Generator) -> np.ndarray:
    """A row that is the exact sum of two others with long mantissas."""
    k, n = _sizes(rng)
    rows = np.round(rng.standard_normal((k, n)) * 2.0**50) * 2.0**-50
    rows[-1] = rows[0] + rows[k // 2]
    return rows * rng.choice([1.0, 2.0**-500, 2.0**-700, 2.0**400])


def one_ulp(rng: np.random.Generator) -> np.ndarray:
    """Repeated rows, some entries moved by a digit."""
    k, n = _sizes(rng)
    rows = rng.standard_normal((k, n))[rng.integers(0, max(1, k // 2), k)]
    touched = rng.random((k, n)) < 0.1
    return np.where(touched, np.nextafter(rows, np.inf), rows)


def vanishing_squares(rng: np.random.Generator) -> np.ndarray:
    """Exactly dependent columns, one of which has squares among the subnormal numbers."""
    k, n = int(rng.integers(2, 6)), int(rng.integers(2, 4))
    column = rng.integers(-50, 50, (k, 1)).astype(float)
    rows = np.hstack([column, *(column * 2.0 ** -int(rng.integers(480, 560)) for _ in range(n - 1))])
    return rows * rng.choice([1.0, 2.0**-520, 2.0**300])


def uneven_rows(rng: np.random.Generator) -> np.ndarray:
    """Exactly dependent rows with a huge entry beside ones that scaling loses."""
    k, n = _sizes(rng)
    rows = rng.integers(-3, 4, (k, n)).astype(float)
    rows[:, 0] *= 2.0**1000
    rows[:, 1:] *= 2.0 ** -int(rng.integers(20, 120))
    rows[-1] = rows[0]
    return rows


def sparse(rng: np.random.Generator) -> np.ndarray:
    """Few entries."""
    k, n = rng.integers(2, 9, 2)
    return rng.integers(-2, 3, (k, n)) * (rng.random((k, n)) < 0.4).astype(float)


def orthogonal(rng: np.random.Generator) -> np.ndarray:
    """Well conditioned, of full rank."""
    k, n = _sizes(rng)
    return np.linalg.qr(rng.standard_normal((max(k, n), min(k, n))))[0] * rng.choice([1.0, 1e-100, 1e100])


KINDS: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
    make.__name__: make
    for make in (
        integers,
        low_rank,
        rounded_low_rank,
        dependent_digits,
        one_ulp,
        vanishing_squares,
        uneven_rows,
        sparse,
        orthogonal,
    )
}
