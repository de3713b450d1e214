"""What a search has in hand: plain arrays, which compiled functions share and Python keeps between calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from unrelu.injectivity.search._simplex import start

if TYPE_CHECKING:
    from unrelu.injectivity.search._problem import Problem

# Places in State.number.
LEVEL, ENTERING, NODES, POOL, STREAM, STALE, BASE, M, N, EXACT, CHOICES = range(11)

_LISTED = 600  # supports that a node looks at
_POOL = 1 << 12
_STREAM = 1 << 14


class State(NamedTuple):
    """A depth-first walk through one subtree; ``level`` 0 is its root, where `BASE` rows are chosen already.

    Attributes:
        number: Numbers, at the places named above: the level, whether a node is being entered, nodes so far,
            supports in the pool, length of the stream, pivots since the tableau was computed afresh, rows
            chosen at the root, m, n, whether ranks are to be checked, most choices at a leaf.
        columns: See `Problem`, shape ``(equations, rows)``.
        tableau: Of the simplex method.
        basis: Of the simplex method.
        cost: Of the columns.
        pool: Supports as bits, one a row.
        listed: Supports disjoint from ``Z``, a row of numbers for each level.
        listed_bits: The same supports as bits, side by side: to look them up in the pool would take longer.
        listed_count: How many.
        chosen: ``Z`` at each level, bits.
        excluded: ``N`` and the rows of the domain.
        closure: ``Z`` and what lies in its span; ``Z`` where ranks are not checked.
        quotient: Rows of ``W`` after elimination of ``Z``, one matrix a level, where ranks are checked.
        is_pivot: Coordinates eliminated, a row a level.
        volume: Product of the pivots.
        child: Rows that branch at each level.
        child_total: How many.
        child_count: How many of them this walk is to enter.
        child_next: Which comes next.
        stream: The proof, depth first.
        free: Rows outside ``N`` of each listed support.
        order: Places in the list, fewest free rows first.
        packed: Disjoint supports.
        used: Their free rows, bits.
    """

    number: np.ndarray
    columns: np.ndarray
    tableau: np.ndarray
    basis: np.ndarray
    cost: np.ndarray
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
    child: np.ndarray
    child_total: np.ndarray
    child_count: np.ndarray
    child_next: np.ndarray
    stream: np.ndarray
    free: np.ndarray
    order: np.ndarray
    packed: np.ndarray
    used: np.ndarray


def new_state(problem: Problem, exact: bool, choices: int, levels: int | None = None) -> State:
    """Allocate a state, at no node yet; ``levels`` is the most rows that Z may hold."""
    m, n = problem.m, problem.n
    levels = n + 2 if levels is None else levels
    equations, rows = problem.columns.shape
    words = (rows + 63) // 64
    number = np.zeros(11, dtype=np.int64)
    number[LEVEL], number[M], number[N], number[EXACT], number[CHOICES] = -1, m, n, exact, choices
    tableau, basis = np.zeros((equations + 1, rows + 1)), np.zeros(equations, dtype=np.int64)
    start(tableau, basis, problem.columns)

    def bits(length: int) -> np.ndarray:
        return np.zeros((length, words), dtype=np.uint64)

    def numbers(*shape: int) -> np.ndarray:
        return np.zeros(shape, dtype=np.int64)

    quotient = np.zeros((levels if exact else 1, m, n))
    return State(
        number=number,
        columns=problem.columns,
        tableau=tableau,
        basis=basis,
        cost=np.zeros(rows),
        pool=bits(_POOL),
        listed=numbers(levels, _LISTED),
        listed_bits=np.zeros((levels, _LISTED, words), dtype=np.uint64),
        listed_count=numbers(levels),
        chosen=bits(levels),
        excluded=bits(levels),
        closure=bits(levels),
        quotient=quotient,
        is_pivot=np.zeros((levels, n), dtype=np.bool_),
        volume=np.ones(levels),
        child=numbers(levels, m),
        child_total=numbers(levels),
        child_count=numbers(levels),
        child_next=numbers(levels),
        stream=np.zeros(_STREAM, dtype=np.int32),
        free=numbers(_LISTED),
        order=numbers(_LISTED),
        packed=numbers(m + 1),
        used=bits(1)[0],
    )


def with_room(state: State) -> State:
    """Return the state with larger arrays for the pool and the stream where they are half full."""
    pool, stream = state.pool, state.stream
    if 2 * state.number[POOL] > len(pool):
        pool = np.concatenate([pool, np.zeros_like(pool)])
    if 2 * state.number[STREAM] > len(stream):
        stream = np.concatenate([stream, np.zeros_like(stream)])
    return state._replace(pool=pool, stream=stream)
