"""Products of derivatives that are mostly zero."""

import pytest
import torch

from unrelu.layers import Convolution
from unrelu.stability._gram import gram_of_columns


@pytest.mark.parametrize("shape", [(3, 24, 10), (3, 24), (720,), (2, 1, 360)])
@pytest.mark.parametrize("size", [20, 300])
def test_any_shape(shape: tuple[int, ...], size: int):
    generator = torch.Generator().manual_seed(0)
    tangents = torch.randn(size, torch.Size(shape).numel(), dtype=torch.float64, generator=generator)
    chosen = torch.rand(tangents.shape[1], generator=generator) < 0.4
    for rows, part in ((None, tangents), (chosen, tangents[:, chosen]), (~chosen, tangents[:, ~chosen])):
        torch.testing.assert_close(gram_of_columns(tangents, shape, rows), part @ part.T)


def test_convolution():
    """Every pixel reaches few outputs: parts are multiplied for few directions only."""
    kernel = torch.randn(4, 1, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    linear = Convolution(kernel, (1, 40, 12), padding=((1, 1), (1, 1)))
    tangents = linear.dense().T
    torch.testing.assert_close(gram_of_columns(tangents, linear.out_shape), tangents @ tangents.T)
    nothing = torch.zeros(linear.m, dtype=torch.bool)
    assert not gram_of_columns(tangents, linear.out_shape, nothing).any()
