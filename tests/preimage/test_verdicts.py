"""Thousands of verdicts against elimination in rational arithmetic, certificates checked apart."""

import numpy as np
import pytest

from tests.preimage.test_preimage import MADE, compare, make
from unrelu import Box, Orthant, Polytope

CASES = 1600


@pytest.mark.slow
@pytest.mark.parametrize("kind", MADE)
def test_no_wrong_verdict_and_none_left_open(kind):
    rng = np.random.default_rng(1000 + MADE.index(kind))
    undecided = 0
    for k in range(CASES):
        weight, bias, x = make(rng, kind)
        domain = (None, None, Box(0, 1), Orthant(), None)[k % 5]
        x = x if domain is None else domain.project(x)
        if k % 5 == 4:
            G = rng.integers(-1, 2, (3, len(x))).astype(float)
            x = np.round(x)
            domain = Polytope(G, G @ x + rng.integers(0, 2, 3))
        undecided += compare(weight, bias, x, domain)
    assert undecided == 0
