"""The references against one another: cells against the line, against samples, against the naive prover."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from tests.reference.cells import box_rows, cells, signs, small_layer, unspanned_point, whole
from tests.reference.injectivity import exact_rank, is_injective_on_the_line
from tests.reference.trees import Prover


@pytest.mark.parametrize("seed", range(100))
def test_cells_of_the_line(seed):
    rng = np.random.default_rng(seed)
    weight, bias = small_layer(rng, 1)
    assert (unspanned_point(weight, bias) is None) == is_injective_on_the_line(weight, bias)


@pytest.mark.parametrize(("m", "n"), [(3, 2), (5, 2), (5, 3), (6, 3), (6, 4)])
def test_numbers_of_cells(m, n, rng):
    # In general position: a sum of binomials (Schläfli).
    rows = [whole(row) for row in rng.standard_normal((m, n)).tolist()]
    found = {signs(rows, x) for x in cells([], rows, n)}
    assert len(found) == 2 * sum(comb(m - 1, k) for k in range(n))


@pytest.mark.parametrize("seed", range(40))
def test_cells_and_samples(seed):
    rng = np.random.default_rng(seed)
    weight, bias = small_layer(rng, 3)
    n = weight.shape[1]
    G, h = box_rows(n, -1.0, 1.0)
    point = unspanned_point(weight, bias, G, h)
    if point is None:
        X = rng.uniform(-1, 1, (500, n))
        for active in np.unique(X @ weight.T + bias >= 0, axis=0):
            assert exact_rank(weight[active]) == n
    else:
        assert all(-1 < x < 1 for x in point)
        active = [
            sum((Fraction(w) * x for w, x in zip(row, point, strict=True)), Fraction(b)) >= 0
            for row, b in zip(weight.tolist(), bias.tolist(), strict=True)
        ]
        assert exact_rank(weight[np.array(active, dtype=bool)]) < n


def test_an_empty_domain_has_no_points():
    assert unspanned_point(np.zeros((1, 1)), np.zeros(1), *box_rows(1, 1.0, 1.0)) is None
    assert unspanned_point(np.zeros((1, 1)), np.zeros(1), *box_rows(1, 1.0, 2.0)) is not None


@pytest.mark.slow
def test_cells_and_the_naive_prover_agree_on_many_layers():
    rng = np.random.default_rng(7)
    for _ in range(3000):
        weight, bias = small_layer(rng, 3)
        G, h = (None, None) if rng.integers(2) else box_rows(weight.shape[1], -1.0, 1.0)
        assert Prover(weight, bias, G, h).failed == (unspanned_point(weight, bias, G, h) is not None)
