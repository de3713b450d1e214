"""Whether a certificate proves the kind and the dimension of a preimage (Behrmann et al. 2018, Theorem 4)."""

from __future__ import annotations

import numpy as np

from unrelu.certificates._affine import AffineRows
from unrelu.certificates._cone_check import ConeRows
from unrelu.certificates._cone_proof import ConeProof
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._preimage_certificate import PreimageCertificate
from unrelu.certificates._span import rank_modulo_prime
from unrelu.certificates._verification import Proved, require
from unrelu.certificates._verify_output import OutputSystem


def verify_preimage(certificate: PreimageCertificate, layer: LayerRecord) -> Proved:
    """Check a certificate.

    Args:
        certificate: Of the right shapes.
        layer: The layer's numbers.

    Returns:
        How far the proof goes.

    Raises:
        NotProvedError: If it does not prove its statement.
    """
    rows = AffineRows(layer, certificate.domain)
    signs, rounded = _signs(certificate, rows)
    if signs is None:
        return Proved(exact=True, reason="multipliers contradict the output (Farkas)")
    reason = _Point(rows, signs).check(certificate)
    return Proved(not rounded, f"{reason}; y is an output up to rounding" if rounded else reason)


def _signs(certificate: PreimageCertificate, rows: AffineRows) -> tuple[np.ndarray | None, bool]:
    """Return the signs of all rows at a point with the output, and whether it has it up to rounding only."""
    if certificate.x is not None:
        require(certificate.kind != "empty", "x itself has its output")
        signs = rows.signs(certificate.x)
        require(bool((signs[rows.m :] <= 0).all()), "x lies outside the domain")
        return signs, False
    y, proof = np.asarray(certificate.y), certificate.output
    require(bool((y >= 0).all()), "y has negative entries")
    system = OutputSystem(rows, y)
    if proof is None:
        require(False, "nothing is said of whether y is an output")
        return None, False
    system.check_rows(proof)
    if certificate.kind == "empty":
        require(certificate.dimension == -1, "an empty preimage has dimension -1")
        require(system.is_empty(proof), "output: the multipliers do not prove that y is no output")
        return None, False
    found = system.signs(proof)
    return found.signs, found.rounded


class _Point:
    """All rows with their signs at a point."""

    def __init__(self, rows: AffineRows, signs: np.ndarray) -> None:
        self._rows, self._cone = rows, ConeRows(rows.linear)
        self._active, self._zero = np.flatnonzero(signs > 0), np.flatnonzero(signs == 0)
        self._others = np.flatnonzero(signs <= 0)

    def check(self, certificate: PreimageCertificate) -> str:
        """Return how the statement is proved.

        Raises:
            NotProvedError: If it is not.
        """
        if certificate.spanning is not None:
            return self._spanning(certificate, certificate.spanning)
        claim, dimension = certificate.kind, certificate.dimension
        lower, upper = self._bounds("tangent", certificate.tangent, self._zero)
        if claim == "singleton":
            require(dimension == 0 and upper == 0, "tangent: the dimension was not proved to be 0")
            return "rows at 0 leave no direction to go"
        require(dimension == -1 or lower == dimension == upper, f"tangent: {_shown(lower, upper)}")
        least, most = self._bounds("recession", certificate.recession, self._others)
        if claim == "bounded":
            require(lower > 0, "tangent: more than one point was not proved")
            require(most == 0, f"recession: {_shown(least, most)}, where 0 is claimed")
            return "rows combine to 0 so that no direction leads to infinity"
        require(least > 0, "recession: no direction was proved to lead to infinity")
        return "a direction leads to infinity"

    def _spanning(self, certificate: PreimageCertificate, spanning: np.ndarray) -> str:
        require((certificate.kind, certificate.dimension) == ("singleton", 0), "rows that span: a singleton")
        require(set(spanning) <= set(self._active), "spanning: a row is not strictly active")
        full = rank_modulo_prime(self._rows.linear.take(spanning)) == self._rows.n
        require(full, "spanning: the rows were not proved to span")
        return "strictly active rows span R^n"

    def _bounds(self, name: str, proof: ConeProof | None, allowed: np.ndarray) -> tuple[int, int]:
        """Return proved bounds of the dimension of a cone, which must agree with what its proof states."""
        if proof is None:
            require(False, f"{name}: no proof")
            return 0, self._rows.n
        require(set(proof.equalities) <= set(self._active), f"{name}: an equality is not strictly active")
        require(set(proof.inequalities) <= set(allowed), f"{name}: an inequality is none of the cone's")
        require(set(proof.implied) <= set(proof.inequalities), f"{name}: an implied row is no inequality")
        zero = np.concatenate([self._active, proof.implied])
        strict = np.setdiff1d(allowed, proof.implied)
        lower = self._cone.lower(zero, strict, proof.direction)
        upper = self._cone.upper(proof.equalities, proof.implied, proof.multipliers)
        stated = proof.dimension
        require(
            stated == -1 or (upper == stated and stated in {0, lower}),
            f"{name}: {_shown(lower, upper)}, where {stated} is stated",
        )
        return lower, upper


def _shown(lower: int, upper: int) -> str:
    return f"a dimension of {lower} to {upper} was proved"
