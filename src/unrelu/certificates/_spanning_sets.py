"""Sets of rows that span R^n together with common ones: found, and proved."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from unrelu.certificates._quotient import Quotient
from unrelu.certificates._rows import Rows
from unrelu.certificates._span_proof import SpanProof

_BLOCK = 64  # rows that are compared with the span of those before them at a time
_DEPENDENT = 1e-7  # of a row: what is left of it outside of the span of others counts as nothing


class SpanningSets:
    """Rows, of which some are always taken.

    Floating point proves that rows span, with bounds of its errors, or elimination modulo a prime where that
    is not enough: rows that are independent modulo a prime are independent.
    """

    def __init__(self, rows: Rows, common: np.ndarray) -> None:
        """Take rows, and the numbers of those that are always taken."""
        self._rows, self._common = rows, common
        self._proof = SpanProof(rows, common)

    def spans(self, index: np.ndarray) -> bool:
        """Say whether the rows of these numbers and the common ones are proved to span."""
        if self._proof.succeeds(index):
            return True
        return len(self._first_modulo_prime(index)) == self._quotient.dimension

    def first(self, order: np.ndarray) -> np.ndarray | None:
        """Return the first rows in an order that complete independent common rows to a basis of R^n.

        Args:
            order: Row numbers.

        Returns:
            Row numbers, or ``None`` where they are not proved to span. Rows that nearly lie in the span of
            those before them may be passed over.
        """
        count = self._rows.n - len(self._common)
        if len(order) < count:
            return None
        for choose in (lambda: order[:count], lambda: self._first_far(order, count)):
            chosen = choose()
            if len(chosen) == count and self._proof.succeeds(chosen):
                return chosen
        chosen = self._first_modulo_prime(order)
        return chosen if len(chosen) == self._quotient.dimension else None

    def _first_far(self, order: np.ndarray, count: int) -> np.ndarray:
        """Return the first rows that are far from the span of those before them (Gram and Schmidt)."""
        basis = self._common_basis
        chosen: list[int] = []
        for start in range(0, len(order), _BLOCK):
            part = order[start : start + _BLOCK]
            left = self._unit[part]
            for _ in range(2):
                left = left - (left @ basis.T) @ basis
            new = np.zeros((0, basis.shape[1]))
            for i, row in enumerate(left):
                for _ in range(2):
                    row = row - (new @ row) @ new
                size = float(np.linalg.norm(row))
                if size > _DEPENDENT and len(chosen) < count:
                    new = np.vstack([new, row / size])
                    chosen.append(int(part[i]))
            basis = np.vstack([basis, new])
            if len(chosen) == count:
                break
        return np.array(chosen, dtype=np.int64)

    def _first_modulo_prime(self, order: np.ndarray) -> np.ndarray:
        images = self._quotient.images(self._rows.take(order))
        return order[self._quotient.first_independent(images)]

    @cached_property
    def _unit(self) -> np.ndarray:
        sizes = np.linalg.norm(self._proof.matrix, axis=1, keepdims=True)
        return self._proof.matrix / np.where(sizes > 0, sizes, 1.0)

    @cached_property
    def _common_basis(self) -> np.ndarray:
        return np.asarray(np.linalg.qr(self._unit[self._common].T)[0].T)

    @cached_property
    def _quotient(self) -> Quotient:
        return Quotient(self._rows.take(self._common))
