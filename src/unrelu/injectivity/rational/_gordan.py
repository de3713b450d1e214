"""Points at which rows are all negative, or a positive dependency of some of them (Gordan 1873), exactly.

The simplex method on ``sum lambda_i a_i = 0, sum lambda_i = 1, lambda >= 0`` with whole numbers only: the
inverse of the basis is held as ``U / D`` with ``D`` its determinant, and all divisions come out even
(Edmonds 1967). Ties are broken by order of rows (Dantzig, Orden, Wolfe 1955), so that it ends.
"""

from __future__ import annotations

import flint
import numpy as np


def gordan(rows: list[list[int]]) -> tuple[list[int] | None, list[int]]:
    """Return a vector whose products with all rows are negative, or rows that rule it out.

    Args:
        rows: At least one, all of the same length.

    Returns:
        The vector and nothing; or ``None`` and the numbers, ascending, of rows whose linear dependencies are
        the multiples of one positive vector.

    Example:
        >>> from unrelu.injectivity.rational import gordan
        >>> y, _ = gordan([[1, 0], [0, 1]])
        >>> y[0] < 0 and y[1] < 0
        True
        >>> gordan([[1, 0], [0, 1], [-2, 0]])
        (None, [0, 2])
    """
    basis = _Basis([[*row, 1] for row in rows])
    while (prices := basis.prices())[-1]:
        entering = basis.entering(prices)
        if entering is None:
            return prices[:-1], []
        basis.pivot(entering)
    return None, basis.support()


class _Basis:
    """A basis of columns ``(a_i, 1)`` and unit vectors, which are artificial.

    Attributes:
        inverse: ``U``, the inverse times the determinant.
        determinant: ``D``, positive.
        weights: Powers of two that bring columns to one size.
        basic: For each row of ``U`` the number of its basic column, -1 for an artificial one.
    """

    def __init__(self, columns: list[list[int]]) -> None:
        """Start from unit vectors."""
        size = len(columns[0])
        self.columns, self.table = columns, flint.fmpz_mat(columns)
        lengths = [max(v.bit_length() for v in column) for column in columns]
        self.weights = [1 << max(lengths) - length for length in lengths]
        self.inverse = np.array([[int(i == j) for j in range(size)] for i in range(size)], dtype=object)
        self.determinant = 1
        self.basic = [-1] * size

    def prices(self) -> list[int]:
        """Return the prices of all coordinates times ``D``; the last is the sum of artificial variables."""
        artificial = [r for r, column in enumerate(self.basic) if column < 0]
        return list(self.inverse[artificial].sum(axis=0)) if artificial else [0] * len(self.basic)

    def support(self) -> list[int]:
        """Return the columns with a positive value."""
        return sorted(column for r, column in enumerate(self.basic) if column >= 0 and self.inverse[r, -1])

    def entering(self, prices: list[int]) -> int | None:
        """Return the column that lowers the sum of artificial variables fastest, ``None`` at the optimum."""
        gains = [int(v) for v in (self.table * flint.fmpz_mat(len(prices), 1, prices)).entries()]
        best = max(range(len(gains)), key=lambda i: gains[i] * self.weights[i])
        return best if gains[best] > 0 else None

    def pivot(self, entering: int) -> None:
        """Bring a column into the basis in place of the one that first becomes 0."""
        step = self.inverse.dot(np.array(self.columns[entering], dtype=object))
        r = self._leaving(step)
        row, pivot = self.inverse[r].copy(), step[r]
        self.inverse = (pivot * self.inverse - np.outer(step, row)) // self.determinant
        self.inverse[r], self.determinant = row, pivot
        self.basic[r] = entering

    def _leaving(self, step: np.ndarray) -> int:
        """Return the row with the least ratio; of several the first in the order of all their entries.

        The right side is the last unit vector, so that the last column of ``U`` holds the values.
        """
        rows = [i for i, v in enumerate(step) if v > 0]
        least = rows[0]
        for i in rows[1:]:
            for j in range(-1, len(step) - 1):
                left, right = self.inverse[i, j] * step[least], self.inverse[least, j] * step[i]
                if left != right:
                    least = i if left < right else least
                    break
        return least
