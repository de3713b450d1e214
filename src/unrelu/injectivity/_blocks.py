"""Blocks of rows and columns that can be decided alone (Puthawala et al. 2022, domain decomposition).

If rows use only some columns, and on those the layer that they make is injective, they span these columns at
every input. Where the columns of all such blocks cover R^n, the layer is injective.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from unrelu.certificates import DomainRecord
from unrelu.certificates.injective import bounds

if TYPE_CHECKING:
    from unrelu.certificates import LayerRecord

_MOST_WINDOWS = 60_000


class Place(NamedTuple):
    """Where a block stands.

    Attributes:
        rows: Row numbers, ascending.
        columns: All columns that they use, ascending, and maybe others.
    """

    rows: np.ndarray
    columns: np.ndarray


def components(layer: LayerRecord) -> list[Place]:
    """Return the connected components of the graph that joins each row to the columns that it uses.

    A layer is the direct sum of its components: it is injective if and only if each of them is, on R^n, the
    orthant and boxes. Zero rows belong to none.
    """
    pattern = _pattern(layer)
    graph = sp.block_array([[None, pattern], [pattern.T, None]], format="csr")
    count, label = connected_components(graph, directed=False)
    rows, columns = (_grouped(part, count) for part in (label[: layer.m], label[layer.m :]))
    return [Place(r, c) for r, c in zip(rows, columns, strict=True) if len(c)]


def windows(layer: LayerRecord) -> Iterator[list[Place]]:
    """Yield sets of windows, each with rows that use no other columns.

    First the columns of single rows with the rows that use them all, for a convolution the fields of view of
    single outputs; then with all rows inside, at a padded border more; then the smallest unions of two that
    overlap.
    """
    pattern, lengths = _pattern(layer), np.diff(layer.starts)
    columns = _maximal(_distinct(pattern[lengths > 0]))
    for larger in (False, True):
        columns = _unions(columns) if larger else columns
        if not 1 < columns.shape[0] <= _MOST_WINDOWS:
            return
        common = (pattern @ columns.T).tocsc()
        inside = common.data == lengths[common.indices]
        full = inside & (common.data == np.repeat(np.diff(columns.indptr), np.diff(common.indptr)))
        if not larger and (full < inside).any():
            yield _places(columns, common, full)
        yield _places(columns, common, inside)


def _places(columns: sp.csr_array, common: sp.csc_array, chosen: np.ndarray) -> list[Place]:
    """Return each window with those rows that have something in common with it and are chosen."""
    places = []
    for k in range(columns.shape[0]):
        part = slice(common.indptr[k], common.indptr[k + 1])
        rows = np.sort(common.indices[part][chosen[part]]).astype(np.int64)
        used = np.sort(columns.indices[columns.indptr[k] : columns.indptr[k + 1]]).astype(np.int64)
        places.append(Place(rows, used))
    return places


def restricted(domain: DomainRecord, columns: np.ndarray) -> DomainRecord | None:
    """Return the projection of a box, the orthant, R^n or a ball to some columns; ``None`` for others."""
    if domain.center is not None:
        return DomainRecord("ball", len(columns), center=domain.center[columns], radius=domain.radius)
    known = bounds(domain)
    if known is None:
        return None
    if domain.kind == "box":
        return DomainRecord("box", len(columns), *(bound[columns] for bound in known))
    return DomainRecord(domain.kind, len(columns))


def _pattern(layer: LayerRecord) -> sp.csr_array:
    ones = np.ones(len(layer.values), dtype=np.int32)
    return sp.csr_array((ones, layer.columns, layer.starts), (layer.m, layer.n))


def _grouped(label: np.ndarray, count: int) -> list[np.ndarray]:
    order = np.argsort(label, kind="stable")
    return np.split(order, np.cumsum(np.bincount(label, minlength=count))[:-1])


def _distinct(pattern: sp.csr_array) -> sp.csr_array:
    """Return each set of columns once."""
    ordered = sp.csr_array(pattern)
    ordered.sort_indices()
    keys = [
        ordered.indices[ordered.indptr[i] : ordered.indptr[i + 1]].tobytes() for i in range(ordered.shape[0])
    ]
    first = sorted({key: i for i, key in reversed(list(enumerate(keys)))}.values())
    return ordered[np.array(first, dtype=np.int64)]


def _maximal(columns: sp.csr_array) -> sp.csr_array:
    """Return the sets that lie in no other one; the sets are distinct."""
    sizes = np.diff(columns.indptr)
    common = (columns @ columns.T).tocoo()
    i, j = common.coords
    inside = (common.data == sizes[i]) & (i != j)
    return columns[np.setdiff1d(np.arange(len(sizes)), i[inside])]


def _unions(columns: sp.csr_array) -> sp.csr_array:
    """Return the smallest unions of two sets that overlap."""
    sizes = np.diff(columns.indptr)
    common = (columns @ columns.T).tocoo()
    i, j = common.coords
    union = sizes[i] + sizes[j] - common.data
    apart = i < j
    least = union[apart].min(initial=columns.shape[1])
    chosen = apart & (union == least)
    both = columns[i[chosen]] + columns[j[chosen]]
    both.data[:] = 1
    return _distinct(both)
