"""Whether another input has the same output: nearly, or exactly within a proved distance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from unrelu.certificates._affine import AffineRows, quotients, signs_of
from unrelu.certificates._collision_certificates import CollisionCertificate, NetworkCollisionCertificate
from unrelu.certificates._domain_record import DomainRecord
from unrelu.certificates._fields import refuse, vector
from unrelu.certificates._forward import forward
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import integer_rows, whole
from unrelu.certificates._span import Moved, Span
from unrelu.certificates._two_inputs import require_two_inputs
from unrelu.certificates._verification import NotProvedError, Proved, require
from unrelu.errors import ArgumentError


def verify_collision(certificate: CollisionCertificate, layer: LayerRecord) -> Proved:
    """Check a certificate; see `verify_preimage`.

    Raises:
        NotProvedError: If it does not prove its statement.
    """
    pair = Pair(AffineRows(layer, certificate.domain), certificate.x, certificate.other)
    difference = pair.difference()
    require(difference <= Fraction(certificate.difference), f"the outputs differ by {_shown(difference)}")
    if not math.isfinite(certificate.radius):
        return Proved(exact=False, reason="outputs were compared exactly; no exact collision is claimed")
    square = pair.exact_collision()
    require(square <= Fraction(certificate.radius) ** 2, f"a radius of {_shown(square, root=True)} is proved")
    return Proved(exact=True, reason="a correction of `other` meets the equations exactly")


def verify_network_collision(
    certificate: NetworkCollisionCertificate, layers: list[LayerRecord], last: LayerRecord | None
) -> Proved:
    """Check a certificate; see `verify_preimage`.

    Raises:
        NotProvedError: If it does not prove its statement.
    """
    x, other = certificate.x, certificate.other
    require_two_inputs(certificate.domain, x, other)
    pairs = zip(forward(layers, last, x), forward(layers, last, other), strict=True)
    difference = max((abs(p - q) for p, q in pairs), default=Fraction(0))
    require(difference <= Fraction(certificate.difference), f"the outputs differ by {_shown(difference)}")
    return Proved(exact=True, reason="both outputs were computed exactly")


@dataclass(frozen=True, eq=False)
class Pair:
    """Two inputs of a layer in a domain.

    Attributes:
        rows: The rows of layer and domain.
        x: The one input.
        other: The other.
    """

    rows: AffineRows
    x: np.ndarray
    other: np.ndarray

    def difference(self) -> Fraction:
        """Return the largest difference of the outputs, exactly.

        Raises:
            NotProvedError: If the inputs are the same, or one lies outside the domain.
        """
        require(bool((self.x != self.other).any()), "x and other are the same point")
        m, common = self.rows.m, self._points[2]
        for name, values in zip(("x", "other"), self._values, strict=True):
            require(all(v <= 0 for v in values[m:]), f"{name} lies outside the domain")
        first, second = (quotients(self.rows.layer, values[:m], common) for values in self._values)
        zero = Fraction(0)
        pairs = zip(first, second, strict=True)
        return max((abs(max(p, zero) - max(q, zero)) for p, q in pairs), default=zero)

    def exact_collision(self) -> Fraction:
        """Return a bound of the squared distance from ``other`` to an exact collision.

        The correction changes only entries in which the two inputs differ. Rows that could become positive
        are made 0: they keep their value where that is 0 at ``x``.

        Raises:
            NotProvedError: If none was proved to exist.
        """
        at_x, at_other = self._signs
        touched = self._touched
        equal = touched & ((at_x > 0) | ((at_x == 0) & (at_other == 0)))
        held = touched & (at_x < 0) & (at_other == 0)
        for _ in range(3):
            moved = self._moved(equal, held)
            rest = np.flatnonzero(touched & (at_x <= 0) & ~equal & ~held)
            failed = rest[~np.array(moved.negative(self.rows.chosen(rest)), dtype=bool)]
            if not len(failed):
                return self._distance(moved)
            equal[failed[at_x[failed] == 0]] = True
            held[failed[at_x[failed] < 0]] = True
        raise NotProvedError("inactive rows or the domain's may become positive")

    @cached_property
    def _support(self) -> np.ndarray:
        return np.flatnonzero(self.x != self.other)

    @property
    def _touched(self) -> np.ndarray:
        """Which rows have an entry where the inputs differ."""
        linear = self.rows.linear
        differs = self.x != self.other
        counts = np.concatenate([[0], np.cumsum(differs[linear.columns])])
        return np.asarray(counts[linear.starts[1:]] > counts[linear.starts[:-1]])

    @cached_property
    def _points(self) -> tuple[list[int], list[int], int]:
        """Both inputs as integers, and their common denominator."""
        values, common = whole([*self.x.tolist(), *self.other.tolist()])
        return values[: self.rows.n], values[self.rows.n :], common

    @cached_property
    def _values(self) -> tuple[list[int], list[int]]:
        """All rows at both inputs, times positive numbers."""
        x, other, common = self._points
        return self.rows.times([*x, common]), self.rows.times([*other, common])

    @cached_property
    def _signs(self) -> tuple[np.ndarray, np.ndarray]:
        return signs_of(self._values[0]), signs_of(self._values[1])

    def _moved(self, equal: np.ndarray, held: np.ndarray) -> Moved:
        """Move ``other`` so that rows have the values they have at ``x``, and others are 0."""
        x, other, common = self._points
        linear = self.rows.linear
        lengths = np.diff(linear.starts)
        alone = held & (lengths == 1) & (self._signs[1] == 0)
        free = np.setdiff1d(self._support, linear.take(np.flatnonzero(alone)).columns)
        border = np.flatnonzero(held & ~alone)
        index = np.concatenate([np.flatnonzero(equal), border])
        rows = linear.take(index).beside(self.rows.offsets[index])
        span = Span(rows, integer_rows(rows), free)
        if len(span.basis) < rows.m:
            # Without full rank, the residuals must be known to be in the range of the columns left.
            before = Span(rows, span.whole, self._support)
            solvable = not len(border) and before.rank == span.rank and before.rank_is_exact
            require(solvable, "dependent equations were not proved to have a solution")
        residuals = span.whole.times([*(q - p for p, q in zip(x, other, strict=True)), 0])
        residuals[rows.m - len(border) :] = span.whole.times([*other, common])[rows.m - len(border) :]
        moved = span.meet([*other, common], residuals)
        if moved is None:
            raise NotProvedError("no exact solution of the equations was proved to be near")
        return moved

    def _distance(self, moved: Moved) -> Fraction:
        """Return a bound of the squared distance from ``other`` to the moved point, which is not ``x``."""
        x, other, common = self._points
        steps = [moved.residual * s for s in moved.steps]
        triples = zip(x, moved.vector, steps, strict=False)
        apart = any(abs(v - p * moved.factor) * moved.scale > s for p, v, s in triples)
        require(apart, "the exact collision was not proved to be another point than x")
        triples = zip(other, moved.vector, steps, strict=False)
        parts = [abs(v - q * moved.factor) * moved.scale + s for q, v, s in triples]
        return Fraction(sum(part * part for part in parts), (moved.scale * moved.factor * common) ** 2)


def certify_collision(
    layer: LayerRecord, domain: DomainRecord, x: np.ndarray, other: np.ndarray
) -> CollisionCertificate:
    """Return a certificate with the smallest claims that can be verified.

    Args:
        layer: The layer.
        domain: The domain.
        x: The one input, float64, shape ``(n,)``.
        other: The other one, with nearly the same output.

    Returns:
        The certificate; its radius is infinite where no exact collision near ``other`` was proved.

    Raises:
        ArgumentError: If the inputs are the same, one lies outside the domain, or shapes do not fit.

    Example:
        >>> import numpy as np
        >>> from unrelu.certificates import DomainRecord, LayerRecord, certify_collision
        >>> layer = LayerRecord.dense(np.array([[1.0, 1.0]]), np.zeros(1))
        >>> x, other = np.array([0.5, 0.25]), np.array([0.25, 0.5])
        >>> certificate = certify_collision(layer, DomainRecord("orthant", 2), x, other)
        >>> certificate.radius, certificate.difference
        (0.0, 0.0)
    """
    if domain.n != layer.n:
        refuse("domain.n", f"{layer.n}, as the layer says", f"{domain.n}")
    x, other = vector(x, "x", layer.n), vector(other, "other", layer.n)
    pair = Pair(AffineRows(layer, domain), x, other)
    try:
        difference = pair.difference()
    except NotProvedError as error:
        raise ArgumentError(f"x, other: {error}") from None
    try:
        radius = _above(pair.exact_collision(), root=True)
    except NotProvedError:
        radius = math.inf
    return CollisionCertificate(layer, domain, x, other, radius, _above(difference))


def _above(value: Fraction, *, root: bool = False) -> float:
    """Return the smallest float64, nearly, that is no smaller than a number, or than its square root."""
    try:
        found = _near_root(value) if root else float(value)
    except OverflowError:
        return math.inf
    while (Fraction(found) ** 2 if root else Fraction(found)) < value:
        found = math.nextafter(found, math.inf)
    return found


def _near_root(value: Fraction) -> float:
    """Return the square root of a number that may itself be out of float64's range."""
    halves = (value.denominator.bit_length() - value.numerator.bit_length()) // 2
    return math.ldexp(math.sqrt(value * Fraction(4) ** halves), -halves)


def _shown(value: Fraction, *, root: bool = False) -> str:
    return f"{_above(value, root=root):.3g}"
