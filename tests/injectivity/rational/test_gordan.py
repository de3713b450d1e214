"""Points at which rows are all negative, against all cells and beyond what floating point resolves."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.cells import cells, dot
from unrelu.certificates import DomainRecord, LayerRecord
from unrelu.certificates.injective import certify_witness
from unrelu.certificates.injective._dependencies import has_positive_dependency
from unrelu.injectivity.rational import gordan, point_off_flat


@given(st.integers(1, 4), st.data())
def test_against_all_cells(d, data):
    row = st.tuples(*[st.integers(-3, 3)] * d)
    rows = data.draw(st.lists(row, min_size=1, max_size=9))
    found, support = gordan([list(r) for r in rows])
    assert (found is not None) == bool(cells(rows, [], d))
    if found is None:
        assert has_positive_dependency(np.array([rows[k] for k in support], dtype=float))
    else:
        assert all(dot(r, found) < 0 for r in rows) and support == []


@pytest.mark.parametrize("size", [1, 2**60, 2**400])
def test_thin_cones(size):
    # Negative on both sides of a hyperplane but for the last coordinate.
    rows = [[size, 5 * size, 1], [-size, -5 * size, 1], [0, 1, size], [0, -1, size]]
    found, _ = gordan(rows)
    assert all(sum(a * b for a, b in zip(row, found, strict=True)) < 0 for row in rows)
    assert gordan([*rows, [0, 0, -1]])[0] is None


def test_larger_cones():
    rng = np.random.default_rng(3)
    rows = rng.integers(-(2**40), 2**40, (60, 12))
    rows[rows @ np.arange(1, 13) > 0] *= -1
    found, _ = gordan(rows.tolist())
    assert all(sum(a * b for a, b in zip(row, found, strict=True)) < 0 for row in rows.tolist())


@pytest.mark.parametrize("exponent", [-52, -300])
def test_a_witness_in_a_thin_wedge_of_a_domain(exponent):
    # On the square both rows are negative in a wedge of this slope only.
    thin = 2.0**exponent
    layer = LayerRecord.dense(np.array([[1.0, thin], [-1.0, thin], [0.0, 1.0]]), np.zeros(3))
    square = DomainRecord("box", 2, -np.ones(2), np.ones(2))
    x = point_off_flat(layer, square, np.array([], dtype=int))
    assert isinstance(x[0], Fraction)
    assert certify_witness(layer, square, x) is not None
    assert point_off_flat(layer, DomainRecord("orthant", 2), np.array([], dtype=int)) is None


def test_layers_that_are_too_large():
    layer = LayerRecord.dense(np.ones((200, 100)), np.ones(200))
    assert point_off_flat(layer, DomainRecord("space", 100), np.array([0])) is None
