"""Rows and their negatives, found at once, and the blocks in which they span R^n (Puthawala et al. 2022).

A layer may be built of pairs ``[B; -B]`` of rows. Where ``B`` is large, as that of a convolution is, its rank
takes long; but where every input has an output position that weighs it most, as under a kernel with one large
tap, ``B`` is block diagonally dominant (Feingold and Varga 1962).
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from unrelu.certificates import DomainRecord, Dominance, LayerRecord, StructureCertificate, verify
from unrelu.certificates.injective import is_dominant, mirrored

if TYPE_CHECKING:
    from unrelu.certificates._rows import Rows

_FEW = 400  # columns up to which a rank is computed in a moment


def decide_by_mirrored_rows(layer: LayerRecord, domain: DomainRecord) -> StructureCertificate | None:
    """Prove injectivity by rows whose negatives are rows too, nothing else being looked at.

    Args:
        layer: The layer.
        domain: The domain.

    Returns:
        A certificate that has been verified, ``None`` where such rows are not proved to span R^n.
    """
    if layer.m < 2 * layer.n:
        return None
    pairs = mirrored_pairs(layer)
    if len(pairs) < layer.n:
        return None
    dominance = likely_blocks(layer.rows.take(pairs[:, 0]))
    if layer.n > _FEW and dominance is None:
        return None
    faces = () if domain.kind == "polytope" else None
    none = np.zeros(0, dtype=np.int64)
    found = StructureCertificate(layer, domain, pairs, none, (), faces, dominance)
    return found if verify(found).valid else None


def mirrored_pairs(layer: LayerRecord) -> np.ndarray:
    """Return disjoint pairs of rows ``(w, b)``, ``(-w, c)`` with ``b + c >= 0``.

    Rows are told apart by a random product, which is negated to the bit where all entries are. Of rows that
    stand there more than once not all are found.

    Args:
        layer: The layer.

    Returns:
        Row numbers, ascending by the first one, shape ``(k, 2)``.
    """
    weights = np.random.default_rng(0).standard_normal(layer.n)
    with np.errstate(over="ignore", invalid="ignore"):
        key = np.bincount(
            layer.rows.numbers, weights=layer.values * weights[layer.columns], minlength=layer.m
        )
    order = np.argsort(np.abs(key), kind="stable")
    opposite = (key[order[:-1]] == -key[order[1:]]) & (key[order[1:]] != 0)
    # Of three in a row only two make a pair.
    opposite[1:] &= ~opposite[:-1]
    pairs = np.sort(np.column_stack([order[:-1], order[1:]])[opposite], axis=1)
    pairs = pairs[mirrored(layer, pairs)]
    return pairs[np.argsort(pairs[:, 0])]


def dominant_blocks(lines: Rows) -> Dominance | None:
    """Return blocks under which lines are proved to be block diagonally dominant, ``None`` if none are found.

    Args:
        lines: Rows with the columns that are to be spanned.
    """
    found = likely_blocks(lines)
    return found if found is not None and is_dominant(lines, found) else None


def likely_blocks(lines: Rows) -> Dominance | None:
    """Guess blocks under which lines are block diagonally dominant, if their rank would take long.

    Lines with the same columns belong together, and each column to those that weigh it most.

    Args:
        lines: Rows with the columns that are to be spanned.

    Returns:
        The blocks, ``None`` where a column is used by no line, or columns are few.
    """
    if lines.n <= _FEW:
        return None
    limits = pairwise(lines.starts.tolist())
    numbers: dict[bytes, int] = {}
    group = np.array([numbers.setdefault(lines.columns[s:e].tobytes(), len(numbers)) for s, e in limits])
    joined = sp.csr_array((np.ones(len(group)), (group, np.arange(len(group)))))
    squares = sp.csr_array((lines.values**2, lines.columns, lines.starts), (lines.m, lines.n))
    weight = sp.coo_array(joined @ squares)
    row, column = weight.coords
    order = np.lexsort((weight.data, column))
    used, first = np.unique(column[order][::-1], return_index=True)
    if len(used) < lines.n:
        return None
    owner = row[order][::-1][first]
    owners, of_column = np.unique(owner, return_inverse=True)
    place = np.full(len(numbers), -1)
    place[owners] = np.arange(len(owners))
    return Dominance(place[group].astype(np.int64), of_column.astype(np.int64))
