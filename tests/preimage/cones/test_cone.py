"""The two ways to a proof about a cone: floating point with bounds, and rational arithmetic."""

from fractions import Fraction

import flint
import numpy as np
import pytest

from tests.frames.matrices import KINDS
from tests.preimage.checks import check_direction, exact, rank
from tests.reference import preimage as reference
from unrelu.preimage.cones import _analyse, _exact, _proofs
from unrelu.preimage.cones._analyse import analyse_cone
from unrelu.preimage.cones._exact_partition import exact_partition
from unrelu.preimage.cones._span import certified_sigma, length_bound


def truth(equalities: np.ndarray, inequalities: np.ndarray) -> int:
    """Dimension of ``{d : E d = 0, G d <= 0}``."""
    rows = [([0] * equalities.shape[1], 0), *((row, 0) for row in inequalities.tolist())]
    return reference.Polyhedron([(row, 0) for row in equalities.tolist()], rows).dimension()


def cases(kind: str, count: int):
    rng = np.random.default_rng(sorted(KINDS).index(kind))
    for _ in range(count):
        rows = KINDS[kind](rng)[:8, :3]
        free = int(rng.integers(0, 3))
        inequalities = np.concatenate([rows[free:], -rows[: rng.integers(0, 2)]])
        yield rows[:free], inequalities[rng.permutation(len(inequalities))]


@pytest.mark.parametrize("kind", KINDS)
def test_bounds_enclose_the_dimension_in_either_arithmetic(kind, monkeypatch):
    open_in_floats = 0
    for equalities, inequalities in cases(kind, 40):
        dimension = truth(equalities, inequalities)
        decided = analyse_cone(equalities, inequalities)
        assert decided.low == decided.high == dimension
        with monkeypatch.context() as context:
            context.setattr(_analyse, "EXACT_ENTRIES", -1)
            cone = analyse_cone(equalities, inequalities)
        assert cone.low <= dimension <= cone.high
        open_in_floats += cone.low < cone.high
    if kind in {"integers", "sparse"}:
        assert open_in_floats == 0


@pytest.mark.parametrize("kind", KINDS)
def test_simplex_where_the_guess_is_no_good(kind, monkeypatch):
    monkeypatch.setattr(_exact, "partition", lambda *_: None)
    for equalities, inequalities in cases(kind, 15):
        cone = _exact.exact_cone(equalities, inequalities)
        assert cone.low == cone.high == truth(equalities, inequalities)
        if cone.direction is not None:
            assert all(isinstance(v, Fraction) for v in cone.direction)


@pytest.mark.parametrize("seed", range(10))
def test_exact_partition(seed):
    rng = np.random.default_rng(seed)
    rows = rng.integers(-2, 3, (int(rng.integers(1, 9)), int(rng.integers(1, 5)))).astype(float)
    matrix = exact(rows)
    found = exact_partition(matrix)
    product = (matrix * flint.fmpq_mat(rows.shape[1], 1, found.c)).entries()
    combined = [
        sum(w * matrix[i, j] for i, w in zip(found.implied, found.weights, strict=True))
        for j in range(rows.shape[1])
    ]
    assert all(w >= 1 for w in found.weights)
    assert all(v == 0 for v in combined)
    assert all(v == 0 if i in found.implied else v <= -1 for i, v in enumerate(product))


@pytest.mark.parametrize("n", [1, 3, 30])
def test_sigma_is_a_lower_bound(n, rng):
    for scale in (1.0, 1e-6, 1e-100):
        rows = rng.standard_normal((n, 2 * n)) * scale
        smallest = np.linalg.svd(rows, compute_uv=False)[-1]
        assert 0.5 * smallest <= certified_sigma(rows) <= smallest
    assert certified_sigma(np.ones((2, 5))) == 0.0
    assert certified_sigma(np.zeros((1, 5))) == 0.0
    assert certified_sigma(np.zeros((0, 5))) == np.inf


def test_a_direction_off_the_equalities_is_not_taken_at_its_word():
    basis, strict = np.array([[1.0, 0.0]]), np.array([[-1.0, 1e-3]])
    assert not _proofs.is_direction(basis, strict, np.array([1e-3, 0.0]), 1.0)
    assert _proofs.is_direction(basis, strict, np.array([1e-9, -1.0]), 1.0)
    assert not _proofs.is_direction(basis, strict[:0], np.array([1.0, 0.0]), 1.0)


@pytest.mark.parametrize("noise", [0.0, 1e-15, 1e-8, 1e-2])
def test_directions_are_accepted_only_where_their_correction_keeps_the_signs(noise, rng):
    accepted = 0
    for _ in range(60):
        zero = rng.integers(-3, 4, (2, 4)) + noise * rng.standard_normal((2, 4))
        sigma = certified_sigma(zero)
        strict = rng.standard_normal((2, 4)) * 10.0 ** -rng.integers(0, 9)
        kernel = np.linalg.svd(zero)[2][2:].T
        direction = kernel @ np.linalg.lstsq(strict @ kernel, -np.ones(2), rcond=None)[0]
        direction += noise * rng.standard_normal(4)
        if sigma > 0 and _proofs.is_direction(zero, strict, direction, sigma):
            accepted += 1
            check_direction(np.vstack([zero, strict]), [0, 1], [2, 3], direction)
    assert accepted > 0 or noise > 1e-3


def test_lengths_of_vectors_whose_squares_vanish():
    assert length_bound(np.full(4, 1e-200)) >= 2e-200
    assert length_bound(np.array([3.0, 4.0])) >= 5.0


def test_numbers_out_of_range_are_left_open():
    rows = np.array([[1e308, -1e308], [1e308, 1e308], [-1e308, 1.0]])
    cone = analyse_cone(rows[:0], rows)
    assert cone.low <= truth(rows[:0], rows) <= cone.high
    assert rank(rows, [0, 1]) == 2
