"""Windows and cells of taps against the matrices of convolutions."""

import math

import pytest
import torch

from unrelu.layers import Convolution
from unrelu.nn.modules._conv_axis import Axis
from unrelu.nn.modules._conv_pairs import ConvolutionPairs
from unrelu.nn.modules._spectral import norm_bound, spectral_norm

AXES = {
    "plain": (Axis(3, 1, 1, 1, 1, False), Axis(3, 1, 1, 1, 1, False)),
    "stride": (Axis(5, 2, 2, 2, 1, False), Axis(4, 2, 1, 1, 1, False)),
    "mixed": (Axis(5, 1, 1, 1, 1, False), Axis(3, 1, 2, 2, 2, False)),
    "one axis": (Axis(7, 3, 3, 3, 1, False),),
}


def pairs_of(name: str, condition: float = 5.0, groups: int = 1) -> ConvolutionPairs:
    torch.manual_seed(0)
    return ConvolutionPairs(AXES[name], groups, 2, condition, dtype=torch.float64)


def dense(pairs: ConvolutionPairs, kernel: torch.Tensor) -> torch.Tensor:
    """The matrix of the first group's kernels on an image."""
    size = [axis.stride * 5 for axis in pairs.axes]
    return Convolution(
        kernel[0].detach(),
        (pairs.channels, *size),
        stride=tuple(axis.stride for axis in pairs.axes),
        padding=tuple((axis.before, axis.after) for axis in pairs.axes),
        dilation=tuple(axis.dilation for axis in pairs.axes),
    ).dense()


@pytest.mark.parametrize("name", AXES)
def test_the_sum_of_cells_bounds_the_norm_of_a_convolution(name):
    pairs = pairs_of(name)
    for _ in range(5):
        kernel = torch.randn_like(pairs.taps)
        norm = torch.linalg.svdvals(dense(pairs, kernel))[0]
        sums = [pairs.cell_norms(kernel, function).sum() for function in (spectral_norm, norm_bound)]
        assert norm <= sums[0] <= sums[1]
        # One cell alone is as long as its matrix.
        single = torch.zeros_like(kernel)
        corner = tuple(
            slice(first, first + axis.stride)
            for axis, (first, _) in zip(pairs.axes, pairs.windows, strict=True)
        )
        single[(..., *corner)] = kernel[(..., *corner)]
        found = torch.linalg.svdvals(dense(pairs, single))[0]
        torch.testing.assert_close(found, pairs.cell_norms(single, spectral_norm).sum())


@pytest.mark.parametrize("condition", [1.0, 2.0, 100.0])
@pytest.mark.parametrize("name", AXES)
def test_the_bound_holds_whatever_the_parameters_are(name, condition):
    pairs = pairs_of(name, condition, groups=2)
    rho = (condition - 1) / (condition + 1)
    for power in (0, 3, -3):
        if pairs.taps is not None:
            with torch.no_grad():
                pairs.taps.normal_(std=10.0**power)
        kernel = pairs().detach()
        least, most, further = pairs.extent(kernel)
        assert abs(least - 1) < 1e-12 and abs(most - 1) < 1e-12
        assert further <= rho
        overlaps = math.prod(
            math.ceil(width / axis.stride) for axis, (_, width) in zip(pairs.axes, pairs.windows, strict=True)
        )
        sigma = torch.linalg.svdvals(dense(pairs, kernel))
        assert 1 - rho - 1e-12 <= sigma[-1] and sigma[0] <= math.sqrt(overlaps) + rho + 1e-12


@pytest.mark.parametrize("name", AXES)
def test_window_and_taps_make_the_kernel(name):
    pairs = pairs_of(name, groups=2)
    kernel = pairs()
    torch.testing.assert_close(pairs.placed(pairs.window_of(kernel)) + pairs.outside(kernel), kernel)
    assert not pairs.window_of(pairs.outside(kernel)).any()
    # Initially half of what is allowed is used.
    total = pairs.cell_norms(pairs.outside(kernel), norm_bound).sum(dim=1)
    torch.testing.assert_close(total, torch.full_like(total, pairs.rho / 2))


def test_parameters_within_the_bound_are_taken_as_they_are():
    pairs = pairs_of("plain")
    taps = pairs.outside(pairs.taps)
    torch.testing.assert_close(pairs.outside(pairs()), taps)


def test_no_further_taps_where_there_is_no_room():
    assert pairs_of("plain", 1.0).taps is None
    whole = ConvolutionPairs((Axis(3, 1, 0, 0, 1, False),), 1, 2, 5.0)
    assert whole.taps is None


def test_gradients():
    pairs = pairs_of("one axis")
    with torch.no_grad():
        pairs.taps.mul_(4.0)  # beyond the bound, where taps are scaled
    names = ["taps", "bases.0.outer"]
    parameters = dict(pairs.named_parameters())

    def kernel(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(pairs, dict(zip(names, values, strict=True)), ())

    assert torch.autograd.gradcheck(kernel, tuple(parameters[name] for name in names))
