"""Verdicts of `decide` against brute force over all cells; every verdict's certificate is verified."""

import numpy as np
import pytest

from tests.reference.cells import small_layer, unspanned_point
from unrelu import Box, Orthant, Polytope, ReLULayer, Space, Verdict, decide, verify

GAUSSIAN = 4  # columns at most


def gaussian_layer(rng):
    """A layer in general position, around the redundancy where both verdicts occur."""
    n = int(rng.integers(1, GAUSSIAN + 1))
    m = int(rng.integers(2 * n, min(5 * n, 12) + 1))
    return rng.standard_normal((m, n)), rng.standard_normal(m) * rng.integers(0, 2)


def compare(rng, most: int) -> Verdict:
    """Decide a small layer in a random domain, and check the verdict and its proof."""
    weight, bias = gaussian_layer(rng) if rng.integers(3) == 0 else small_layer(rng, most)
    n = weight.shape[1]
    corner = Polytope(np.vstack([-np.eye(n), np.ones((1, n))]), np.ones(n + 1))
    domain = (Space(), Space(), Orthant(), Box(-1, 1), Box(0.25, np.inf), corner)[rng.integers(6)]
    layer = ReLULayer(weight, bias)
    general_position = (None, False)[rng.integers(2)]
    decision = decide(layer, domain, time_limit=20.0, assume_general_position=general_position, n_jobs=1)
    point = unspanned_point(weight, bias, *domain.inequalities(n))
    if decision.verdict != Verdict.UNKNOWN:
        assert (decision.verdict == Verdict.INJECTIVE) == (point is None), (weight, bias, domain)
        checked = verify(decision.certificate, layer)
        assert checked.valid and checked.grade == decision.grade, (weight, bias, domain)
    return decision.verdict


def test_never_wrong_on_some_layers():
    rng = np.random.default_rng(7)
    verdicts = [compare(rng, 3) for _ in range(150)]
    assert Verdict.UNKNOWN not in verdicts
    assert {Verdict.INJECTIVE, Verdict.NOT_INJECTIVE} <= set(verdicts)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_never_wrong_on_many_layers(seed):
    rng = np.random.default_rng(seed)
    verdicts = [compare(rng, int(rng.choice([1, 2, 2, 3, 3, 4]))) for _ in range(1000)]
    assert verdicts.count(Verdict.UNKNOWN) == 0
    assert min(verdicts.count(Verdict.INJECTIVE), verdicts.count(Verdict.NOT_INJECTIVE)) > 150
