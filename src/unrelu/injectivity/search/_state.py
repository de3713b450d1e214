"""What a search has in hand: plain arrays, which compiled functions share and Python keeps between calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unrelu.injectivity.search._simplex import Program, new_program

if TYPE_CHECKING:
    from unrelu.injectivity.search._problem import Problem

# Places in State.number.
LEVEL, ENTERING, NODES, POOL, STREAM, STALE, BASE, M, N, EXACT, CHOICES = range(11)

# What comes next at a level: its list of supports is to be made, a child with one more row in Z, a child with
# one more row in N, nothing.
NEW, CHOOSE, EXCLUDE, DONE = range(4)

LAYERS = 12  # supports that a row may be in, at a leaf that counts with overlaps
_LISTED = 600  # supports that a node looks at
_POOL = 1 << 12
_STREAM = 1 << 14


class State(NamedTuple):
    """A depth-first walk through one subtree; ``level`` 0 is its root, where `BASE` rows are chosen already.

    A level stays when a row joins N, and another one follows when a row joins Z.

    Attributes:
        number: Numbers, at the places named above: the level, whether a node is being entered, nodes so far,
            supports in the pool, length of the stream, pivots since the inverse was computed afresh, rows
            chosen at the root, m, n, whether ranks are to be checked, most choices at a leaf.
        program: See `Program`.
        pool: Supports as bits, one a row: those of ``C``, then those of ``D``.
        listed: Supports that speak of a level's nodes, a row of numbers for each level.
        listed_bits: ``C`` of the same supports, side by side: to look them up in the pool would take longer.
        listed_count: How many.
        chosen: ``Z`` at each level, bits.
        excluded: ``N`` and the rows of the domain.
        closure: ``Z`` and what lies in its span; ``Z`` where ranks are not checked.
        quotient: Rows of ``W`` after elimination of ``Z``, one matrix a level, where ranks are checked.
        is_pivot: Coordinates eliminated, a row a level.
        volume: Product of the pivots.
        row: The row that each level branches on.
        phase: What comes next.
        share: Of the whole tree, what is below each level's node.
        part: Of that, the child with one more row in Z.
        stream: The proof, depth first.
        free: Rows outside ``N`` of each listed support.
        order: Places in the list, fewest free rows first.
        packed: Disjoint supports, or some that together prove as much.
        used: Their free rows, bits.
        load: How many of them each row is in.
    """

    number: np.ndarray
    program: Program
    pool: np.ndarray
    listed: np.ndarray
    listed_bits: np.ndarray
    listed_count: np.ndarray
    chosen: np.ndarray
    excluded: np.ndarray
    closure: np.ndarray
    quotient: np.ndarray
    is_pivot: np.ndarray
    volume: np.ndarray
    row: np.ndarray
    phase: np.ndarray
    share: np.ndarray
    part: np.ndarray
    stream: np.ndarray
    free: np.ndarray
    order: np.ndarray
    packed: np.ndarray
    used: np.ndarray
    load: np.ndarray


def new_state(problem: Problem, exact: bool, choices: int) -> State:
    """Allocate a state, at no node yet."""
    m, n = problem.m, problem.n
    levels, rows = n + 2, len(problem.stacked)
    words = (rows + 63) // 64
    number = np.zeros(11, dtype=np.int64)
    number[LEVEL], number[M], number[N], number[EXACT], number[CHOICES] = -1, m, n, exact, choices

    def bits(length: int, width: int = words) -> np.ndarray:
        return np.zeros((length, width), dtype=np.uint64)

    def numbers(*shape: int) -> np.ndarray:
        return np.zeros(shape, dtype=np.int64)

    return State(
        number=number,
        program=new_program(problem.vectors),
        pool=bits(_POOL, 2 * words),
        listed=numbers(levels, _LISTED),
        listed_bits=np.zeros((levels, _LISTED, words), dtype=np.uint64),
        listed_count=numbers(levels),
        chosen=bits(levels),
        excluded=bits(levels),
        closure=bits(levels),
        quotient=np.zeros((levels if exact else 1, m, n)),
        is_pivot=np.zeros((levels, n), dtype=np.bool_),
        volume=np.ones(levels),
        row=numbers(levels),
        phase=numbers(levels),
        share=np.ones(levels),
        part=np.ones(levels),
        stream=np.zeros(_STREAM, dtype=np.int32),
        free=numbers(_LISTED),
        order=numbers(_LISTED),
        packed=numbers(LAYERS * n + m),
        used=bits(1)[0],
        load=numbers(rows),
    )


def with_room(state: State) -> State:
    """Return the state with larger arrays for the pool and the stream where they are half full."""
    pool, stream = state.pool, state.stream
    if 2 * state.number[POOL] > len(pool):
        pool = np.concatenate([pool, np.zeros_like(pool)])
    if 2 * state.number[STREAM] > len(stream):
        stream = np.concatenate([stream, np.zeros_like(stream)])
    return state._replace(pool=pool, stream=stream)
