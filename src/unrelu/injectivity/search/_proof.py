"""One proof from the parts of a walk, and what floating point has claimed in it, checked."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from unrelu.certificates import RANK_LEAF
from unrelu.certificates.injective._dependencies import positive_dependencies
from unrelu.frames._exact import exact_rank
from unrelu.injectivity.search._walk import Part, Walk

_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Proof:
    """A proof in the form of `InjectivityCertificate`.

    Attributes:
        starts: Where each support starts, int64, shape ``(s + 1,)``.
        rows: The rows of each support, ascending, int32.
        tree: The nodes, int32.
    """

    starts: np.ndarray
    rows: np.ndarray
    tree: np.ndarray


def proof_of(walk: Walk) -> Proof:
    """Put the parts together, supports numbered afresh and none twice."""
    parts = list(_in_order(walk.root))
    streams = [part.stream.copy() for part in parts]
    masks, numbers = _used_supports(walk, parts)
    for part, stream in zip(parts, streams, strict=True):
        named = stream >= 0
        stream[named] = numbers[part.worker][stream[named]]
    starts, rows = _members(masks)
    return Proof(starts, rows, np.concatenate(streams))


def _in_order(root: Part) -> Iterator[Part]:
    waiting = [root]
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(reversed(part.later))


def _used_supports(walk: Walk, parts: list[Part]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the supports that occur, as bits, and what the numbers of each pool become."""
    used = [np.zeros(len(state.pool), dtype=bool) for state in walk.states]
    for part in parts:
        used[part.worker][part.stream[part.stream >= 0]] = True
    masks = np.concatenate([state.pool[u] for state, u in zip(walk.states, used, strict=True)])
    unique, inverse = np.unique(masks, axis=0, return_inverse=True)
    numbers, position = [], 0
    for u in used:
        number = np.zeros(len(u), dtype=np.int32)
        count = int(u.sum())
        number[u] = inverse.reshape(-1)[position : position + count]
        numbers.append(number)
        position += count
    return unique, numbers


def _members(masks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return sets of rows, given as bits, as row numbers one after another."""
    lengths, rows = [np.zeros(1, dtype=np.int64)], [np.zeros(0, dtype=np.int32)]
    for start in range(0, len(masks), _AT_ONCE):
        words = np.ascontiguousarray(masks[start : start + _AT_ONCE]).astype("<u8")
        flags = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
        support, row = np.nonzero(flags)
        lengths.append(np.bincount(support, minlength=len(flags)))
        rows.append(row.astype(np.int32))
    return np.cumsum(np.concatenate(lengths)), np.concatenate(rows)


def supports_hold(stacked: np.ndarray, proof: Proof, jobs: int) -> bool:
    """Say whether every support has a positive dependency, true for the numbers as stored."""
    lengths = np.diff(proof.starts)
    parts: list[np.ndarray] = []
    for size in np.unique(lengths):
        chosen = np.flatnonzero(lengths == size)
        parts += np.array_split(chosen, -(-len(chosen) // _AT_ONCE))

    def hold(part: np.ndarray) -> bool:
        places = proof.starts[part][:, None] + np.arange(lengths[part[0]])
        return bool(positive_dependencies(stacked, proof.rows[places]).all())

    if jobs == 1 or len(parts) < 2:
        return all(map(hold, parts))
    with ThreadPoolExecutor(jobs) as threads:
        return all(threads.map(hold, parts))


def ranks_hold(rows: np.ndarray, proof: Proof) -> bool:
    """Say whether at every `RANK_LEAF` the rows ``Z`` span, or their span holds a row of ``N``, exactly."""
    known: dict[tuple[int, ...], int] = {}

    def rank(members: tuple[int, ...]) -> int:
        if members not in known:
            known[members] = exact_rank(rows[list(members)])
        return known[members]

    for chosen, excluded in _rank_leaves(proof, *rows.shape):
        if rank(chosen) < rows.shape[1] and not any(
            rank(tuple(sorted((*chosen, row)))) == rank(chosen) for row in reversed(excluded)
        ):
            return False
    return True


def _rank_leaves(proof: Proof, m: int, n: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Yield ``Z`` and ``N`` at every `RANK_LEAF`."""
    tree, starts = proof.tree.tolist(), proof.starts.tolist()
    if RANK_LEAF not in tree:
        return
    rows = proof.rows.tolist()
    supports = [[r for r in rows[a:b] if r < m] for a, b in pairwise(starts)]
    waiting: list[tuple[tuple[int, ...], tuple[int, ...]]] = [((), ())]
    position = 0
    while waiting:
        (chosen, excluded), token = waiting.pop(), tree[position]
        position += 1
        if token == RANK_LEAF:
            yield tuple(sorted(chosen)), excluded
        elif token < 0:
            position -= token
        else:
            free = [row for row in supports[token] if row not in excluded]
            children = [((*chosen, row), (*excluded, *free[:k])) for k, row in enumerate(free)]
            waiting += reversed(children)


def supports_tell(m: int, count: int, proof: Proof) -> bool:
    """Say whether every support has a row of the layer, or the last of the ``count`` rows.

    Others would say that the domain has no inner point.
    """
    if not len(proof.rows):
        return True
    telling = (proof.rows < m) | (proof.rows == count - 1)
    return bool(np.logical_or.reduceat(telling, proof.starts[:-1]).all())


def used_rows_span(rows: np.ndarray, proof: Proof) -> bool:
    """Say whether the rows of the layer that supports consist of have rank n, as n of them would have."""
    used = np.unique(proof.rows[proof.rows < len(rows)])
    return exact_rank(rows[used]) == rows.shape[1]
