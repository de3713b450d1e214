"""What the tests of Monte Carlo bias estimation share: problems, the samples drawn, the products taken."""

import numpy as np
import pytest

from unrelu import ReLULayer
from unrelu.bias import _pass
from unrelu.bias._inputs import plan


@pytest.fixture
def products(monkeypatch):
    """Collect the products that estimates take: a function that returns them in order, and forgets them."""
    taken = {}
    original = _pass.records

    def records(C, alpha, criterion, first):
        taken[first] = C.numpy().copy()
        return original(C, alpha, criterion, first)

    def collect() -> np.ndarray:
        rows = np.vstack([taken[first] for first in sorted(taken)])
        taken.clear()
        return rows

    monkeypatch.setattr(_pass, "records", records)
    return collect


@pytest.fixture
def drawn():
    """A function that returns the samples an estimate draws."""

    def rows(layer: ReLULayer, data, samples: int, noise_std: float = 0.0, seed: int = 0) -> np.ndarray:
        return plan(layer, data, noise_std, samples, None, seed).samples.rows(0, samples).numpy()

    return rows
