"""Directions to infinity, for many sets of active rows of one matrix.

The cones are ``{d : W_I d = 0, W_i d <= 0 for all other i}``: all rows take part, whatever ``I`` is. So what
takes back an error in multipliers is known once for all of them, the smallest singular value of ``W``, and
with ``V = W R⁻¹``, ``WᵀW = RᵀR`` (a Parseval frame: ``VᵀV`` is the identity) a point needs no more than a
Cholesky factor of ``V_I V_Iᵀ``, part of the one matrix ``V Vᵀ``: the columns of ``V O`` are orthonormal for
an orthonormal basis ``O`` of ``ker V_I``, so that the closed form for multipliers is a projection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import scipy.linalg

from unrelu.frames._factor import Factor, dense_factor
from unrelu.frames._lapack import columns_product, potrf, rows_product
from unrelu.frames._principal import principal
from unrelu.frames._scaling import UNIT
from unrelu.preimage.cones._balance import CLEAR
from unrelu.preimage.cones._cone import Cone
from unrelu.preimage.cones._partition import partition
from unrelu.preimage.cones._proofs import is_direction
from unrelu.preimage.cones._span import certified_sigma, length_bound

if TYPE_CHECKING:
    from collections.abc import Iterator

_SHIFT = 1e-11  # square of the smallest singular value that is proved for rows of V
_ZERO = 1e-11  # norm of a row of V inside the kernel that counts as 0
_HELD_BYTES = 256 << 20  # of V Vᵀ
_ROWS = 8
_ROUNDS = 8


@dataclass(frozen=True)
class _Guess:
    """What a cone seems to be: {0}, by multipliers of all rows, or else full, by a direction."""

    multipliers: np.ndarray | None = None
    direction: np.ndarray | None = None
    used_lp: bool = False


def recession(rows: np.ndarray) -> Recession | None:
    """Prepare the rows of ``W``, scaled to similar sizes; ``None`` where full column rank is not proved."""
    m, n = rows.shape
    if m < n or not np.isfinite(rows).all():
        return None
    with np.errstate(all="ignore"):
        sigma = certified_sigma(np.ascontiguousarray(rows.T))
        product = columns_product(rows)
        if sigma <= 0 or potrf(product) != 0:
            return None
        return Recession(rows, sigma, np.triu(product))


class Recession:
    """The cones of one matrix of full column rank.

    Attributes:
        rows: ``W``, shape ``(m, n)``.
        sigma: Lower bound of its smallest singular value, proved.
        vectors: ``V`` as computed, shape ``(m, n)``.
        inverse: ``R⁻¹`` as computed, shape ``(n, n)``.
    """

    def __init__(self, rows: np.ndarray, sigma: float, triangle: np.ndarray) -> None:
        """Take what `recession` found; ``triangle`` is ``R``."""
        self.rows, self.sigma = rows, sigma
        self.inverse = scipy.linalg.solve_triangular(triangle, np.eye(len(triangle)))
        self.vectors = rows @ self.inverse
        self._sum = self.vectors.sum(axis=0)
        self._size = length_bound(rows.ravel())
        self._proves_independence = self._close(triangle)
        self._held: np.ndarray | None = None

    def _close(self, triangle: np.ndarray) -> bool:
        """Whether ``W_I`` has full rank wherever ``V_I`` has no singular value below ``sqrt(_SHIFT)``.

        With ``W = V R + E`` it has none below ``sqrt(_SHIFT)`` times the smallest one of ``R``, less ``|E|``.
        """
        v, n = self.vectors, len(triangle)
        off = length_bound((v @ triangle - self.rows).ravel()) + _rounding(n, v, triangle)
        squares = length_bound((v.T @ v - np.eye(n)).ravel()) + _rounding(len(v), v, v)
        return bool(_SHIFT**0.5 * (self.sigma - off) / np.sqrt(1 + squares) > 2 * off)

    def hold(self) -> None:
        """Compute what makes many calls faster."""
        if self._held is None and 8 * len(self.rows) ** 2 <= _HELD_BYTES:
            self._held = rows_product(self.vectors)

    def independent(self, index: np.ndarray) -> Factor | None:
        """Factor ``V_I V_Iᵀ``, which proves the rows ``I`` of ``W`` independent, where that can be done."""
        if not 0 < len(index) <= self.rows.shape[1] or not self._proves_independence:
            return None
        product = rows_product(self.vectors[index]) if self._held is None else principal(self._held, index)
        product.flat[:: len(index) + 1] -= _SHIFT
        # Twice the terms, because the shift may take half of the trace in which the error is measured.
        return dense_factor(product, 2 * self.rows.shape[1] + 8)

    def cone(self, equalities: np.ndarray, inequalities: np.ndarray) -> Cone | None:
        """Analyse the cone of independent rows ``I``.

        Args:
            equalities: Row numbers ``I``, ascending.
            inequalities: All other row numbers, ascending.

        Returns:
            The cone, proved; ``None`` where ``I`` is not proved independent and of fewer than ``n`` rows, and
            where some of the other rows are 0 on the whole cone and some are not.
        """
        n = self.rows.shape[1]
        if len(equalities) >= n or not len(inequalities):
            return None
        factor = self.independent(equalities)
        if len(equalities) and factor is None:
            return None
        kernel = _Kernel(self.vectors[equalities], factor)
        closed = self._closed_form(kernel, equalities, inequalities)
        if closed is not None:
            return self._proved(closed, kernel, equalities, inequalities)
        for basis in kernel.bases():
            guess = self._by_newton(basis, kernel, inequalities)
            if guess is None:
                break
            found = self._proved(guess, kernel, equalities, inequalities)
            if found is not None:
                return found
        return None

    def _proved(
        self, guess: _Guess, kernel: _Kernel, equalities: np.ndarray, inequalities: np.ndarray
    ) -> Cone | None:
        if guess.multipliers is not None:
            v = guess.multipliers
            v[equalities] -= kernel.coordinates(kernel.rows @ (v @ self.vectors))
            v -= self.vectors @ (v @ self.vectors)
            if self._are_multipliers(v, inequalities):
                ordered = v[np.concatenate([equalities, inequalities])]
                return Cone(0, 0, np.arange(len(inequalities)), ordered, None, guess.used_lp)
        if guess.direction is not None:
            d = self.inverse @ kernel.project(guess.direction)
            zero = self.rows[equalities]
            if is_direction(zero, self.rows[inequalities], d, certified_sigma(zero)):
                low = self.rows.shape[1] - len(equalities)
                return Cone(low, low, np.zeros(0, dtype=int), None, d, guess.used_lp)
        return None

    def _closed_form(
        self, kernel: _Kernel, equalities: np.ndarray, inequalities: np.ndarray
    ) -> _Guess | None:
        total = self._sum - kernel.rows.sum(axis=0)
        c = kernel.project(total)
        fitted = (self.vectors @ c)[inequalities]
        if fitted.max() < 1 - CLEAR:
            weights = np.zeros(len(self.rows))
            weights[inequalities] = 1 - fitted
            return _Guess(multipliers=weights)
        return _Guess(direction=-c) if fitted.min() > CLEAR * np.linalg.norm(c) else None

    def _by_newton(self, basis: np.ndarray, kernel: _Kernel, inequalities: np.ndarray) -> _Guess | None:
        """Balance some of the rows and the sum of the others; rows in whose way these are join them."""
        vectors = self.vectors
        total = (self._sum - kernel.rows.sum(axis=0)) @ basis
        chosen = _spread(len(inequalities), _ROWS * len(total))
        reduced = np.empty((len(inequalities), len(total)))
        reduced[chosen] = vectors[inequalities[chosen]] @ basis
        for _ in range(_ROUNDS):
            some = reduced[chosen]
            rest = (total - some.sum(axis=0))[None, :][: 0 if chosen.all() else 1]
            found = partition(np.concatenate([some, rest]), _ZERO)
            if found is not None and found.implied.all():
                weights = np.zeros(len(self.rows))
                weights[inequalities] = found.weights[-1]
                weights[inequalities[chosen]] = found.weights[: len(some)]
                return _Guess(multipliers=weights, used_lp=found.used_lp)
            if found is None or found.implied.any():
                return None
            direction = basis @ found.c
            values = (vectors @ direction)[inequalities]
            if values.max() < -CLEAR * np.linalg.norm(direction):
                return _Guess(direction=direction, used_lp=found.used_lp)
            new = np.argsort(-np.where(chosen, -np.inf, values))[: int(chosen.sum())]
            new = new[~chosen[new]]
            reduced[new] = vectors[inequalities[new]] @ basis
            chosen[new] = True
        return None

    def _are_multipliers(self, v: np.ndarray, positive: np.ndarray) -> bool:
        """Return whether the least correction that makes ``Wᵀ v`` exactly 0 keeps these entries positive."""
        error = 1.1 * (len(v) + 4) * UNIT * self._size * length_bound(v)
        correction = (length_bound(v @ self.rows) + error) / self.sigma
        return bool(v[positive].min() > correction * (1 + 1e-9))


def _spread(count: int, size: int) -> np.ndarray:
    """Choose ``size`` of ``count`` rows evenly, boolean; all of them where that saves little."""
    chosen = np.ones(count, dtype=bool)
    if 2 * size < count:
        chosen[:] = False
        chosen[np.linspace(0, count - 1, size).astype(int)] = True
    return chosen


class _Kernel:
    """The null space of independent rows of ``V``.

    Attributes:
        rows: ``V_I``.
    """

    def __init__(self, rows: np.ndarray, factor: Factor | None) -> None:
        """Take the rows and the factor of ``V_I V_Iᵀ``, ``None`` if there are no rows."""
        self.rows, self._factor = rows, factor

    def coordinates(self, products: np.ndarray) -> np.ndarray:
        """Return the ``z`` that makes ``V_Iᵀ z`` nearest to ``v``, for each row ``V_I v`` of ``products``."""
        return products if self._factor is None else self._factor.solve(products)

    def project(self, v: np.ndarray) -> np.ndarray:
        """Return the nearest vector of the null space, for each row of ``v``; twice, against rounding."""
        for _ in range(2):
            v = v - self.coordinates(v @ self.rows.T) @ self.rows
        return v

    def bases(self) -> Iterator[np.ndarray]:
        """Yield orthonormal bases as columns, made from random vectors, the second one more accurate."""
        k, n = self.rows.shape
        v = np.random.default_rng(0).standard_normal((n - k, n))
        for _ in range(2):
            v = v - self.coordinates(v @ self.rows.T) @ self.rows
            product = rows_product(v)
            if potrf(product) != 0:
                return
            v = scipy.linalg.solve_triangular(np.triu(product), v, trans="T")
            yield v.T


def _rounding(terms: int, a: np.ndarray, b: np.ndarray) -> float:
    """Bound the rounding errors of all entries of a product, as a length (Higham 2002, eq. 3.13)."""
    return 1.1 * (terms + 4) * UNIT * length_bound(a.ravel()) * length_bound(b.ravel())
