"""Solving for outputs whose active rows differ little from a set they share, in one thread.

One factor for the shared rows; each output pays only for the rows by which it differs. What is not certified
this way is left to the direct solver.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from unrelu.frames._factor import lanczos_start, smallest_eigenvalues
from unrelu.frames._nearby import neighbourhood, pack
from unrelu.frames._sharing import clusters
from unrelu.inverse._refinement import expected_errors, refined
from unrelu.inverse._solutions import Method, Solutions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from unrelu.frames import DenseFrame
    from unrelu.frames._nearby import Correction, Neighbourhood

_CLUSTER = 200  # outputs to a shared set, about
_SHARED = 0.45  # share of the outputs that a row of the shared set is active in, at least
_PART_BYTES = 64 << 20  # of corrections held at a time
_STEPS = 6  # of Lanczos: what is left is a few per cent of the smallest singular value
_PRODUCT_BYTES = 256 << 20  # of the products of all halves
_COLUMNS = 128  # below, a factor of its own costs hardly more than the calls
_SPARE = 1.03  # rows kept of the shared set, in units of n, that make a proof likely
_GAIN = 0.8  # share of the direct work that the work by corrections may take
_SLOWNESS = 2.0  # of small matrices, of which corrections are made


@dataclass(frozen=True)
class Cluster:
    """Outputs near one set of rows.

    Attributes:
        shared: The set, boolean, shape ``(m,)``.
        members: Numbers of the outputs.
    """

    shared: np.ndarray
    members: np.ndarray


def worthwhile_clusters(frame: DenseFrame, masks: np.ndarray) -> Iterator[Cluster]:
    """Yield groups of outputs for which one factor with corrections costs less than a factor each.

    Args:
        frame: The rows.
        masks: Active rows, one output a row, boolean, shape ``(outputs, m)``.
    """
    m, n = frame.m, frame.n
    if n < _COLUMNS or frame.max_rank < n or 8 * m**2 > _PRODUCT_BYTES:
        return
    enough = np.flatnonzero(masks.sum(axis=1) >= _SPARE * n)
    for label in clusters(masks[enough], max(1, round(len(enough) / _CLUSTER))) if len(enough) else ():
        members = enough[label]
        shared = masks[members].mean(axis=0) > _SHARED
        kept = (masks[members] & shared).sum(axis=1)
        active = masks[members].sum(axis=1)
        differing = (shared.sum() - kept) + (active - kept)
        direct = 0.6 * active * n**2 + n**3 / 3
        corrected = _SLOWNESS * differing**3.0 / 3
        good = (kept >= _SPARE * n) & (corrected < direct)
        once = shared.sum() * n**2 + n**3 + m * n**2 + m**2 * n
        if once + corrected[good].sum() < _GAIN * direct[good].sum():
            yield Cluster(shared, members[good])


def solve_nearby(
    frame: DenseFrame, cluster: Cluster, masks: np.ndarray, targets: np.ndarray, std: np.ndarray | None
) -> tuple[np.ndarray, Solutions]:
    """Solve ``W_I x = target_I`` in the least-squares sense, for the members of a cluster.

    Args:
        frame: The rows of ``W``.
        cluster: The cluster.
        masks: Which rows are in ``I``, a member a row.
        targets: Right-hand sides, 0 outside ``I``.
        std: Standard deviations of their errors, likewise.

    Returns:
        Which members were solved, by position, and their solutions.
    """
    around = neighbourhood(frame, cluster.shared)
    done = np.zeros(len(masks), dtype=bool)
    out = Solutions.blank(len(masks), frame.n)
    if around is None:
        return np.flatnonzero(done), Solutions.blank(0, frame.n)
    differing = float(np.square((masks ^ cluster.shared).sum(axis=1)).mean())
    size = max(1, int(_PART_BYTES / (4 * differing + 1)))
    for start in range(0, len(masks), size):
        found = [around.correction(mask) for mask in masks[start : start + size]]
        corrections = [correction for correction in found if correction is not None]
        part = start + np.array(
            [k for k, correction in enumerate(found) if correction is not None], dtype=int
        )
        if len(part):
            some = std if std is None else std[part]
            settled, solved = _solve_part(frame, around, corrections, masks[part], targets[part], some)
            out.put(part, solved)
            done[part] = settled
    index = np.flatnonzero(done)
    return index, out.taken(index)


def _solve_part(
    frame: DenseFrame,
    around: Neighbourhood,
    corrections: list[Correction],
    masks: np.ndarray,
    targets: np.ndarray,
    std: np.ndarray | None,
) -> tuple[np.ndarray, Solutions]:
    out = Solutions.blank(len(masks), frame.n)
    packed = pack(corrections)

    def step(rest: np.ndarray, going: np.ndarray) -> np.ndarray:
        return around.solve(packed, frame.adjoint(rest)) * going[:, None]

    everything = np.ones(len(masks), dtype=bool)
    out.x, settled = refined(step, frame.apply, masks, targets, everything.copy(), frame.n)
    if std is not None:
        out.expected = expected_errors(step, std, everything)
    eigenvalues = smallest_eigenvalues(
        lambda v: around.solve(packed, v), lanczos_start(len(masks), frame.n), _STEPS
    )
    out.smallest = np.sqrt(eigenvalues.clip(min=0))
    out.condition = frame.largest_singular_values(masks) / out.smallest
    out.unique = settled & (frame.used == frame.n)
    out.method[:] = Method.CHOLESKY
    return settled, out
