"""What a preimage under several layers is: its pieces."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from unrelu.arrays import to_tensor
from unrelu.errors import ArgumentError
from unrelu.preimage._result import Evidence, Kind
from unrelu.preimage.pieces._polyhedron import Polyhedron, area

if TYPE_CHECKING:
    from unrelu.arrays import Array


@dataclass(frozen=True, eq=False)
class Piece:
    """One polyhedron ``{x : E x = e, G x <= g}`` of a preimage, on which every layer is affine.

    Attributes:
        pattern: For every ReLU layer the signs of its pre-activations in the relative interior, int8, shape
            ``(m,)``: 0 stands for a pre-activation that is 0 on the whole piece.
        dimension: Affine dimension.
        bounded: Whether it is bounded; ``None`` where neither side is proved.
        point: A point in the relative interior, shape ``(n,)``, rounded to float64.
        exact: The polyhedron in rational numbers.
        exact_point: The point in rational numbers.
    """

    pattern: tuple[np.ndarray, ...]
    dimension: int
    bounded: bool | None
    point: np.ndarray
    exact: Polyhedron
    exact_point: tuple[Fraction, ...]

    @property
    def E(self) -> np.ndarray:
        """Equations in float64, shape ``(p, n)``; rows are scaled by powers of two to entries near 1."""
        return self.exact.E.astype(np.float64)

    @property
    def e(self) -> np.ndarray:
        """Right-hand sides of the equations, shape ``(p,)``."""
        return self.exact.e.astype(np.float64)

    @property
    def G(self) -> np.ndarray:
        """Inequalities, rounded to float64, shape ``(q, n)``."""
        return self.exact.G.astype(np.float64)

    @property
    def g(self) -> np.ndarray:
        """Right-hand sides of the inequalities, shape ``(q,)``."""
        return self.exact.g.astype(np.float64)

    def contains(self, x: Array, tol: float = 0.0) -> bool:
        """Whether a point lies in the piece.

        Args:
            x: The point, shape ``(n,)``.
            tol: Distance, in units of the input, by which each row may be missed; 0 compares the stored
                numbers in rational arithmetic.

        Raises:
            ArgumentError: If ``x`` has another shape or entries that are not finite, or ``tol`` is negative.
        """
        point = to_tensor(x, "x").cpu().numpy()
        if point.shape != self.point.shape:
            raise ArgumentError(f"x: expected shape {self.point.shape}, got {point.shape}")
        if not tol >= 0:
            raise ArgumentError(f"tol: expected a number of at least 0, got {tol!r}")
        if tol == 0:
            return self.exact.contains([Fraction(v) for v in point.tolist()])
        equal = np.abs(self.E @ point - self.e) <= tol * np.linalg.norm(self.E, axis=1)
        below = self.G @ point - self.g <= tol * np.linalg.norm(self.G, axis=1)
        return bool(equal.all() and below.all())

    def vertices(self, window: tuple[Array, Array] | None = None) -> np.ndarray:
        """Return the corners of a piece in the plane, counterclockwise, shape ``(k, 2)``.

        Args:
            window: Lower and upper bounds ``(lo, hi)``, numbers or vectors, of the part that is wanted;
                needed where the piece is not bounded.

        Raises:
            ArgumentError: If the inputs do not lie in the plane, or a window is needed or bad.
        """
        return np.array(self._corners(window), dtype=np.float64).reshape(-1, 2)

    @cached_property
    def area(self) -> float:
        """Area of a piece in the plane, correctly rounded; infinite where it is not bounded.

        Raises:
            ArgumentError: If the inputs do not lie in the plane, or it is not proved whether it is bounded.
        """
        self._check_plane()
        if self.dimension < 2:
            return 0.0
        return math.inf if self._unbounded() else float(area(self._corners(None)))

    @cached_property
    def length(self) -> float:
        """Length of a segment in the plane, infinite for a ray or line; 0 for pieces of other dimension.

        Raises:
            ArgumentError: As for `area`.
        """
        self._check_plane()
        if self.dimension != 1:
            return 0.0
        if self._unbounded():
            return math.inf
        first, last = self._corners(None)
        return math.hypot(*(float(b - a) for a, b in zip(first, last, strict=True)))

    def _unbounded(self) -> bool:
        if self.bounded is None:
            raise ArgumentError("it is not proved whether the piece is bounded")
        return not self.bounded

    def _check_plane(self) -> None:
        if len(self.point) != 2:
            raise ArgumentError(f"expected a piece in the plane, got one in {len(self.point)} dimensions")

    def _corners(self, window: tuple[Array, Array] | None) -> tuple[tuple[Fraction, ...], ...]:
        self._check_plane()
        if window is None:
            if not self.bounded:
                raise ArgumentError("window: expected (lo, hi), because the piece is not bounded")
            return self.exact.corners
        lo, hi = (np.broadcast_to(to_tensor(v, "window").cpu().numpy(), 2).tolist() for v in window)
        return self.exact.within([Fraction(v) for v in lo], [Fraction(v) for v in hi]).corners


@dataclass(frozen=True, eq=False)
class NetworkPreimage:
    """All inputs of a domain for which a network has one output: the union of closed polyhedra.

    No piece lies in another. Two pieces meet at most in faces of both, so that areas and lengths add up.

    Attributes:
        pieces: The polyhedra.
        complete: Whether they are proved to be all; otherwise they are a subset, and ``reason`` says why.
        dimension: Largest dimension of a piece, -1 where there is none.
        kind: Singleton, bounded or unbounded, as a union; undecided where the missing pieces could change it.
        n_programs: Number of linear programs.
        reason: Why, in a sentence.
        evidence: How strong the proof is.
    """

    pieces: tuple[Piece, ...]
    complete: bool
    dimension: int
    kind: Kind
    n_programs: int
    reason: str
    evidence: Evidence

    def contains(self, x: Array, tol: float = 0.0) -> bool:
        """Whether a point lies in one of the pieces; see `Piece.contains`."""
        return any(piece.contains(x, tol) for piece in self.pieces)

    def volume(self) -> float:
        """Area in the plane: the sum over the pieces of dimension 2.

        Raises:
            ArgumentError: If the inputs do not lie in the plane.
        """
        return math.fsum(piece.area for piece in self.pieces)

    def length(self) -> float:
        """Total length of the pieces of dimension 1 in the plane.

        Raises:
            ArgumentError: If the inputs do not lie in the plane.
        """
        return math.fsum(piece.length for piece in self.pieces)

    @property
    def isolated(self) -> np.ndarray:
        """The pieces that are single points, shape ``(k, n)``."""
        points = [piece.point for piece in self.pieces if piece.dimension == 0]
        return np.array(points).reshape(len(points), len(self.pieces[0].point) if self.pieces else 0)
