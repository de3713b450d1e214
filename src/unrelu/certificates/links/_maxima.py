"""Verification of maxima beside what tells the entries apart, by exact elimination."""

from __future__ import annotations

import flint
import numpy as np

from unrelu.certificates._rank import components, split
from unrelu.certificates._rows import Rows, integer_rows
from unrelu.certificates._verification import require
from unrelu.certificates.links._alone import rows_alone
from unrelu.certificates.links._proofs import MaximaProof
from unrelu.certificates.links._record import LinkRecord
from unrelu.certificates.links._step import LinkStep

_MOST_UNKNOWNS = 2_000  # of a component, for the elimination


def check_maxima(proof: MaximaProof, link: LinkRecord) -> str:
    """Check every component, equal ones once.

    Raises:
        NotProvedError: Naming the first component that may hide a difference.
    """
    require(link.last.kind == "affine", f"the last step is {link.last.kind!r}, not affine")
    sources = [k for k, s in enumerate(link.steps, start=1) if s.kind == "maximum" and s.inputs == (0,)]
    require(bool(sources), "no step takes maxima of the link's input")
    rows, gaps = _unknowns(link, sources)
    label = components(rows.above(gaps))
    rows = rows.take(np.flatnonzero(np.diff(rows.starts)))
    of_row, of_gap = (label[part.columns[part.starts[:-1]]] for part in (rows, gaps))
    pairs = zip(split(rows, label, of_row), split(gaps, label, of_gap), strict=True)
    known: set[tuple[object, ...]] = set()
    for first, (own, apart) in zip(np.unique(label).tolist(), pairs, strict=True):
        key = (own.n, *_key(own), *_key(apart))
        if key not in known:
            within = own.n <= _MOST_UNKNOWNS
            require(within, f"{own.n} unknowns are connected, more than {_MOST_UNKNOWNS}")
            require(_vanishes(own, apart), f"what is connected to entry {first} may hide behind a maximum")
            known.add(key)
    return "maxima beside differences"


def _unknowns(link: LinkRecord, sources: list[int]) -> tuple[Rows, Rows]:
    """Return the rows that vanish at ``(d, mu)``, and ``l_i(d) - mu_k`` for every ``i`` of every group."""
    columns = link.columns(len(link.steps))
    kept = link.last.map.rows.take(rows_alone(link, 0, *sources))
    starts = link.n + np.cumsum([0, *(link.sizes[k] for k in sources)])
    size = int(starts[-1])
    gaps = Rows(size, np.zeros(1, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0))
    place = np.full(kept.n, -1)
    for source, start in zip([0, *sources], [0, *starts.tolist()], strict=False):
        if source in columns:
            place[columns[source]] = np.arange(start, start + link.sizes[source])
        if source:
            gaps = gaps.above(_gaps(link.steps[source - 1], start, size))
    return Rows(size, kept.starts, place[kept.columns], kept.values), gaps


def _gaps(step: LinkStep, start: int, size: int) -> Rows:
    """Return ``l_i(d) - mu_k`` of one step, whose maxima are the unknowns from ``start`` on."""
    groups = np.zeros((0, 1), dtype=np.int64) if step.groups is None else step.groups
    functions = step.map.rows.take(groups.ravel())
    ends, maxima = functions.starts[1:], start + np.repeat(np.arange(len(groups)), groups.shape[1])
    return Rows(
        size,
        functions.starts + np.arange(functions.m + 1),
        np.insert(functions.columns, ends, maxima),
        np.insert(functions.values, ends, -1.0),
    )


def _vanishes(rows: Rows, gaps: Rows) -> bool:
    """Say whether no ``(d, mu)`` but 0 is possible."""
    whole = integer_rows(rows).dense() or [[0] * rows.n]
    reduced, _, rank = flint.fmpz_mat(whole).rref()
    return rank == rows.n or (rank == rows.n - 1 and _shows(_kernel(reduced, rank), gaps))


def _kernel(reduced: flint.fmpz_mat, rank: int) -> list[int]:
    """Return whole numbers that span the kernel of a reduced matrix of a rank one less than its columns."""
    pivots = [next(j for j in range(i, rank + 1) if reduced[i, j]) for i in range(rank)]
    (free,) = set(range(rank + 1)) - set(pivots)
    vector = [0] * (rank + 1)
    vector[free] = int(reduced[0, pivots[0]]) if pivots else 1
    for i, j in enumerate(pivots):
        vector[j] = -int(reduced[i, free])
    return vector


def _shows(vector: list[int], gaps: Rows) -> bool:
    """Say whether some maximum changes by more, or by less, than all functions of its group."""
    signs = np.array([(v > 0) - (v < 0) for v in integer_rows(gaps).times(vector)], dtype=np.int64)
    maxima = gaps.columns[gaps.starts[1:] - 1]
    return any(abs(int(signs[maxima == k].sum())) == int((maxima == k).sum()) for k in np.unique(maxima))


def _key(rows: Rows) -> tuple[bytes, ...]:
    return rows.starts.tobytes(), rows.columns.tobytes(), rows.values.tobytes()
