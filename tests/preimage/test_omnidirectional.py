"""Omnidirectional matrices against elimination in rational arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.frames.matrices import KINDS
from tests.preimage.checks import check_direction, check_multipliers, rank
from tests.reference import preimage as reference
from unrelu.errors import ArgumentError
from unrelu.preimage import omnidirectional


def check(matrix: np.ndarray) -> bool | None:
    """Verify the certificate, whichever side it is for."""
    answer = omnidirectional(matrix)
    rows = answer.rows.tolist()
    if answer.holds:
        check_multipliers(matrix, [], rows, answer.multipliers)
        assert rank(matrix, rows) == matrix.shape[1]
    elif answer.holds is False:
        others = [k for k in range(len(matrix)) if k not in rows]
        check_direction(matrix, rows, others, answer.direction)
    return answer.holds


@pytest.mark.parametrize("kind", KINDS)
def test_singular_matrices(kind):
    rng = np.random.default_rng(list(KINDS).index(kind))
    for _ in range(40):
        matrix = KINDS[kind](rng)[:7, :3]
        matrix = np.concatenate([matrix, -matrix[: rng.integers(0, 3)]])
        assert check(matrix) is reference.omnidirectional(matrix)


@given(st.integers(0, 10**6))
def test_small_integers(seed):
    rng = np.random.default_rng(seed)
    matrix = rng.integers(-2, 3, (rng.integers(0, 8), rng.integers(1, 4))).astype(float)
    assert check(matrix) is reference.omnidirectional(matrix)


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_known_families(n, rng):
    basis = rng.standard_normal((n, n))
    assert omnidirectional(np.vstack([basis, -basis])).holds
    simplex = np.vstack([np.eye(n), -np.ones(n)])
    assert omnidirectional(simplex).holds
    assert omnidirectional(simplex[:-1]).holds is False
    assert omnidirectional(-np.abs(rng.standard_normal((3 * n, n)))).holds is False


def test_no_linear_program_is_needed(rng):
    assert not omnidirectional(rng.standard_normal((200, 10))).used_lp
    assert not omnidirectional(rng.standard_normal((20, 10))).used_lp
    assert not omnidirectional(np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])).used_lp


def test_random_rows_in_sixty_dimensions(rng):
    """Wendel's count: with n + 1 rows nearly never, with 4 n nearly always."""
    few, many = rng.standard_normal((61, 60)), rng.standard_normal((240, 60))
    answer = omnidirectional(few)
    assert answer.holds is False
    assert (few @ answer.direction.astype(float) <= 1e-9).all()
    answer = omnidirectional(many)
    assert answer.holds
    assert (answer.multipliers > 0).all()
    assert np.abs(many.T @ answer.multipliers).max() <= 1e-10


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_scale_does_not_matter(scale):
    matrix = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    matrix[1] *= scale
    matrix[2, 1] *= scale
    assert omnidirectional(matrix).holds


@pytest.mark.parametrize("matrix", [np.ones(3), np.ones((3, 0)), [[np.nan]], [[np.inf]], [["a"]]])
def test_refused(matrix):
    with pytest.raises(ArgumentError, match="matrix"):
        omnidirectional(matrix)
