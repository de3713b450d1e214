"""Which entries a maximum is taken of."""

import pytest
import torch
from torch.nn import functional

from unrelu.layers._maxima import over_axes, over_windows

SHAPE = (1, 3, 4, 6)


@pytest.mark.parametrize("axes", [(), (0,), (1,), (-1,), (2, 3), (3, 1), (-1, 0, 2)])
def test_axes(axes: tuple[int, ...]):
    x = torch.randn(SHAPE)
    groups = over_axes(SHAPE, axes)
    assert torch.equal(x.reshape(-1)[groups].amax(dim=1), x.amax(dim=axes).reshape(-1))
    assert sorted(groups.reshape(-1).tolist()) == list(range(x.numel()))


@pytest.mark.parametrize(
    ("kernel", "stride"), [((2, 3), (2, 3)), ((2, 2), (2, 3)), ((1, 2), (2, 4)), ((4, 6), (4, 6))]
)
def test_windows(kernel: tuple[int, int], stride: tuple[int, int]):
    x = torch.randn(SHAPE)
    groups = over_windows(SHAPE, kernel, stride)
    expected = functional.max_pool2d(x, kernel, stride)
    assert torch.equal(x.reshape(-1)[groups].amax(dim=1), expected.reshape(-1))
    assert len(torch.unique(groups)) == groups.numel()


def test_windows_along_one_and_three_axes():
    x = torch.randn(2, 7)
    groups = over_windows((2, 7), (3,), (3,))
    assert torch.equal(x.reshape(-1)[groups].amax(dim=1), functional.max_pool1d(x, 3).reshape(-1))
    x = torch.randn(1, 2, 4, 2, 6)
    groups = over_windows(x.shape, (2, 1, 3), (2, 1, 3))
    assert torch.equal(x.reshape(-1)[groups].amax(dim=1), functional.max_pool3d(x, (2, 1, 3)).reshape(-1))


@pytest.mark.parametrize(("kernel", "stride"), [((2, 2), (1, 2)), ((3, 2), (2, 2))])
def test_windows_that_overlap(kernel: tuple[int, int], stride: tuple[int, int]):
    assert over_windows(SHAPE, kernel, stride) is None
