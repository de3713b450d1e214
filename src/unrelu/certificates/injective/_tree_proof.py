"""Verification of injectivity proofs by a tree (Froese, Grillo, Skutella 2024)."""

from __future__ import annotations

from itertools import pairwise

import flint
import numpy as np

from unrelu.certificates._affine import AffineRows
from unrelu.certificates._injectivity import GRADES, InjectivityCertificate
from unrelu.certificates._layer_record import LayerRecord
from unrelu.certificates._rows import Rows
from unrelu.certificates._span import rank_modulo_prime
from unrelu.certificates._verification import NotProvedError, Proved, require
from unrelu.certificates.injective._leaves import LeafChecker
from unrelu.certificates.injective._residues import PRIME, modulo, residues_of
from unrelu.certificates.injective._rows import dense, whole_rows
from unrelu.certificates.injective._supports import check_supports, numbers_of
from unrelu.certificates.injective._tree import Leaf, Support, largest_load, replay


def verify_injective(certificate: InjectivityCertificate, layer: LayerRecord) -> Proved:
    """Check every support, and replay the tree.

    Args:
        certificate: The proof.
        layer: The layer's numbers.

    Returns:
        How it was proved that the layer is injective on the closed domain.

    Raises:
        NotProvedError: If the proof does not hold; the message says where.
    """
    require(
        certificate.domain.n == layer.n, f"the domain lies in R^{certificate.domain.n}, not in R^{layer.n}"
    )
    require(certificate.grade in GRADES, f"unknown grade {certificate.grade!r}")
    starts, rows, tree = (
        _integers(name, array)
        for name, array in (
            ("support_starts", certificate.support_starts),
            ("support_rows", certificate.support_rows),
            ("tree", certificate.tree),
        )
    )
    inner = _has_inner_point(certificate, layer)
    check_supports(
        layer, certificate.domain, starts, rows, certificate.support_weights, has_inner_point=inner
    )
    used = np.unique(numbers_of(rows))
    used = used[used < layer.m]
    matrix = dense(layer.rows.take(used))
    supports = _supports(starts, rows, used, layer.m)
    leaves = replay(tree.tolist(), supports, {row: 1 << k for k, row in enumerate(used.tolist())})
    if certificate.grade == GRADES[0]:
        checker = LeafChecker(matrix)
        for leaf in leaves:
            checker.add(leaf)
        checker.finish()
    else:
        _refuse_special_position(matrix, used)
        for leaf in leaves:
            _check_count(leaf, layer.n)
    reason = f"{len(supports)} positive dependencies and a tree of {len(tree)} entries were checked"
    return Proved(exact=True, reason=reason)


def _has_inner_point(certificate: InjectivityCertificate, layer: LayerRecord) -> bool:
    """Say whether the certificate names an inner point of the domain.

    Raises:
        NotProvedError: If it is none.
    """
    if certificate.inner is None:
        return False
    signs = AffineRows(layer, certificate.domain).signs(certificate.inner)
    require(bool((signs[layer.m :] < 0).all()), "inner: no inner point of the domain")
    return True


def _check_count(leaf: Leaf, n: int) -> None:
    """Check that more than n - 1 rows are weakly active at a leaf, at every point.

    Raises:
        NotProvedError: If there may be fewer.
    """
    if not all(leaf.choices):
        return
    load = max(1, largest_load(leaf.choices))
    count = leaf.chosen.bit_count() + -(-len(leaf.choices) // load)
    require(count >= n, f"tree position {leaf.position}: {count} rows at least, fewer than {n}")


def _integers(name: str, array: np.ndarray) -> np.ndarray:
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise NotProvedError(f"{name}: expected whole numbers, got {array.dtype} of shape {array.shape}")
    return array.astype(np.int64)


def _supports(starts: np.ndarray, rows: np.ndarray, used: np.ndarray, m: int) -> list[Support]:
    """Return the layer rows of each support as bits, numbered by their place in ``used``."""
    bits = [1 << k for k in np.searchsorted(used, numbers_of(rows)).tolist()]
    kinds = np.where(rows < 0, -1, rows < m).tolist()
    out = []
    for first, end in pairwise(starts.tolist()):
        sets = {-1: 0, 0: 0, 1: 0}
        for k in range(first, end):
            sets[kinds[k]] |= bits[k]
        out.append(Support(sets[1], sets[-1]))
    return out


def _refuse_special_position(matrix: np.ndarray, names: np.ndarray) -> None:
    """Refuse rows of which n are dependent for all to see: a zero row, parallel rows, too small a rank.

    Raises:
        NotProvedError: Naming the rows.
    """
    zero = np.flatnonzero(~matrix.any(axis=1))
    if len(zero):
        raise NotProvedError(f"not in general position: row {names[zero[0]]} is zero")
    n = matrix.shape[1]
    table = residues_of(matrix)
    if n > 1:
        for i, j in _maybe_parallel(table):
            if flint.fmpz_mat(whole_rows(matrix[[i, j]])).rank() < 2:
                raise NotProvedError(f"not in general position: rows {names[i]} and {names[j]} are parallel")
    if len(matrix) >= n and rank_modulo_prime(Rows.of(matrix)) < n:
        rank = flint.fmpz_mat(whole_rows(matrix)).rank()
        if rank < n:
            raise NotProvedError(f"not in general position: the rows have rank {rank}")


def _maybe_parallel(table: np.ndarray) -> list[tuple[int, int]]:
    """Return pairs of rows that are parallel modulo the prime; every parallel pair's rows are among them."""
    first = table[np.arange(len(table)), (table != 0).argmax(axis=1)]
    unit = modulo(table * _inverse(first)[:, None])
    _, group, count = np.unique(unit, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(group.ravel(), kind="stable")
    parts = np.split(order, np.cumsum(count)[:-1])
    return [(int(part[0]), int(k)) for part in parts for k in part[1:]]


def _inverse(values: np.ndarray) -> np.ndarray:
    """Return inverses modulo the prime (Fermat), 0 for 0."""
    out, power = np.ones_like(values), values.copy()
    for bit in range(PRIME.bit_length()):
        if (PRIME - 2) >> bit & 1:
            out = modulo(out * power)
        power = modulo(power * power)
    return out
