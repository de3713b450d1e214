"""Groups of similar subsets."""

import numpy as np
import pytest

from unrelu.frames import _sharing
from unrelu.frames._sharing import clusters


@pytest.mark.parametrize(("subsets", "count"), [(1, 1), (5, 9), (60, 4), (300, 10)])
def test_every_subset_is_in_one_group(rng, subsets, count, monkeypatch):
    monkeypatch.setattr(_sharing, "_SAMPLE", 40)
    groups = clusters(rng.random((subsets, 30)) < 0.5, count)
    assert np.array_equal(np.sort(np.concatenate(groups)), np.arange(subsets))
    assert 1 <= len(groups) <= count


def test_bundles_are_found(rng):
    middle = rng.random((3, 200)) < 0.5
    label = np.tile(np.arange(3), 30)
    groups = clusters(middle[label] ^ (rng.random((90, 200)) < 0.05), 3)
    assert sorted(sorted(set(label[group])) for group in groups) == [[0], [1], [2]]
