"""Which taps read every input: against axes written out with their padding."""

import itertools

import pytest
import torch

from tests.reference.blocks import reads
from unrelu.nn.modules._conv_axis import Axis

GEOMETRIES = [
    Axis(taps, stride, before, after, dilation, circular)
    for taps, stride, dilation in itertools.product((1, 2, 3, 4, 5), (1, 2, 3), (1, 2, 3))
    for before, after in ((0, 0), (1, 1), (2, 2), (0, 1), (3, 4))
    for circular in (False, True)
    if not circular or before + after
]


def naively(axis: Axis, size: int, first: int, width: int) -> bool:
    """Whether every input of this size is read, with circular padding by just one tap."""
    if axis.circular and max(axis.before, axis.after) > size:
        return False
    counts = reads(size, *vars_of(axis), first, width)
    return bool((counts == 1).all() if axis.circular else counts.all())


def vars_of(axis: Axis) -> tuple:
    return axis.taps, axis.stride, axis.before, axis.after, axis.dilation, axis.circular


@pytest.mark.parametrize("axis", GEOMETRIES, ids=str)
def test_windows(axis):
    large = range(60, 60 + axis.stride)
    if axis.window is None:
        # No row of taps reads each input, not even all of them; circularly, not evenly.
        assert not any(naively(axis, size, 0, axis.taps) for size in large) or axis.circular
        return
    first, width = axis.window
    assert width >= axis.stride and 0 <= first <= first + width <= axis.taps
    for size in (*range(1, 30), *large):
        assert not axis.fits(size) or naively(axis, size, first, width), size
    assert any(axis.fits(size) for size in large)
    for size in large:
        assert axis.fits(size) == naively(axis, size, first, width)
    shorter = [(f, w) for w in range(axis.stride, width) for f in range(axis.taps - w + 1)]
    assert not any(naively(axis, size, *window) for window in shorter for size in large)


@pytest.mark.parametrize("axis", GEOMETRIES[::7], ids=str)
def test_sizes(axis):
    if axis.window is None:
        return
    for size in filter(axis.fits, range(1, 40)):
        x = torch.zeros(1, 1, size + axis.padding)
        positions = torch.nn.functional.conv1d(
            x, torch.zeros(1, 1, axis.taps), stride=axis.stride, dilation=axis.dilation
        ).shape[-1]
        assert axis.outputs(size) == positions
        back = axis.size_of(positions)
        assert back is not None and axis.fits(back) and axis.outputs(back) == positions
        assert back == size or back % axis.stride == 0 or size < back


@pytest.mark.parametrize(
    ("axis", "window"),
    [
        (Axis(3, 1, 1, 1, 1, False), (1, 1)),
        (Axis(3, 1, 0, 0, 1, False), (0, 3)),
        (Axis(5, 1, 1, 1, 1, False), (1, 3)),
        (Axis(4, 2, 1, 1, 1, False), (1, 2)),
        (Axis(3, 2, 0, 0, 1, False), (0, 3)),
        (Axis(7, 2, 3, 3, 1, False), (3, 2)),
        (Axis(2, 3, 0, 0, 1, False), None),
        (Axis(3, 2, 2, 2, 2, False), None),
        (Axis(3, 1, 1, 1, 1, True), (1, 1)),
        (Axis(3, 1, 2, 2, 1, True), None),
    ],
    ids=str,
)
def test_known_windows(axis, window):
    assert axis.window == window
