"""One proof from the parts of a walk, and what floating point has claimed in it, checked."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from unrelu.certificates import RANK_LEAF
from unrelu.certificates.injective._dependencies import positive_dependencies
from unrelu.frames._exact import exact_rank
from unrelu.injectivity.search._explore import BRANCH
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
    masks, numbers = _used_supports(walk, parts)
    streams = [_as_written(part.stream, numbers[part.worker]) for part in parts]
    starts, rows = _members(masks)
    return Proof(starts, rows, np.concatenate(streams))


def _as_written(stream: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return a walk's stream as proofs write it, with new numbers of the supports."""
    branches = (stream <= BRANCH) & (stream != RANK_LEAF)
    out = np.where(branches, BRANCH - stream, stream)
    named = stream >= 0
    out[named] = numbers[stream[named]]
    return out


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
    """Return supports, given as bits, as row numbers one after another; ``-1 - i`` for a row of ``D``."""
    lengths, rows = [np.zeros(1, dtype=np.int64)], [np.zeros(0, dtype=np.int32)]
    for start in range(0, len(masks), _AT_ONCE):
        words = np.ascontiguousarray(masks[start : start + _AT_ONCE]).astype("<u8")
        flags = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
        support, row, minus = np.nonzero(flags.reshape(len(flags), 2, -1).transpose(0, 2, 1))
        lengths.append(np.bincount(support, minlength=len(flags)))
        rows.append(np.where(minus, -1 - row, row).astype(np.int32))
    return np.cumsum(np.concatenate(lengths)), np.concatenate(rows)


def supports_hold(stacked: np.ndarray, proof: Proof, jobs: int, deadline: float) -> bool | None:
    """Say whether every support has a positive dependency, true for the numbers as stored.

    Args:
        stacked: The homogenised rows.
        proof: The proof.
        jobs: Threads.
        deadline: On the clock `time.monotonic`.

    Returns:
        The answer; ``None`` when the time is up before it is known.
    """
    lengths = np.diff(proof.starts)
    parts: list[np.ndarray] = []
    for size in np.unique(lengths):
        chosen = np.flatnonzero(lengths == size)
        parts += np.array_split(chosen, -(-len(chosen) // _AT_ONCE))
    signed = np.concatenate([stacked, -stacked[::-1]])  # row -1 - i is minus row i

    def hold(part: np.ndarray) -> bool | None:
        if time.monotonic() > deadline:
            return None
        places = proof.starts[part][:, None] + np.arange(lengths[part[0]])
        return bool(positive_dependencies(signed, proof.rows[places]).all())

    if jobs == 1 or len(parts) < 2:
        return _all(map(hold, parts))
    threads = ThreadPoolExecutor(jobs)
    try:
        return _all(threads.map(hold, parts))
    finally:
        threads.shutdown(cancel_futures=True)


def _all(answers: Iterable[bool | None]) -> bool | None:
    """Return the first answer that is not true, or true."""
    return next((answer for answer in answers if not answer), True)


def ranks_hold(rows: np.ndarray, proof: Proof) -> bool:
    """Say whether at every `RANK_LEAF` the rows ``Z`` span R^n, exactly."""
    n = rows.shape[1]
    return all(exact_rank(rows[list(chosen)]) == n for chosen in _rank_leaves(proof))


def _rank_leaves(proof: Proof) -> set[tuple[int, ...]]:
    """Return what ``Z`` is at each `RANK_LEAF`."""
    tree = proof.tree.tolist()
    found: set[tuple[int, ...]] = set()
    if RANK_LEAF not in tree:
        return found
    waiting: list[tuple[int, ...]] = [()]
    position = 0
    while waiting:
        chosen, token = waiting.pop(), tree[position]
        position += 1
        if token >= 0:
            waiting += [chosen, (*chosen, token)]
        elif token == RANK_LEAF:
            found.add(tuple(sorted(chosen)))
        else:
            position -= token
    return found


def supports_tell(m: int, count: int, proof: Proof) -> bool:
    """Say whether every support has a row of the layer, or the last of the ``count`` rows, in ``C``.

    Others might say that the domain has no inner point.
    """
    if not len(proof.rows):
        return True
    telling = (proof.rows >= 0) & ((proof.rows < m) | (proof.rows == count - 1))
    return bool(np.logical_or.reduceat(telling, proof.starts[:-1]).all())


def used_rows_span(rows: np.ndarray, proof: Proof) -> bool:
    """Say whether the rows of the layer that supports consist of have rank n, as n of them would have."""
    used = np.unique(np.where(proof.rows < 0, -1 - proof.rows, proof.rows))
    return exact_rank(rows[used[used < len(rows)]]) == rows.shape[1]
