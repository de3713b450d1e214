"""Cones that all rows take part in: the shared way against the one of its own, and in exact arithmetic."""

import numpy as np
import pytest

from tests.preimage.checks import check_direction, check_multipliers, rank
from unrelu.preimage.cones import _recession as module
from unrelu.preimage.cones import analyse_cone, recession


def subsets(rng: np.random.Generator, m: int, n: int, count: int):
    for _ in range(count):
        size = int(rng.integers(0, n))
        active = np.sort(rng.permutation(m)[:size])
        yield active, np.setdiff1d(np.arange(m), active)


@pytest.mark.parametrize("held", [False, True])
@pytest.mark.parametrize(("m", "n"), [(6, 3), (9, 5), (12, 4), (11, 6)])
def test_small_layers_in_exact_arithmetic(m, n, held, rng):
    kinds = set()
    for _ in range(12):
        rows = rng.standard_normal((m, n))
        shared = recession(rows)
        if held:
            shared.hold()
        for active, others in subsets(rng, m, n, 3):
            cone = shared.cone(active, others)
            expected = analyse_cone(rows[active], rows[others])
            assert (cone.low, cone.high) == (expected.low, expected.high)
            kinds.add(cone.high == 0)
            if cone.high == 0:
                implied = others[cone.implied].tolist()
                check_multipliers(rows, active.tolist(), implied, cone.multipliers)
                assert rank(rows, [*active.tolist(), *implied]) == n
            else:
                assert cone.low == n - len(active)
                check_direction(rows, active.tolist(), others.tolist(), cone.direction)
    assert kinds == {True, False}


def test_rows_that_join_later(rng):
    """Many rows, of which few are balanced first, and some that alone decide."""
    rows = rng.standard_normal((900, 6))
    rows[:, 0] = -np.abs(rows[:, 0]) - 0.01
    down = recession(rows).cone(np.arange(0), np.arange(900))
    assert down.low == down.high == 6
    assert (rows @ down.direction < 0).all()
    rows[501] = [1.0, 0, 0, 0, 0, 0]
    closed = recession(rows).cone(np.arange(0), np.arange(900))
    assert closed.high == 0
    assert (closed.multipliers > 0).all()
    assert np.abs(closed.multipliers @ rows).max() <= 1e-10 * closed.multipliers.max()


@pytest.mark.parametrize("m", [60, 75, 90, 150])
def test_agrees_with_the_general_way(m, rng):
    n, kinds = 40, set()
    shared = recession(rows := rng.standard_normal((m, n)))
    for active, others in subsets(rng, m, n, 12):
        cone, expected = shared.cone(active, others), analyse_cone(rows[active], rows[others])
        assert (cone.low, cone.high) == (expected.low, expected.high)
        kinds.add(cone.high == 0)
    assert len(kinds) == 2 or m != 75


def test_dependent_rows_are_left_to_others(rng):
    rows = rng.standard_normal((12, 4))
    rows[3] = rows[1]
    shared = recession(rows)
    others = np.setdiff1d(np.arange(12), [1, 3])
    assert shared.independent(np.array([1, 3])) is None
    assert shared.cone(np.array([1, 3]), others) is None
    assert shared.cone(np.arange(5), np.arange(5, 12)) is None
    assert shared.independent(np.array([0, 1])) is not None


@pytest.mark.parametrize(
    "rows", [np.ones((5, 2)), np.eye(3)[:2], np.zeros((4, 2)), np.array([[1.0, np.inf], [0.0, 1.0]])]
)
def test_no_full_column_rank(rows):
    assert recession(rows) is None


@pytest.mark.parametrize("noise", [1e-3, 1e-6, 1e-9, 1e-12, 1e-15])
def test_nearly_dependent_rows_are_never_called_independent_wrongly(noise, rng):
    for _ in range(20):
        rows = np.round(rng.standard_normal((9, 4)) * 2**20) / 2**20
        rows[3] = rows[0] + rows[1]
        rows[2] = rows[0] + noise * rng.standard_normal(4)
        shared = recession(rows)
        assert shared.independent(np.array([0, 1, 3])) is None
        if shared.independent(np.array([0, 1, 2])) is not None:
            assert rank(rows, [0, 1, 2]) == 3


def test_multipliers_are_checked(rng):
    rows = rng.standard_normal((20, 4))
    shared, everything = recession(rows), np.arange(20)
    good = shared.cone(everything[:0], everything).multipliers
    assert shared._are_multipliers(good, everything)
    assert not shared._are_multipliers(good + 0.5 * good.min() * rows[:, 0], everything)
    assert not shared._are_multipliers(np.where(everything == 3, -good, good), everything)


def test_large_products_are_not_held(rng, monkeypatch):
    monkeypatch.setattr(module, "_HELD_BYTES", 100)
    shared = recession(rng.standard_normal((12, 3)))
    shared.hold()
    assert shared._held is None
