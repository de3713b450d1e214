"""Averages, which are affine, and maxima, which are not."""

import torch
from torch import nn

from tests.layers.from_torch.cases.case import IMAGE, SEQUENCE, Calls, Cases

CASES = Cases()


@CASES.add("average pooling", IMAGE, "1 6")
def _():
    return nn.Sequential(
        nn.AvgPool2d(2, stride=1, padding=1),
        nn.Conv2d(2, 3, 3),
        nn.ReLU(),
        nn.AvgPool2d(3, stride=2, ceil_mode=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(3, 4),
        nn.ReLU(),
    )


@CASES.add("average pooling options", IMAGE, "relu")
def _():
    return nn.Sequential(
        nn.AvgPool2d(3, stride=2, padding=1, count_include_pad=False, ceil_mode=True),
        nn.AvgPool2d(2, divisor_override=3),
        nn.ReLU(),
    )


@CASES.add("adaptive pooling", IMAGE, "0 3")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 4, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d((4, 3)),
        nn.Conv2d(4, 2, 1),
        nn.ReLU(),
    )


@CASES.add("adaptive pooling, uneven windows", IMAGE, "0 3")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 4, 1), nn.ReLU(), nn.AdaptiveAvgPool2d((3, 4)), nn.Conv2d(4, 2, 1), nn.ReLU()
    )


@CASES.add("pooling 1d", SEQUENCE, "0 3", "max_pool2d_with_indices")
def _():
    return nn.Sequential(
        nn.Conv1d(3, 4, 3),
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Conv1d(4, 2, 1),
        nn.ReLU(),
        nn.AvgPool1d(2),
        nn.AdaptiveAvgPool1d(1),
    )


@CASES.add("max pooling", IMAGE, "0 3", "max_pool2d_with_indices")
def _():
    return nn.Sequential(
        nn.Conv2d(2, 3, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(3, 2, 1),
        nn.ReLU(),
    )


@CASES.add("max pooling before relu", IMAGE, "3", "max_pool2d_with_indices convolution relu")
def _():
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(3, 2, 1), nn.ReLU())


@CASES.add("sums and means", IMAGE, "conv fc")
def _():
    def function(m, x):
        h = m.conv(x).relu()
        h = torch.cat(
            [h.mean((2, 3)), h.sum(dim=3).mean(-1), h.mean(dim=(1, 2)), h.sum((1, 2, 3))[:, None]], 1
        )
        return m.fc(h).relu()

    return Calls(function, conv=nn.Conv2d(2, 3, 1), fc=nn.Linear(13, 4))
