"""Verification that a link changes its input less than the input itself (Behrmann et al. 2019, Theorem 1)."""

from __future__ import annotations

import math

import numpy as np

from unrelu.certificates._verification import NotProvedError, require
from unrelu.certificates.links._norms import Norms, inverses
from unrelu.certificates.links._proofs import ContractionProof
from unrelu.certificates.links._record import LinkRecord

_ABOVE = 1 + 1e-9  # of sums and products over what floating point makes of them
_LIMIT = 1 - 1e-9
_MOST_BLOCKS = 1_000_000


def check_contraction(proof: ContractionProof, link: LinkRecord) -> str:
    """Bound all norms, and the sum that has to be less than 1.

    Raises:
        NotProvedError: If it is not, or a step has no Lipschitz constant.
    """
    require(link.last.kind == "affine", f"the last step is {link.last.kind!r}, not affine")
    labels, norms, last = _labels(proof, link), Norms(), len(link.steps)
    constants = [1.0]
    for k in range(1, last):
        constants.append(_constant(link, k, labels, constants, norms))
    shortcut = link.part(last, 0), labels[-1], labels[0]
    left = inverses(*shortcut)
    total = norms.remainder(*shortcut, left)
    for k in range(1, last):
        total += norms.bound(link.part(last, k), labels[-1], labels[k], left) * constants[k]
    if not total * _ABOVE < _LIMIT:
        raise NotProvedError(f"the sum of norms was bounded by {total:.6g}, not by less than 1")
    return "contractions"


def _labels(proof: ContractionProof, link: LinkRecord) -> list[np.ndarray]:
    """Return the block of each entry of each activation."""
    if proof.blocks is None:
        return [np.zeros(size, dtype=np.int64) for size in link.sizes]
    labels = [np.asarray(part, dtype=np.int64) for part in proof.blocks]
    require(tuple(map(len, labels)) == link.sizes, "blocks: they speak of other numbers of entries")
    within = all(bool(((part >= 0) & (part < _MOST_BLOCKS)).all()) for part in labels)
    require(within, "blocks: a number is out of range")
    return labels


def _constant(
    link: LinkRecord, k: int, labels: list[np.ndarray], constants: list[float], norms: Norms
) -> float:
    """Return a bound of the Lipschitz constant of step ``k``."""
    step, total = link.steps[k - 1], 0.0
    slope = 1.0 if step.function is None else step.function.lipschitz
    lipschitz = step.kind in {"affine", "relu", "maximum", "entrywise"} and math.isfinite(slope)
    require(lipschitz, f"step {k} is {step.kind!r}, which has no Lipschitz constant here")
    for source in step.inputs:
        rows, of_row = link.part(k, source), labels[k]
        if step.groups is not None:
            rows, of_row = rows.take(step.groups.ravel()), np.repeat(of_row, step.groups.shape[1])
        total += norms.bound(rows, of_row, labels[source]) * constants[source]
    return total * slope
