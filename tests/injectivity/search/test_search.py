"""The search tree against brute force over all cells; proofs are replayed in rational arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.injectivity.search.checks import check_against_cells, check_evidence
from tests.recipes import RECIPES
from tests.reference.cells import box_rows
from unrelu.errors import ArgumentError
from unrelu.injectivity.search import search

GRADES = [True, False, None]


def gaussian(m: int, n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((m, n))


def pentagon() -> np.ndarray:
    angles = 2 * np.pi * np.arange(5) / 5
    return np.column_stack([np.cos(angles), np.sin(angles)])


@pytest.mark.parametrize("general_position", GRADES)
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("m", "n"), [(6, 2), (9, 2), (9, 3), (12, 3)])
def test_gaussian_rows(m, n, seed, general_position):
    result = check_against_cells(gaussian(m, n, seed), np.zeros(m), general_position=general_position)
    if result.verdict == "injective":
        assert result.grade == ("exact-general-position" if general_position else "exact")


@pytest.mark.parametrize("general_position", GRADES)
@pytest.mark.parametrize("seed", range(6))
def test_bias(seed, general_position):
    bias = 0.2 * gaussian(10, 1, seed + 100)[:, 0]
    check_against_cells(gaussian(10, 2, seed), bias, general_position=general_position)


@pytest.mark.parametrize("seed", range(8))
def test_box(seed):
    W, b = gaussian(9, 2, seed), 0.4 * gaussian(9, 1, seed + 50)[:, 0]
    check_against_cells(W, b, *box_rows(2, -1.0, 0.5))


small = st.integers(-2, 2).map(float)


@settings(max_examples=150)
@given(st.integers(1, 3), st.data())
def test_whole_numbers(n, data):
    """Zero, repeated, parallel and opposite rows, planes with many rows in them."""
    m = data.draw(st.integers(1, 9))
    W = np.array(data.draw(st.lists(st.lists(small, min_size=n, max_size=n), min_size=m, max_size=m)))
    b = np.array(data.draw(st.one_of(st.just([0.0] * m), st.lists(small, min_size=m, max_size=m))))
    domain = box_rows(n, -1.0, 2.0) if data.draw(st.booleans()) else (None, None)
    check_against_cells(W, b, *domain, general_position=data.draw(st.sampled_from([False, None])))


SMALL = [name for name, build in RECIPES.items() if build().layer.m <= 16 and build().layer.n <= 4]


@pytest.mark.parametrize("name", SMALL)
def test_recipes(name):
    """Rows that nearly are what they look like may stay undecided; nothing may be wrong."""
    recipe = RECIPES[name]()
    check_against_cells(recipe.weight, recipe.bias, may_be_unknown=True)


def test_bias_decides():
    """Puthawala et al. look at rows with b >= 0 only; this layer is injective though it has one."""
    W = np.array([[1.0], [-1.0]])
    assert search(W, np.array([-1.0, 1.0])).verdict == "injective"
    assert search(W, np.array([-1.0, 0.5])).verdict == "witness"


@pytest.mark.parametrize("n", [2, 5, 9])
def test_opposite_rows(n):
    """``[B; -D B]`` with whole numbers is injective, and is no longer when a row turns."""
    basis = np.tril(np.random.default_rng(n).integers(1, 4, (n, n))).astype(float)
    W = np.vstack([basis, -2 * basis])
    result = search(W, n_jobs=1)
    assert (result.verdict, result.grade) == ("injective", "exact")
    check_evidence(result, W, np.zeros(2 * n))
    W[-1, 0] += 1
    result = search(W, n_jobs=1)
    assert result.verdict == "witness"
    check_evidence(result, W, np.zeros(2 * n))


@pytest.mark.parametrize(("m", "n"), [(30, 5), (42, 6), (40, 7)])
def test_proofs_of_larger_layers(m, n):
    W = gaussian(m, n, 1)
    check_evidence(search(W, general_position=True, n_jobs=1), W, np.zeros(m))


@pytest.mark.parametrize("general_position", [True, False])
def test_several_threads(general_position):
    W = gaussian(56, 8)
    result = search(W, general_position=general_position, n_jobs=3)
    assert result.verdict == "injective"
    if general_position:
        check_evidence(result, W, np.zeros(56))


def test_small_domains_help():
    """Rows that all inputs activate make any layer injective; on the whole space these do not."""
    W, b = np.vstack([np.eye(3), -np.ones((1, 3))]), np.array([0.5, 0.5, 0.5, 0.0])
    assert search(W, b).verdict == "witness"
    assert search(W, b, *box_rows(3, -0.25, 1.0)).verdict == "injective"


@given(st.integers(0, 1000), st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_what_must_not_matter(seed, random):
    """Positive factors, order of rows, order and signs of inputs."""
    rng = np.random.default_rng(random.getrandbits(32))
    m, n = 18, 4
    W, b = gaussian(m, n, seed), 0.1 * gaussian(m, 1, seed)[:, 0]
    order, factor = rng.permutation(m), 2.0 ** rng.integers(-9, 9, m)
    turned = W[:, rng.permutation(n)] * rng.choice([-1.0, 1.0], n)
    first = search(W, b, general_position=True, n_jobs=1)
    other = search((factor[:, None] * turned)[order], (factor * b)[order], general_position=True, n_jobs=1)
    assert first.verdict == other.verdict != "unknown"


@given(st.integers(0, 1000))
@settings(max_examples=20)
def test_more_rows_or_bias_keep_a_layer_injective(seed):
    W = gaussian(24, 4, seed)
    if search(W, general_position=True, n_jobs=1).verdict == "injective":
        more = np.vstack([W, gaussian(3, 4, seed + 1)])
        assert search(more, general_position=True, n_jobs=1).verdict == "injective"
        raised = np.abs(gaussian(24, 1, seed)[:, 0])
        assert search(W, raised, general_position=True, n_jobs=1).verdict == "injective"


@pytest.mark.parametrize("power", [-900, -300, 300, 900])
def test_scale_does_not_matter(power):
    W = gaussian(12, 2)
    assert search(np.ldexp(W, power)).verdict == search(W).verdict == "injective"


def test_special_position_is_noticed():
    """Rows that are counted four times would make this injective."""
    W = np.vstack([np.repeat(pentagon()[:2], 4, axis=0), -np.repeat(pentagon()[:1], 4, axis=0)])
    result = check_against_cells(W, np.zeros(len(W)), general_position=True)
    assert result.verdict == "witness"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (([1.0, 2.0],), "rows"),
        ((np.zeros((2, 0)),), "rows"),
        (([[np.nan, 1.0]],), "rows"),
        (([[1.0, 1.0]], [1.0, 2.0]), "bias"),
        (([[1.0, 1.0]], [1.0], [[1.0]], [1.0]), "domain_rows"),
        (([[1.0, 1.0]], [1.0], [[1.0, 0.0]], [1.0, 2.0]), "domain_offsets"),
        (([[1.0, 1.0]], [1.0], [[1.0, 0.0]]), "domain_offsets"),
    ],
)
def test_arguments(arguments, name):
    with pytest.raises(ArgumentError, match=f"^{name}: expected"):
        search(*arguments)
