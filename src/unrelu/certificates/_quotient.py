"""What rows add to the span of others, modulo a prime."""

from __future__ import annotations

import flint

from unrelu.certificates._rows import Rows
from unrelu.certificates._span import PRIME, first_independent, residue_matrix


class Quotient:
    """Vectors modulo the span of some rows, in coordinates; all modulo a prime.

    Rows and others span R^n if the images of the others have the rank `dimension`: vectors that are
    independent modulo a prime are independent.

    Attributes:
        dimension: ``n`` minus the rank of the rows.
    """

    def __init__(self, rows: Rows) -> None:
        """Eliminate the rows."""
        self._kernel, dimension = residue_matrix(rows).nullspace()
        self.dimension = int(dimension)

    def images(self, rows: Rows) -> list[list[int]]:
        """Return the coordinates of rows, each times a power of two: products with a basis of the kernel."""
        if not rows.m or not self.dimension:
            return [[] for _ in range(rows.m)]
        products = residue_matrix(rows) * self._kernel
        return [[int(v) for v in row[: self.dimension]] for row in products.tolist()]

    def first_independent(self, images: list[list[int]]) -> list[int]:
        """Return positions of images that are independent and span all of them, the first ones."""
        if not images or not self.dimension:
            return []
        return first_independent(flint.nmod_mat(images, PRIME))
