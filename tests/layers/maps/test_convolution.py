import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.layers.maps.linear_maps import check_linear, close, numbers
from tests.reference.layers import convolved, matrix_of
from unrelu.errors import ArgumentError
from unrelu.layers import Convolution, Transpose

# name: weight shape, input shape, options
CASES = {
    "1d": ((3, 2, 3), (2, 7), {}),
    "1d stride": ((3, 2, 3), (2, 8), {"stride": (2,)}),
    "1d stride beyond kernel": ((2, 1, 2), (1, 11), {"stride": (4,)}),
    "1d asymmetric padding": ((2, 2, 3), (2, 5), {"padding": ((2, 0),)}),
    "1d padding after, stride": ((2, 2, 3), (2, 5), {"padding": ((0, 3),), "stride": (2,)}),
    "1d dilation": ((2, 2, 3), (2, 9), {"dilation": (3,)}),
    "1d kernel misses the end": ((2, 1, 2), (1, 8), {"stride": (3,)}),
    "1d kernel misses between and at the end": ((1, 1, 1), (1, 9), {"stride": (4,), "padding": ((1, 0),)}),
    "2d": ((3, 2, 3, 3), (2, 5, 4), {}),
    "2d same": ((3, 2, 3, 3), (2, 4, 5), {"padding": ((1, 1), (1, 1))}),
    "2d 1x1": ((4, 3, 1, 1), (3, 3, 2), {}),
    "2d kernel as large as input": ((4, 2, 3, 4), (2, 3, 4), {}),
    "2d mixed": (
        (4, 2, 3, 2),
        (4, 7, 6),
        {"stride": (2, 1), "padding": ((1, 0), (0, 2)), "dilation": (2, 3), "groups": 2},
    ),
    "2d depthwise": ((6, 1, 3, 3), (3, 4, 4), {"padding": ((1, 1), (1, 1)), "groups": 3}),
    "2d groups": ((4, 3, 2, 2), (6, 3, 3), {"groups": 2}),
    "2d padding beyond the image": ((1, 1, 2, 2), (1, 2, 2), {"padding": ((3, 3), (0, 3))}),
    "2d stride on padding": ((2, 1, 2, 2), (1, 5, 5), {"stride": (3, 3), "padding": ((1, 1), (2, 0))}),
    "3d": ((2, 1, 2, 2, 2), (1, 3, 3, 3), {}),
    "3d mixed": (
        (2, 2, 2, 1, 3),
        (2, 4, 3, 4),
        {"stride": (2, 2, 1), "padding": ((1, 0), (0, 0), (1, 1)), "dilation": (2, 1, 1)},
    ),
}


def torch_convolution(weight, options):
    """Return the convolution as torch computes it on an explicitly padded image."""
    dims = weight.dim() - 2
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[dims - 1]
    padding = options.get("padding", ((0, 0),) * dims)
    rest = {key: value for key, value in options.items() if key != "padding"}

    def function(image: torch.Tensor) -> torch.Tensor:
        padded = functional.pad(image, [side for pair in reversed(padding) for side in pair])
        return convolve(padded[None], weight, **rest)

    return function


@pytest.mark.parametrize(("weight", "shape", "options"), CASES.values(), ids=CASES.keys())
def test_against_the_matrix(weight, shape, options):
    kernel = numbers(*weight)
    linear = Convolution(kernel, shape, **options)
    matrix = matrix_of(torch_convolution(kernel, options), shape)
    check_linear(linear, matrix)
    check_linear(Transpose(linear), matrix.T)
    scale = numbers(weight[0], seed=3)
    rows = scale.repeat_interleave(linear.m // weight[0])
    check_linear(linear.scaled(scale), rows[:, None] * matrix)


@pytest.mark.parametrize(("weight", "shape", "options"), CASES.values(), ids=CASES.keys())
def test_against_the_definition(weight, shape, options):
    kernel, image, dims = numbers(*weight), numbers(*shape, seed=5), len(weight) - 2
    full = {"stride": (1,) * dims, "padding": ((0, 0),) * dims, "dilation": (1,) * dims, "groups": 1}
    expected = convolved(image.numpy(), kernel.numpy(), **{**full, **options})
    linear = Convolution(kernel, shape, **options)
    assert linear.out_shape == expected.shape
    assert np.allclose(linear.apply(image.reshape(1, -1)).reshape(expected.shape), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("stride", "output_padding"), [((1, 1), (0, 0)), ((2, 3), (0, 0)), ((2, 3), (1, 2))], ids=str
)
def test_transposed_convolution(stride, output_padding):
    weight, image = numbers(3, 2, 3, 2), numbers(1, 3, 4, 3, seed=1)
    expected = functional.conv_transpose2d(
        image, weight, stride=stride, padding=1, output_padding=output_padding
    )
    forward = Convolution(weight, tuple(expected.shape[1:]), stride=stride, padding=((1, 1), (1, 1)))
    assert close(Transpose(forward).apply(image.reshape(1, -1)), expected.reshape(1, -1))


REFUSED = {
    "channels": ((2, 3, 3, 3), (2, 5, 5), {}, r"input_shape: expected \(3, 2 spatial axes\)"),
    "axes": ((2, 3, 3, 3), (3, 5), {}, "input_shape"),
    "too small": ((2, 3, 3, 3), (3, 2, 5), {}, "smaller than the kernel"),
    "groups": ((3, 2, 3), (4, 5), {"groups": 2}, "does not divide"),
    "four axes": ((1, 1, 1, 1, 1, 1), (1, 2, 2, 2, 2), {}, "1 to 3 spatial axes"),
}


@pytest.mark.parametrize(("weight", "shape", "options", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(weight, shape, options, message):
    with pytest.raises(ArgumentError, match=message):
        Convolution(numbers(*weight), shape, **options)
