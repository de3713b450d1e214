"""Windows solved one after another against the rank of the active rows."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.reference import frames as exact
from unrelu import ReLULayer
from unrelu.inverse._peeling import peels
from unrelu.layers import Convolution


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.Conv1d(2, 12, 3, padding=1), (2, 9)),
        (nn.Conv2d(2, 20, 2), (2, 5, 5)),
        (nn.Conv2d(1, 9, 3, padding=1, stride=2), (1, 6, 6)),
        (nn.Conv2d(2, 24, 2, dilation=2, padding=1, groups=2), (2, 5, 5)),
        (nn.Conv2d(1, 3, 2), (1, 4, 4)),
    ],
)
def test_never_claims_what_is_not_true(rng, module, shape):
    torch.manual_seed(1)
    module.reset_parameters()
    layer = ReLULayer.from_module(module, shape)
    weight = layer.dense().numpy()
    masks = rng.random((30, layer.m)) < np.linspace(0.1, 1, 30)[:, None]
    proved = peels(layer.linear, masks)
    for mask, claim in zip(masks, proved, strict=True):
        assert not claim or np.linalg.matrix_rank(weight[mask]) == layer.n


def test_integers_exactly(rng):
    kernel = torch.from_numpy(rng.integers(-1, 2, (5, 1, 2, 2)).astype(float))
    convolution = Convolution(kernel, (1, 4, 4), padding=((1, 0), (0, 1)))
    weight = convolution.dense().numpy()
    claimed = 0
    for mask in rng.random((80, convolution.m)) < np.linspace(0.3, 1, 80)[:, None]:
        claim = bool(peels(convolution, mask[None])[0])
        claimed += claim
        assert not claim or exact.rank(weight[mask]) == convolution.n
    assert claimed > 5


def test_proves_what_windows_prove():
    torch.manual_seed(0)
    layer = ReLULayer.from_module(nn.Conv2d(2, 40, 3, padding=1), (2, 8, 8))
    y = layer.apply(np.random.default_rng(0).uniform(0, 1, (6, 2, 8, 8))).reshape(6, -1)
    assert peels(layer.linear, y > 0).all()


def test_one_window_after_another():
    # The first place tells both pixels, every other one only the sum of two neighbours.
    kernel = torch.tensor([[[1.0, 1.0]], [[1.0, -1.0]]], dtype=torch.float64)
    convolution = Convolution(kernel, (1, 6))
    mask = np.zeros((2, 5), dtype=bool)
    mask[0], mask[1, 0] = True, True
    assert peels(convolution, mask.reshape(1, -1)).all()
    mask[1, 0] = False
    assert not peels(convolution, mask.reshape(1, -1)).any()


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1.0, 1e200])
def test_scales(scale):
    kernel = scale * torch.tensor([[[1.0, 1.0]], [[1.0, -1.0]]], dtype=torch.float64)
    convolution = Convolution(kernel, (1, 6))
    assert peels(convolution, np.ones((1, 10), dtype=bool)).all()
    twice = Convolution(kernel[[0, 0]], (1, 6))
    assert not peels(twice, np.ones((1, 10), dtype=bool)).any()


def test_pixels_that_no_window_reads():
    convolution = Convolution(torch.ones(3, 1, 1, dtype=torch.float64), (1, 5), stride=(2,))
    assert not peels(convolution, np.ones((1, 9), dtype=bool)).any()


def test_windows_that_are_too_large(monkeypatch):
    monkeypatch.setattr("unrelu.inverse._peeling._WINDOW", 1)
    convolution = Convolution(torch.eye(2, dtype=torch.float64)[:, None], (1, 3))
    assert not peels(convolution, np.ones((1, 4), dtype=bool)).any()
