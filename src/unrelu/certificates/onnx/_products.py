"""Sums and products of sparse matrices, and whether rounding changed them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from unrelu.certificates._rows import Rows, dyadic
from unrelu.certificates.onnx._model import MOST_ENTRIES

_DIGITS = 53  # of a float64 number
_TINY = 2.0**-900  # no digit of a number above is lost at the lower end of the range


def product(outer: Rows, inner: Rows) -> tuple[Rows, bool]:
    """Return the product of two matrices, and whether it is known to be exact.

    Entries that are sums of several products are rounded once.

    Raises:
        ValueError: If it takes too many products.
    """
    if _moves(inner):
        columns = inner.columns[outer.columns]
        order = np.lexsort((columns, outer.numbers))
        return Rows(inner.n, outer.starts, columns[order], outer.values[order]), True
    lengths = np.diff(inner.starts)[outer.columns]
    if lengths.sum() > MOST_ENTRIES:
        raise ValueError(f"{lengths.sum()} products of entries are too many")
    taken = inner.take(outer.columns)
    numbers, left, right = outer.numbers[taken.numbers], outer.values[taken.numbers], taken.values
    single = _appear_once(numbers, taken.columns, inner.n)
    pairs = zip(left[~single].tolist(), right[~single].tolist(), strict=True)
    several = [Fraction(a) * Fraction(b) for a, b in pairs]
    rows, same = _summed(inner.n, outer.m, numbers, taken.columns, left * right, single, several)
    return rows, same and _are_products(left[single], right[single], (left * right)[single])


def _moves(rows: Rows) -> bool:
    """Say whether every row is another unit vector."""
    plain = bool((np.diff(rows.starts) == 1).all() and (rows.values == 1).all())
    return plain and len(np.unique(rows.columns)) == rows.m


def merged(rows: Rows, numbers: np.ndarray) -> tuple[Rows, bool]:
    """Return sums of rows, and whether they are exact; every entry is rounded once.

    Args:
        rows: The rows.
        numbers: For each row the sum that it is part of, all from 0 on.
    """
    place = numbers[rows.numbers]
    single = _appear_once(place, rows.columns, rows.n)
    several = [Fraction(v) for v in rows.values[~single].tolist()]
    return _summed(rows.n, int(numbers.max()) + 1, place, rows.columns, rows.values, single, several)


def is_sum(left: np.ndarray, right: np.ndarray, total: np.ndarray) -> bool:
    """Say whether a sum in floating point is exact, entry by entry."""
    triples = zip(left.tolist(), right.tolist(), total.tolist(), strict=True)
    return all(not a or not b or Fraction(a) + Fraction(b) == Fraction(c) for a, b, c in triples)


def _appear_once(numbers: np.ndarray, columns: np.ndarray, n: int) -> np.ndarray:
    """Say for each entry whether no other stands in the same place."""
    _, inverse, counts = np.unique(numbers * n + columns, return_inverse=True, return_counts=True)
    return np.asarray(counts[inverse] == 1)


def _are_products(left: np.ndarray, right: np.ndarray, product: np.ndarray) -> bool:
    """Say whether no product was rounded; a few that were not may count as such."""
    digits = sum(np.frexp(np.abs(dyadic(v)[0]).astype(np.float64))[1] for v in (left, right))
    safe = (digits <= _DIGITS) & (np.abs(product) > _TINY) & np.isfinite(product)
    return bool((safe | (left == 0) | (right == 0)).all())


def _summed(
    n: int,
    m: int,
    numbers: np.ndarray,
    columns: np.ndarray,
    values: np.ndarray,
    single: np.ndarray,
    several: list[Fraction],
) -> tuple[Rows, bool]:
    """Return rows from entries, of which those that are not single are added exactly and rounded once."""
    sums: dict[tuple[int, int], Fraction] = {}
    places = zip(numbers[~single].tolist(), columns[~single].tolist(), strict=True)
    for place, value in zip(places, several, strict=True):
        sums[place] = sums.get(place, Fraction(0)) + value
    totals = [float(v) for v in sums.values()]
    exact = all(Fraction(t) == v for t, v in zip(totals, sums.values(), strict=True))
    more = np.array(list(sums), dtype=np.int64).reshape(-1, 2)
    numbers = np.concatenate([numbers[single], more[:, 0]])
    columns = np.concatenate([columns[single], more[:, 1]])
    values = np.concatenate([values[single], np.array(totals)])
    order = np.lexsort((columns, numbers))
    order = order[values[order] != 0]
    starts = np.searchsorted(numbers[order], np.arange(m + 1))
    return Rows(n, starts, columns[order], values[order]), exact
