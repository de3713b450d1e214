"""The inner loop: both ways to find what may lower a bias, on entries of every kind."""

import numpy as np
import pytest
import torch

from unrelu.bias import _select
from unrelu.bias._select import ByCount, records

TINY = np.finfo(np.float32).smallest_subnormal
SPECIAL = [0.0, -0.0, 1.0, -1.0, TINY, -TINY, 3e38, -3e38, 0.5, -0.5]


@pytest.fixture(params=[np.float32, np.float64])
def problem(request, rng):
    """Products with many ties, and biases partly infinite or on the entries."""
    C = np.vstack([rng.choice(SPECIAL, (50, 12)), rng.standard_normal((50, 12))]).astype(request.param)
    alpha = rng.choice([*SPECIAL, np.inf], 12).astype(request.param)
    return torch.from_numpy(C), torch.from_numpy(alpha)


def test_two_ways_agree(problem):
    C, alpha = problem
    below, above = _select._largest_below_on_cpu(C, alpha)
    assert below.dtype == C.dtype
    for k, c in enumerate(C.numpy()):
        expected = max(c[c < alpha.numpy()], default=-np.inf)
        assert below[k] == expected
        assert above[k] == (c > expected).sum()
    for expected, got in zip((below, above), _select._largest_below(C, alpha), strict=True):
        assert torch.equal(expected, got)
    for n in (1, 5, 12):
        assert torch.equal(_select._nth_largest_on_cpu(C, n), _select._nth_largest(C, n))


@pytest.mark.parametrize("n", [1, 4, 12])
def test_records_are_what_lowers(problem, n):
    C, alpha = problem
    got = records(C, alpha, ByCount(n), first=100)
    expected = [
        (100 + k, j, c[j])
        for k, c in enumerate(C.numpy())
        for j in range(12)
        if np.sort(c)[12 - n] <= c[j] < alpha[j]
    ]
    assert list(zip(*got, strict=True)) == expected


def test_no_sample_and_none_that_lowers(problem):
    C, alpha = problem
    assert not len(records(C[:0], alpha, ByCount(3), 0).number)
    assert not len(records(C, torch.full_like(alpha, -torch.inf), ByCount(3), 0).number)
