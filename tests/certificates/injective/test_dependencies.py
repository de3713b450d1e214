"""Positive dependencies: floating point with error bounds against elimination with Fractions."""

from fractions import Fraction

import numpy as np
import pytest

from tests.reference.trees import positive_dependency, rank
from unrelu.certificates.injective._dependencies import (
    has_positive_dependency,
    positive_dependencies,
    proved_in_floats,
)


def naively(rows) -> bool:
    exact = [[Fraction(v) for v in row] for row in rows.tolist()]
    found = positive_dependency(exact, list(range(len(exact))))
    return found is not None and len(found) == len(exact) and rank(exact) == len(exact) - 1


def circuits(rng, count: int, size: int, d: int) -> np.ndarray:
    """Sets of rows of which the last is a combination of the others, mostly with negative weights."""
    rows = rng.standard_normal((count, size, d))
    weights = rng.exponential(size=(count, size - 1)) * rng.choice([1, 1, 1, 1, 1, 0, -1], (count, size - 1))
    rows[:, -1] = -np.einsum("ki,kid->kd", weights, rows[:, :-1])
    return rows


@pytest.mark.parametrize("d", [1, 2, 3, 6])
def test_generic_sets(d, rng):
    rows = circuits(rng, 60, d + 1, d)
    found = positive_dependencies(rows.reshape(-1, d), np.arange(60 * (d + 1)).reshape(60, -1))
    assert found.tolist() == [naively(r) for r in rows]
    assert found.any() and not (d > 1 and found.all())


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
def test_whole_numbers(size, rng):
    rows = rng.integers(-2, 3, (200, size, 3)).astype(float)
    expected = [naively(r) for r in rows]
    table = rows.reshape(-1, 3)
    assert positive_dependencies(table, np.arange(len(table)).reshape(200, size)).tolist() == expected
    assert [has_positive_dependency(r) for r in rows] == expected
    assert not (proved_in_floats(rows) & ~np.array(expected)).any()


@pytest.mark.parametrize("exponent", [-1074, -1000, -500, 0, 500, 970])
def test_scales(exponent, rng):
    rows = circuits(rng, 30, 4, 3).astype(np.float32).astype(float)
    scaled = np.ldexp(rows, np.array([exponent, 0, -(exponent // 2), exponent])[:, None])
    scaled[:, 2] = np.where(np.isfinite(scaled[:, 2]), scaled[:, 2], 1.0)
    table = scaled.reshape(-1, 3)
    found = positive_dependencies(table, np.arange(len(table)).reshape(30, 4))
    assert found.tolist() == [naively(r) for r in scaled]


def test_zero_rows_and_columns():
    zero = np.zeros((1, 3))
    assert has_positive_dependency(zero)
    assert not has_positive_dependency(np.zeros((2, 3)))
    assert not has_positive_dependency(np.array([[0.0, 0, 0], [1, 0, 0]]))
    assert has_positive_dependency(np.array([[0.0, 2.0, 0.0], [0.0, -3.0, 0.0]]))
    # One column is used: floating point can tell.
    assert proved_in_floats(np.array([[[0.0, 2.0, 0.0], [0.0, -3.0, 0.0]]])).all()


@pytest.mark.parametrize("power", range(-60, -30))
def test_weights_near_zero_are_not_guessed(power):
    # (1, t), (-1, 0), (0, -1): the weight of the last row is t.
    for t in (2.0**power, -(2.0**power), 0.0):
        rows = np.array([[1.0, t], [-1.0, 0.0], [0.0, -1.0]])
        turned = rows @ np.array([[0.6, 0.8], [-0.8, 0.6]])
        found = positive_dependencies(turned, np.array([[0, 1, 2]]))
        assert found[0] == naively(turned)
        assert positive_dependencies(rows, np.array([[0, 1, 2]]))[0] == (t > 0)


def test_floats_settle_almost_all_generic_sets(rng):
    rows = circuits(rng, 400, 13, 12)
    weights = np.abs(rng.standard_normal((400, 12)))
    rows[:, -1] = -np.einsum("ki,kid->kd", weights, rows[:, :-1])
    assert proved_in_floats(rows).mean() > 0.98
