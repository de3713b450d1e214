"""Exact probabilities against walks and enumeration; bounds against both."""

import numpy as np
import pytest
import torch

from tests.reference.random_matrices import fewest_active, planar_probability
from unrelu import Verdict
from unrelu.errors import ArgumentError
from unrelu.injectivity.random_matrices import exact_probability, injectivity_probability, probability_bounds


def by_enumeration(layer):
    """In general position a layer is injective iff at no input fewer than n rows are weakly active."""
    few = fewest_active(layer.dense().numpy()) < layer.n
    return Verdict.NOT_INJECTIVE if few else Verdict.INJECTIVE


@pytest.mark.parametrize("m", range(1, 13))
def test_the_plane_by_walks(m):
    assert exact_probability(m, 2) == planar_probability(m)


@pytest.mark.parametrize("m", range(1, 9))
def test_the_line_by_signs(m):
    signs = np.array(np.meshgrid(*[[-1, 1]] * m)).reshape(m, -1)
    both = (signs.max(axis=0) > 0) & (signs.min(axis=0) < 0)
    assert exact_probability(m, 1) == pytest.approx(both.mean(), abs=0)


@pytest.mark.parametrize(("m", "n"), [(5, 2), (7, 2), (8, 2), (3, 1)])
def test_simulation_agrees(m, n):
    generator = torch.Generator().manual_seed(m)
    estimate = injectivity_probability(m, n, 200, generator, decide=by_enumeration, confidence=0.999)
    assert estimate.lower <= exact_probability(m, n) <= estimate.upper
    assert estimate.unknown == 0 and estimate.samples == 200


@pytest.mark.parametrize(("m", "n"), [(m, n) for n in (1, 2) for m in (1, 2, 3, 4, 5, 8, 20, 60)])
def test_bounds_hold(m, n):
    lower, upper = probability_bounds(m, n)
    assert 0 <= lower <= exact_probability(m, n) <= upper <= 1


def test_bounds_are_sharp_on_the_line():
    lower, upper = probability_bounds(6, 1)
    assert lower == upper == exact_probability(6, 1)


def test_bounds_know_the_threshold_of_the_first_moment():
    assert probability_bounds(1100, 100)[0] > 0.99
    assert probability_bounds(800, 100)[0] == 0
    assert probability_bounds(199, 100) == (0, 0)


def test_undecided_samples_widen_the_interval():
    answers = iter([Verdict.INJECTIVE] * 30 + [Verdict.UNKNOWN] * 40 + [Verdict.NOT_INJECTIVE] * 30)
    estimate = injectivity_probability(4, 2, 100, torch.Generator(), decide=lambda _: next(answers))
    assert (estimate.injective, estimate.unknown, estimate.not_injective) == (30, 40, 30)
    assert 0.2 < estimate.lower < 0.3 and 0.7 < estimate.upper < 0.8


def test_the_generator_makes_the_samples():
    seen = []

    def decide(layer):
        seen.append(layer.dense())
        return Verdict.UNKNOWN

    injectivity_probability(3, 2, 2, torch.Generator().manual_seed(5), decide=decide)
    injectivity_probability(3, 2, 2, torch.Generator().manual_seed(5), decide=decide)
    assert torch.equal(seen[0], seen[2]) and not torch.equal(seen[0], seen[1])
    assert (seen[0].shape, seen[0].dtype) == ((3, 2), torch.float64)


def test_arguments():
    with pytest.raises(ArgumentError, match="n: expected 1 or 2, got 3"):
        exact_probability(9, 3)
    with pytest.raises(ArgumentError, match="samples: expected a whole number"):
        injectivity_probability(3, 2, 0, torch.Generator(), decide=by_enumeration)
    with pytest.raises(ArgumentError, match=r"generator: expected a torch\.Generator, got 7"):
        injectivity_probability(3, 2, 1, 7, decide=by_enumeration)
    with pytest.raises(ArgumentError, match="confidence: expected a number between 0 and 1"):
        injectivity_probability(3, 2, 1, torch.Generator(), decide=by_enumeration, confidence=1.0)
