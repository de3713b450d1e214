"""Whether vectors prove what is said of a cone ``{d : w_i · d = 0 or <= 0}``, in integer arithmetic.

A direction that is 0 on some rows and negative on the others bounds the dimension from below, a combination
of those rows with positive weights that is 0 bounds it from above (Stiemke's theorem with equalities). A
vector that meets its equations only nearly is moved to one that meets them, by no more than proved.
"""

from __future__ import annotations

import flint
import numpy as np

from unrelu.certificates._rows import IntegerRows, Rows, column_scales, integer_rows, whole
from unrelu.certificates._span import Moved, Span


class ConeRows:
    """Rows by which cones are defined.

    Attributes:
        rows: The rows.
        n: Their length.
    """

    def __init__(self, rows: Rows) -> None:
        """Take rows."""
        self.rows, self.n = rows, rows.n
        self._scales = column_scales(rows)
        self._spans: dict[bytes, Span] = {}

    def span(self, index: np.ndarray) -> Span:
        """Return the span of some rows."""
        key = index.astype(np.int64).tobytes()
        if key not in self._spans:
            self._spans[key] = Span(self.rows.take(index), self.whole(index))
        return self._spans[key]

    def whole(self, index: np.ndarray) -> IntegerRows:
        """Return some rows as integers, columns scaled."""
        return self.integers(self.rows.take(index))

    def integers(self, rows: Rows) -> IntegerRows:
        """Return rows as integers, columns scaled as in all rows here."""
        return integer_rows(rows, self._scales)

    def lower(self, zero: np.ndarray, strict: np.ndarray, direction: np.ndarray | None) -> int:
        """Return a proved lower bound of the dimension of ``{d : w_i · d = 0, w_j · d <= 0}``.

        Args:
            zero: Row numbers ``i``, equalities and implied ones.
            strict: Row numbers ``j`` on which the direction is negative.
            direction: The direction; there is need of one only if there are strict rows.
        """
        span = self.span(zero)
        bound = self.n - (span.rank if span.rank_is_exact else len(zero))
        if not len(strict):
            return max(0, bound)
        moved = None if direction is None else self.moved(zero, direction)
        if moved is None or not all(moved.negative(self.whole(strict))):
            return 0
        return max(1, bound)

    def moved(self, zero: np.ndarray, direction: np.ndarray) -> Moved | None:
        """Move a vector so that it is 0 on some rows; ``None`` where that is not proved possible."""
        span = self.span(zero)
        vector, _ = whole(direction.tolist(), self._scales)
        for j in span.single:
            vector[j] = 0
        return span.meet(vector, span.whole.times(vector))

    def upper(self, equalities: np.ndarray, implied: np.ndarray, multipliers: np.ndarray | None) -> int:
        """Return a proved upper bound of the dimension of a cone whose rows include these.

        Args:
            equalities: Row numbers.
            implied: Numbers of inequalities that the multipliers prove to be equalities.
            multipliers: One for each of both.
        """
        if len(implied) and not self.implies(equalities, implied, multipliers):
            return self.n
        return self.n - self.span(np.concatenate([equalities, implied])).rank

    def implies(self, equalities: np.ndarray, implied: np.ndarray, multipliers: np.ndarray | None) -> bool:
        """Say whether multipliers prove inequalities to hold with equality on the whole cone."""
        zero = np.concatenate([equalities, implied])
        if multipliers is None or len(multipliers) != len(zero):
            return False
        span = self.span(zero)
        weights, _ = whole(multipliers.tolist(), -np.array(span.whole.powers, dtype=object))
        if any(w <= 0 for w in weights[len(equalities) :]):
            return False
        rest = span.whole.combined(weights)
        error, scale = _weights_error(span, [rest[j] for j in span.free.tolist()])
        return error >= 0 and _stay_positive(span, weights, rest, len(equalities), (error, scale))


def _stay_positive(
    span: Span, weights: list[int], rest: list[int], free: int, bound: tuple[int, int]
) -> bool:
    """Say whether weights behind the first ``free`` stay positive when the combination is made 0."""
    error, scale = bound
    moved = [0] * len(rest)
    inverse = span.right_inverse if error else None
    if inverse is not None:
        for k, shift in zip(inverse.positions, inverse.shifts, strict=True):
            i = int(span.others[k])
            if i >= free and weights[i] * scale <= error << shift:
                return False
            for j, v in zip(*span.whole.row(i), strict=True):
                moved[j] += abs(v) << shift
    for j, i in span.single.items():
        entry = span.whole.row(i)[1][0]
        left = weights[i] * abs(entry) - (rest[j] if entry > 0 else -rest[j])
        if i >= free and left * scale <= error * moved[j]:
            return False
    return True


def _weights_error(span: Span, rest: list[int]) -> tuple[int, int]:
    """Bound the weights on shifted basis rows that take ``rest`` back, as a fraction; -1: not proved."""
    if not any(rest):
        return 0, 1
    inverse = span.right_inverse
    if inverse is None:
        return -1, 1
    columns = flint.fmpz_mat(1, len(rest), rest) * inverse.x
    return max(abs(int(v)) for v in columns.entries()), inverse.columns
