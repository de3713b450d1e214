"""Disjoint supports, and supports that overlap little, on sets of rows at random."""

from itertools import combinations

import numpy as np
import pytest

from unrelu.injectivity.search._explore import enter
from unrelu.injectivity.search._nodes import bits_of, root_node
from unrelu.injectivity.search._packing import cover, pack
from unrelu.injectivity.search._pool import list_all, sort_by_free
from unrelu.injectivity.search._problem import problem_of
from unrelu.injectivity.search._state import POOL, State, new_state

N, M, COUNT = 4, 14, 12


def root_with(supports: list[np.ndarray], excluded: np.ndarray) -> State:
    """At the root, these are all supports that are known, and some rows are excluded."""
    W = np.random.default_rng(0).standard_normal((M, N))
    problem = problem_of(W, np.zeros(M), W[:0], np.zeros(0))
    state = new_state(problem, False, 0)
    for k, support in enumerate(supports):
        state.pool[k, :1] = bits_of(support, 1)
    state.number[POOL] = len(supports)
    node = root_node(M, len(problem.stacked))
    enter(state, node.chosen, node.excluded | bits_of(excluded, 1))
    list_all(state)
    sort_by_free(state)
    return state


def random_sets(seed: int) -> tuple[list[np.ndarray], np.ndarray, list[set[int]]]:
    rng = np.random.default_rng(seed)
    supports = [rng.permutation(M)[: rng.integers(3, 6)] for _ in range(COUNT)]
    excluded = rng.permutation(M)[: rng.integers(0, 5)]
    return supports, excluded, [set(s.tolist()) - set(excluded.tolist()) for s in supports]


@pytest.mark.parametrize("seed", range(40))
def test_pack(seed):
    supports, excluded, free = random_sets(seed)
    state = root_with(supports, excluded)
    found = pack(state, -1, COUNT)
    chosen = [free[k] for k in state.packed[:found]]
    assert sum(map(len, chosen)) == len(set().union(*chosen))
    assert found <= N
    if all(free) and N - 2 <= found < N:  # none can be exchanged for two
        kept = state.packed[:found].tolist()
        for one in kept:
            rest = set().union(*(free[k] for k in kept if k != one))
            apart = [rows for rows in free if not rows & rest]
            assert all(a & b for a, b in combinations(apart, 2))


@pytest.mark.parametrize("seed", range(40))
def test_cover(seed):
    supports, excluded, free = random_sets(seed)
    for needed in (2, 3, 4):
        state = root_with(supports, excluded)
        count = cover(state, needed)
        chosen = [free[k] for k in state.packed[:count]]
        load = max((sum(row in rows for rows in chosen) for row in range(M)), default=0)
        assert count == 0 or count > load * (needed - 1)
        if all(free) and any(not a & b for a, b in combinations(free, 2)) and needed == 2:
            assert count > 0  # two disjoint ones are enough


def test_five_supports_of_a_pentagon():
    """No two are disjoint, but no row is in more than three of five: two rows are active."""
    supports = [np.array([k, (k + 2) % 5, (k + 3) % 5]) for k in range(5)]
    state = root_with(supports, np.arange(0))
    assert pack(state, -1, 5) == 1
    assert cover(state, 2) > 0
    assert cover(state, 3) == 0
