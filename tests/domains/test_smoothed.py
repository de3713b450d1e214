"""Data with smoothing noise."""

import numpy as np
import pytest
import torch
from scipy import stats

from unrelu.domains import Smoothed
from unrelu.errors import ArgumentError

CORNERS = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("data", [CORNERS, torch.from_numpy(CORNERS)], ids=["numpy", "torch"])
def test_without_noise_rows_are_drawn_uniformly(data: object):
    x = Smoothed(data).sample(9000, seeded())
    rows, counts = np.unique(x.numpy(), axis=0, return_counts=True)
    assert {tuple(row) for row in rows} == {tuple(row) for row in CORNERS}
    assert stats.chisquare(counts).pvalue > 0.001


def test_noise_std_is_a_standard_deviation():
    x = Smoothed(CORNERS, noise_std=0.25).sample(20_000, seeded()).numpy()
    nearest = CORNERS[np.linalg.norm(x[:, None] - CORNERS, axis=-1).argmin(axis=1)]
    noise = x - nearest
    assert stats.kstest(noise.ravel(), stats.norm(0, 0.25).cdf).pvalue > 0.001
    assert abs(np.corrcoef(noise.T)[0, 1]) < 0.03


def test_reproducible_and_shaped_like_the_data(rng: np.random.Generator):
    images = Smoothed(rng.random((5, 1, 4, 4)), 0.1)
    x = images.sample(7, seeded(1))
    assert x.shape == (7, 1, 4, 4) and x.dtype == torch.float64
    assert torch.equal(x, images.sample(7, seeded(1)))
    assert not torch.equal(x, images.sample(7, seeded(2)))
    assert images.sample(1, dtype=torch.float32).dtype == torch.float32
    assert repr(images) == "Smoothed(data of shape (5, 1, 4, 4), noise_std=0.1)"


@pytest.mark.parametrize("dtype", [np.int64, np.uint8, np.float16, np.float32, ">f8", np.longdouble])
def test_any_real_dtype(dtype: object):
    x = Smoothed(CORNERS.astype(dtype)).sample(4, seeded())
    assert x.dtype == torch.float64 and x.max() <= 10


def test_the_data_stay_as_they_are():
    data = CORNERS.copy()
    data.flags.writeable = False
    Smoothed(data, 0).sample(5, seeded()).add_(1)
    tensor = torch.from_numpy(CORNERS.copy()).requires_grad_()
    x = Smoothed(tensor).sample(5, seeded())
    assert not x.requires_grad
    x.add_(1)
    assert torch.equal(tensor.detach(), torch.from_numpy(CORNERS))


@pytest.mark.parametrize(
    ("data", "noise_std", "message"),
    [
        (CORNERS, -0.1, "noise_std: expected a number that is not negative, got -0.1"),
        (CORNERS, np.nan, "noise_std: expected finite"),
        (CORNERS, np.inf, "noise_std: expected finite"),
        (CORNERS, [0.1, 0.1], "noise_std: expected a number"),
        (np.ones((0, 3)), 0, r"data: expected at least one sample on axis 0, got shape \(0, 3\)"),
        (np.ones((3, 0)), 0, "data: expected"),
        (np.ones(3), 0, "data: expected at least one sample"),
        (torch.ones(0, 3), 0, "data: expected at least one sample"),
        (np.array([[1, np.nan]]), 0, "data: expected finite numbers"),
        (torch.tensor([[np.inf]]), 0, "data: expected finite numbers"),
        ([["a"]], 0, "data: expected real numbers"),
    ],
)
def test_bad_arguments(data: object, noise_std: object, message: str):
    with pytest.raises(ArgumentError, match=message):
        Smoothed(data, noise_std)


def test_bad_count():
    with pytest.raises(ArgumentError, match="count: expected a whole number"):
        Smoothed(CORNERS).sample(0)
