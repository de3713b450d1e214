"""Wedges of the plane against a walk around the circle in small steps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reference.injectivity import exact_rank, weakly_active
from unrelu.errors import ArgumentError
from unrelu.injectivity.random_matrices import wedges

numbers = st.integers(-3, 3).map(float)


def check(weight):
    cut = wedges(weight)
    m, k = len(weight), len(cut.start)
    assert cut.start.shape == cut.end.shape == cut.spans.shape == (k,)
    assert cut.points.shape == (k, 2) and cut.active.shape == (k, m)
    # They follow one another once around.
    assert (cut.end > cut.start).all() and np.array_equal(cut.end[:-1], cut.start[1:])
    assert cut.end[-1] == pytest.approx(cut.start[0] + 2 * np.pi, abs=1e-12)
    for point, active, spans in zip(cut.points, cut.active, cut.spans, strict=True):
        assert np.array_equal(active, weakly_active(weight, np.zeros(m), point))
        assert spans == (exact_rank(weight[active]) == 2)
    return cut


@given(st.lists(st.tuples(numbers, numbers), max_size=7))
def test_integer_rows(rows):
    weight = np.array(rows, dtype=float).reshape(-1, 2)
    cut = check(weight)
    # No row but zero ones changes its sign inside of a wedge.
    inside = np.linspace(cut.start, cut.end, 7)[1:-1]
    z = np.einsum("ij,tkj->tki", weight, np.stack([np.cos(inside), np.sin(inside)], axis=-1))
    assert ((z >= 0) == cut.active)[:, :, weight.any(axis=1)].all()


def test_generic_rows_make_two_wedges_each(rng):
    weight = rng.standard_normal((9, 2))
    cut = check(weight)
    assert len(cut.start) == 18
    # Opposite wedges have opposite rows active.
    assert np.array_equal(cut.active[:9], ~cut.active[9:])


def test_injective_or_not():
    basis = np.array([[1.0, 2.0], [0.5, -1.0]])
    assert check(np.vstack([basis, -3 * basis])).spans.all()
    assert not check(np.vstack([basis, -3 * basis[:1]])).spans.all()


def test_singular_layers():
    assert check(np.zeros((3, 2))).active.all()
    assert len(check(np.zeros((0, 2))).start) == 1
    assert len(check(np.array([[1.0, 1.0], [-2.0, -2.0], [3.0, 3.0]])).start) == 2
    scaled = np.array([[0.1, 0.3], [0.3, 0.9], [-0.7, 0.2]])
    check(scaled * 2.0**500)
    check(scaled * 2.0**-500)


def test_kinds_and_shapes():
    assert isinstance(wedges([[1.0, 2.0]]).start, np.ndarray)
    with pytest.raises(ArgumentError, match=r"weight: expected shape \(m, 2\), got \(2, 3\)"):
        wedges(np.zeros((2, 3)))
