"""Verification that a normalisation loses no more than means (Puthawala et al. 2022, Definition 3)."""

from __future__ import annotations

import flint
import numpy as np

from unrelu.certificates._rank import components, proved_rank
from unrelu.certificates._rows import Rows, modulo
from unrelu.certificates._span import PRIME
from unrelu.certificates._verification import NotProvedError, require
from unrelu.certificates.links._alone import part_alone
from unrelu.certificates.links._proofs import NormalisationProof
from unrelu.certificates.links._record import LinkRecord
from unrelu.certificates.links._step import NormRecord

_MOST_ENTRIES = 1 << 25  # of a dense matrix


def check_normalisation(proof: NormalisationProof, link: LinkRecord) -> str:
    """Check that the last step tells the normalised entries, and that nothing but these is lost.

    Raises:
        NotProvedError: If it does not prove its statement.
    """
    number, given = proof.step, proof.given
    require(1 <= number <= len(link.steps), f"there is no step {number}")
    step = link.steps[number - 1]
    norm = step.norm
    if norm is None:
        raise NotProvedError(f"step {number} is {step.kind!r}, no normalisation")
    require(step.inputs == (0,), f"step {number} reads more than the link's input")
    require(bool((norm.gain != 0).all()), "entries with a gain of 0 are lost")
    require(norm.eps > 0 or given == "statistics", "with eps = 0 the scale is lost")
    require(norm.centred or given != "means", "a normalisation without centring has no means")
    alone = Rows(link.n, np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    if number < len(link.steps):
        require(link.last.kind == "affine", f"the last step is {link.last.kind!r}, not affine")
        rank = proved_rank(part_alone(link, number))
        require(rank == step.size, f"normalised entries: proved to be told {rank} of {step.size}")
        alone = part_alone(link, 0)
    inner = link.part(number, 0)
    if norm.centred and given == "nothing":
        _check_means(alone, inner, norm)
        return "normalisations beside means"
    rank = proved_rank(alone.above(inner))
    require(rank == link.n, f"what is normalised was proved to have rank {rank}, not {link.n}")
    return "normalisations" if given == "nothing" else f"normalisations with {given} given"


def _check_means(alone: Rows, inner: Rows, norm: NormRecord) -> None:
    """Check that rows tell the vectors on which the normalised entries of every group agree."""
    plain = bool((np.diff(inner.starts) == 1).all() and (inner.values == 1).all())
    alone = alone.take(np.flatnonzero(np.diff(alone.starts)))
    rows = _merged(alone, inner.columns, norm.count) if plain else _stacked(alone, inner, norm.count)
    count, left = rows.shape
    rank = int(flint.nmod_mat(count, left, rows.ravel().tolist(), PRIME).rank()) if count else 0
    require(rank == left, f"of {left} unknowns that the normalisation leaves, {rank} were proved to be told")


def _merged(alone: Rows, columns: np.ndarray, count: int) -> np.ndarray:
    """Return rows modulo a prime, with one column for all entries that are equal; entries are only moved."""
    ties = Rows(alone.n, np.arange(0, len(columns) + 1, count), columns, np.ones(len(columns)))
    label, place = np.unique(components(ties), return_inverse=True)
    out = _zeros(alone.m, len(label))
    np.add.at(out, (alone.numbers, place[alone.columns]), modulo(alone.values, PRIME))
    return out % PRIME


def _stacked(alone: Rows, inner: Rows, count: int) -> np.ndarray:
    """Return rows modulo a prime, and below the differences of rows of each group."""
    both = alone.above(inner)
    out = _zeros(both.m, both.n)
    out[both.numbers, both.columns] = modulo(both.values, PRIME)
    grouped = out[alone.m :].reshape(-1, count, both.n)
    apart = (grouped[:, 1:] - grouped[:, :1]) % PRIME
    return np.concatenate([out[: alone.m], apart.reshape(-1, both.n)])


def _zeros(m: int, n: int) -> np.ndarray:
    require(m * n <= _MOST_ENTRIES, f"a matrix of shape ({m}, {n}) is too large")
    return np.zeros((m, n), dtype=np.int64)
