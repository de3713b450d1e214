"""Branches that meet again: sums and concatenations."""

import torch
from torch import nn
from torch.nn import functional

from tests.layers.from_torch.cases.case import IMAGE, VECTOR, Calls, Cases, statistics

CASES = Cases()


@CASES.add("residual, one source", VECTOR, "a b")
def _():
    def function(m, x):
        h = m.a(x).relu()
        return functional.relu(h + m.b(h))

    return Calls(function, a=nn.Linear(5, 6), b=nn.Linear(6, 6))


@CASES.add("residual, two sources", VECTOR, "a b d", "add relu_2 addmm_2 sigmoid")
def _():
    def function(m, x):
        h = m.a(x).relu()
        h = functional.relu(h + m.c(m.b(h).relu()))
        return m.d(h).relu().sigmoid()

    return Calls(function, a=nn.Linear(5, 6), b=nn.Linear(6, 4), c=nn.Linear(4, 6), d=nn.Linear(6, 2))


@CASES.add("resnet block", IMAGE, "conv1 conv2 conv4", "add relu_2 convolution_2")
def _():
    def function(m, x):
        h = functional.relu(m.bn1(m.conv1(x)))
        r = m.bn3(m.conv3(functional.relu(m.bn2(m.conv2(h)))))
        h = functional.relu(r + h)
        return functional.relu(m.conv4(h))

    return statistics(
        Calls(
            function,
            conv1=nn.Conv2d(2, 3, 3, padding=1),
            conv2=nn.Conv2d(3, 4, 3, padding=1),
            conv3=nn.Conv2d(4, 3, 1),
            conv4=nn.Conv2d(3, 2, 1),
            bn1=nn.BatchNorm2d(3),
            bn2=nn.BatchNorm2d(4),
            bn3=nn.BatchNorm2d(3),
        )
    )


@CASES.add("pre-activation resnet", IMAGE, "stem relu_1 conv1", "add relu_3 convolution_2 add_1")
def _():
    def function(m, x):
        h = m.stem(x).relu()
        h = h + m.conv2(functional.relu(m.conv1(functional.relu(m.bn1(h)))))
        return h + functional.relu(m.bn2(h))

    return statistics(
        Calls(
            function,
            stem=nn.Conv2d(2, 3, 1),
            conv1=nn.Conv2d(3, 3, 3, padding=1),
            conv2=nn.Conv2d(3, 3, 1),
            bn1=nn.BatchNorm2d(3),
            bn2=nn.BatchNorm2d(3),
        )
    )


@CASES.add("densenet", IMAGE, "a b c", "cat cat_1")
def _():
    def function(m, x):
        h = torch.cat([x, m.a(x).relu()], 1)
        h = torch.cat([h, m.b(h).relu()], 1)
        return m.c(h).relu()

    return Calls(function, a=nn.Conv2d(2, 3, 3, padding=1), b=nn.Conv2d(5, 2, 1), c=nn.Conv2d(7, 2, 1))


@CASES.add("concatenation, one source", VECTOR, "a b")
def _():
    def function(m, x):
        h = m.a(x).relu()
        return m.b(torch.cat([h, torch.ones(1, 1).expand(len(h), 1), -h[:, :2]], 1)).relu()

    return Calls(function, a=nn.Linear(5, 4), b=nn.Linear(7, 3))


@CASES.add("unet", IMAGE, "down bottom up", "cat")
def _():
    def function(m, x):
        d = m.down(x).relu()
        u = functional.interpolate(m.bottom(functional.avg_pool2d(d, 2)).relu(), scale_factor=2)
        return m.head(m.up(torch.cat([d, u], 1)).relu())

    return Calls(
        function,
        down=nn.Conv2d(2, 3, 3, padding=1),
        bottom=nn.Conv2d(3, 3, 3, padding=1),
        up=nn.Conv2d(6, 3, 3, padding=1),
        head=nn.Conv2d(3, 1, 1),
    )


@CASES.add("mixer", (4, 6), "channels tokens", "add mean")
def _():
    def function(m, x):
        h = m.channels(x).relu()
        return m.tokens(h.transpose(1, 2)).relu() + x.mean()

    return Calls(function, channels=nn.Linear(6, 5), tokens=nn.Linear(4, 3))
