"""Rows on one line, exactly."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from tests.recipes import RECIPES
from tests.reference import frames as reference
from unrelu.frames import DenseFrame, SparseFrame


@pytest.mark.parametrize("name", RECIPES)
def test_recipes(name):
    weight = RECIPES[name]().weight
    line, sign = reference.lines(weight)
    for frame in (DenseFrame(weight), SparseFrame(sp.csr_array(weight))):
        assert frame.directions.line.tolist() == line
        assert frame.directions.sign.tolist() == sign


@given(st.integers(0, 10**6))
def test_multiples_and_near_multiples(seed):
    rng = np.random.default_rng(seed)
    base = rng.integers(-3, 4, (4, 3)) * 2.0 ** rng.integers(-600, 600, (4, 1))
    weight = base[rng.integers(0, 4, 10)] * rng.choice([1.0, -1.0, 3.0, -0.375, 2.0**40], (10, 1))
    touched = rng.random(weight.shape) < 0.2
    weight[touched] = np.nextafter(weight[touched], np.inf)
    line, sign = reference.lines(weight)
    found = DenseFrame(weight).directions
    assert found.line.tolist() == line
    assert found.sign.tolist() == sign


def test_not_fooled_by_rounding():
    third = np.array([1.0, 1 / 3, 1e-200])
    weight = np.array([third, 3 * third, -third, [1.0, 1 / 3, 1.0000000000000002e-200], third * 1e300])
    line, sign = reference.lines(weight)
    assert line[3] == 3  # one digit of an entry that vanishes beside the others
    assert DenseFrame(weight).directions.line.tolist() == line
    assert DenseFrame(weight).directions.sign.tolist() == sign


def test_counts():
    weight = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0], [-1.0, -2.0], [-3.0, -6.0], [0.0, 1.0]])
    lines = DenseFrame(weight).directions
    assert (lines.zero_rows, lines.duplicate_rows, lines.antiparallel_rows) == (1, 2, 1)
    assert lines.one_per_line(np.array([0, 4, 2, 5])).tolist() == [4, 5]
    assert lines.one_per_line(np.array([], dtype=int)).tolist() == []


def test_explicit_zeros_do_not_count():
    data, indices, indptr = np.array([0.0, 1.0, 2.0, 0.0]), np.array([0, 1, 1, 0]), np.array([0, 2, 3, 4])
    frame = SparseFrame(sp.csr_array((data, indices, indptr), shape=(3, 2)))
    assert frame.directions.line.tolist() == [0, 0, -1]
    assert frame.max_rank == 1
