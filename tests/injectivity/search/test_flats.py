"""Choices that complete a basis, against determinants one by one; closures against ranks."""

from itertools import product

import numpy as np
import pytest

from unrelu.injectivity.search._flats import all_complete, close, eliminate


def every_choice_is_a_basis(sets: list[np.ndarray]) -> bool:
    return all(abs(np.linalg.det(np.array(choice))) > 1e-9 for choice in product(*sets))


@pytest.mark.parametrize("q", [1, 2, 3, 4])
@pytest.mark.parametrize("seed", range(20))
def test_all_complete(q, seed):
    rng = np.random.default_rng(seed)
    sets = [rng.integers(-2, 3, (int(rng.integers(1, 4)), q)).astype(float) for _ in range(q)]
    if seed % 2:
        sets = [rows + rng.standard_normal(rows.shape) for rows in sets]
    starts = np.cumsum([0, *map(len, sets)])
    assert all_complete(np.concatenate(sets), starts, 1.0) == every_choice_is_a_basis(sets)


@pytest.mark.parametrize("seed", range(10))
def test_closure(seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-1, 2, (14, 4)).astype(float)
    chosen: list[int] = []
    left, used, volume = rows.copy(), np.zeros(4, dtype=bool), 1.0
    for row in range(len(rows)):
        if np.abs(left[row]).max() > 0 and len(chosen) < 3:
            out = np.empty_like(left)
            volume *= np.abs(left[row]).max()
            used[eliminate(left, used, row, out)] = True
            left = out
            chosen.append(row)
    bits = np.zeros(1, dtype=np.uint64)
    close(left, volume, bits)
    rank = np.linalg.matrix_rank(rows[chosen])
    assert rank == len(chosen)
    for row in range(len(rows)):
        inside = np.linalg.matrix_rank(rows[[*chosen, row]]) == rank
        assert bool(int(bits[0]) >> row & 1) == inside
