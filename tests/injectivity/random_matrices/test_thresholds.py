"""Thresholds against independent computations."""

import math
from math import comb

import numpy as np
import pytest

from unrelu.injectivity.random_matrices import Status, cells, expected_cells, thresholds

BY_NAME = {threshold.name: threshold for threshold in thresholds()}


def bisect(function, low, high):
    """The sign change of a function, to 1e-9."""
    positive = function(high) > 0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (low, middle) if (function(middle) > 0) == positive else (middle, high)
    return low


def entropy(p):
    return -p * math.log2(p) - (1 - p) * math.log2(1 - p)


def test_the_slides_root():
    root = bisect(lambda c: c - 1 - math.log2(c) - math.log2(math.e) - entropy(1 / (c - 1)), 3, 20)
    assert BY_NAME["slides"].value == pytest.approx(root, abs=1e-8)
    assert root == pytest.approx(5.7, abs=0.05)


def test_the_union_bound():
    n = 500

    def rate(c):
        # log2 of C(m, n) P(Bin(m - n, 1/2) < n), by exact integers; log2(c e) n bounds that of C(m, n).
        m = round(c * n)
        tail = sum(comb(m - n, k) for k in range(n))
        return n * math.log2(c * math.e) + math.log2(tail) - (m - n)

    value = BY_NAME["union bound"].value
    assert rate(value - 0.1) > 0 > rate(value + 0.1)
    assert value == pytest.approx(10.5, abs=0.1)


def test_the_mean_root_by_quadrature():
    # The rows' mean, as a unit vector, has inner products of mean 1 / sqrt(c) and variance 1 with the rows.
    grid = np.linspace(0, 12, 400_001)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)

    def tail(t):
        return np.trapezoid(np.where(grid >= t, density, 0), grid)

    value = BY_NAME["mean"].value
    assert tail(1 / math.sqrt(value)) == pytest.approx(1 / value, abs=1e-4)
    assert value == pytest.approx(3.4, abs=0.05)


def test_the_mean_really_refutes_below_its_threshold(rng):
    n = 2000
    active = {}
    for c in (3.2, 3.6):
        weight = rng.standard_normal((round(c * n), n)).astype(np.float32)
        active[c] = (weight @ -weight.sum(axis=0) >= 0).sum()
    assert active[3.2] < n < active[3.6]


def test_the_replica_symmetric_root_by_quadrature():
    grid = np.linspace(0, 12, 400_001)
    density = np.exp(-(grid**2) / 2) / math.sqrt(2 * math.pi)

    def at(t):
        second_moment = np.trapezoid(np.where(grid <= t, grid**2 * density, 0), grid)
        return second_moment - np.trapezoid(np.where(grid >= t, density, 0), grid)

    t = bisect(at, 0.1, 5.0)
    value = 1 / np.trapezoid(np.where(grid >= t, density, 0), grid)
    assert BY_NAME["replica symmetric"].value == pytest.approx(value, abs=1e-3)
    assert value == pytest.approx(7.65, abs=0.01)


def test_the_first_moment_changes_from_growth_to_decay():
    value = BY_NAME["first moment"].value
    assert value == pytest.approx(9.09, abs=0.01)

    def growth(c):
        small, large = (expected_cells(round(c * n), n) for n in (200, 400))
        return large / small

    assert growth(value - 0.2) > 1 > growth(value + 0.2)


def test_cells_grow_as_the_entropy_says():
    n, c = 1000, 5.0
    assert math.log2(cells(round(c * n), n)) / n == pytest.approx(c * entropy(1 / c), rel=2e-3)


def test_order_status_and_sources():
    values = [threshold.value for threshold in thresholds()]
    assert values == sorted(values)
    assert all(threshold.source and threshold.statement for threshold in thresholds())
    # What is proved must not contradict itself.
    proved = [t for t in thresholds() if t.status == Status.PROVED]
    refuting = max(t.value for t in proved if t.statement.startswith("not injective below"))
    assert refuting < min(t.value for t in proved if t.statement.startswith("injective above"))
    assert BY_NAME["full replica symmetry breaking"].value == 6.698
    assert BY_NAME["Euler characteristic"].value == 8.34
