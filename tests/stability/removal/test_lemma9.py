"""Lemma 9 and Appendix A5: correlations of removed rows with kept ones."""

import numpy as np
import pytest
import torch
from torch import nn

import unrelu
from tests.reference.stability import kept_rows, rows_that_meet, values_of
from unrelu.errors import ArgumentError
from unrelu.stability import correlation_bound, correlation_counts, linearise, spectrum


def smallest(matrix: np.ndarray, kept: np.ndarray) -> float:
    values = kept_rows(matrix, kept)
    return float(values[values > 1e-9 * values[0]].min())


@pytest.mark.parametrize("size", [(12, 5), (40, 10), (9, 8), (6, 12)])
def test_random_matrices(size: tuple[int, int], rng: np.random.Generator):
    for _ in range(10):
        matrix = rng.standard_normal(size)
        kept = rng.random(size[0]) < 0.7
        kept[0], kept[1] = True, False
        found = correlation_bound(matrix, kept)
        assert smallest(matrix, kept) <= found.sharper * (1 + 1e-9)
        assert found.sharper <= found.bound * (1 + 1e-9)
        assert found.in_row_space.all() == (kept.sum() >= size[1])
        for k, row in enumerate(found.rows):
            needed = np.abs(matrix[kept] @ matrix[row]) / np.linalg.norm(matrix[row]) * np.sqrt(kept.sum())
            assert found.constants[k] == pytest.approx(needed.max(), rel=1e-12)


def test_attained(rng: np.random.Generator):
    """Kept rows ``s e_1 + t e_2`` with equal ``|s|``, and ``e_1`` removed: the bound is the value."""
    kept_part = np.column_stack([[0.1, -0.1, 0.1, 0.1], [3.0, 3.0, -2.0, 8.0]])
    kept_part[:, 1] -= kept_part[:, 0] * (kept_part[:, 0] @ kept_part[:, 1]) / 0.04  # orthogonal columns
    matrix, kept = np.vstack([kept_part, [7.0, 0.0]]), np.arange(5) < 4
    found = correlation_bound(matrix, kept)
    assert found.bound == pytest.approx(0.2) == found.sharper
    assert smallest(matrix, kept) == pytest.approx(0.2)
    assert found.row == 4


def test_rows_outside_of_the_row_space_say_nothing():
    found = correlation_bound(np.diag([1.0, 2.0, 3.0]), np.array([True, True, False]))
    assert (found.bound, found.row) == (np.inf, None)
    assert found.constants.tolist() == [0.0]  # uncorrelated, and yet no bound: the value is 1


def test_rows_of_zeros_say_nothing():
    found = correlation_bound(np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), np.array([True, True, False]))
    assert found.bound == np.inf and found.constants.tolist() == [np.inf]


def test_figure_9(rng: np.random.Generator):
    matrix, kept = rng.standard_normal((30, 6)), np.arange(30) % 3 > 0
    grid = np.linspace(0, 20, 41)
    counts = correlation_counts(matrix, kept, grid)
    assert counts.tolist() == [rows_that_meet(matrix, kept, c) for c in grid]
    assert (np.diff(counts) >= 0).all() and counts[-1] == 20
    bound = correlation_bound(matrix, kept)
    least = bound.constants.min()
    assert correlation_counts(matrix, kept, [least * 0.999, least * 1.001]).tolist() == [19, 20]


def test_nothing_removed():
    everything = np.ones(3, dtype=bool)
    assert correlation_bound(np.eye(3), everything).bound == np.inf
    assert correlation_counts(np.eye(3), everything, [1.0, 2.0]).tolist() == [0, 0]


def test_constants_are_not_negative():
    with pytest.raises(ArgumentError, match="constants: expected"):
        correlation_counts(np.eye(2), np.array([True, False]), [-1.0])


def test_linearisation_of_a_network():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Conv2d(4, 3, 3), nn.ReLU()).double()
    x = torch.randn(1, 6, 6, dtype=torch.float64)
    net = unrelu.trace(module.float(), x[None].float())
    module.double()
    found = linearise(net, x, "2")
    np.testing.assert_allclose(
        np.linalg.svd(found.matrix.numpy(), compute_uv=False), values_of(module[:3], x), atol=1e-12
    )
    assert torch.equal(found.active, (module[:3](x[None]) > 0).reshape(-1))
    layer = spectrum(net, x, window=2)["2"]
    part = linearise(net, x.numpy(), "2", window=2)
    assert isinstance(part.matrix, np.ndarray) and part.matrix.shape == (12, 4)
    values = kept_rows(part.matrix, part.active)
    np.testing.assert_allclose(layer.after.numpy(), values, atol=1e-12)


def test_linearisation_of_one_input_of_one_layer():
    layer = unrelu.ReLULayer(np.eye(3))
    with pytest.raises(ArgumentError, match="x: expected one sample"):
        linearise(layer, np.ones((2, 3)))
    with pytest.raises(ArgumentError, match="layer: expected one of 'relu'"):
        linearise(layer, np.ones(3), "fc")
